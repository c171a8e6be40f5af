"""The probe step: whether a stopped deployment can be used again, asked with the shortest list call.

It costs nothing and needs endpoint and key. What only a create can show is left to the one item that admission then
lets through.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial

from orchestrator.admission import circuit
from orchestrator.ledger.store import Store
from workers.renewal import ClaimLost, kept
from workers.station import Line
from workers.video_api import ApiError, BadAnswer, Missing

#: How often to see whether another worker's probe has ended (seconds).
LOOK_S = 0.2


async def probe(store: Store, line: Line, number: int, *, claim_s: float) -> None:
    """Probe a deployment whose probe was claimed under this number.

    Raises ClaimLost when it is another worker's by now.
    """
    name = line.deployment.name
    async with kept(partial(circuit.renew, store, name, number), claim_s):
        try:
            await ask(line)
        except (Missing, BadAnswer):
            # Some servers have no listing: there only a create can tell.
            await circuit.passed(store, name, number, careful=True)
        except ApiError as error:
            await circuit.failed(store, name, number, str(error))
        else:
            await circuit.passed(store, name, number, careful=False)


async def probe_at_once(store: Store, line: Line, *, claim_s: float) -> None:
    """Probe a deployment now if it is stopped, due or not; while another worker is at it, wait for what that one finds
    (or, if it died, until its claim ends)."""
    name, waited = line.deployment.name, False
    while True:
        claimed = await circuit.claim(store, name, allowance_s=claim_s, inherit=waited)
        if claimed.number:
            with suppress(ClaimLost):
                await probe(store, line, claimed.number, claim_s=claim_s)
        if claimed.number or claimed.ask_again_in_s is None:
            return
        await asyncio.sleep(min(claimed.ask_again_in_s, LOOK_S))
        waited = True


async def ask(line: Line) -> None:
    """The shortest list call. Raises ApiError."""
    await line.api.server_time()
