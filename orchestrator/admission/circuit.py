"""Opening a stopped deployment again: who probes it, and what came of it. `lua/shared/circuit.lua` has the rules.

A deployment stops when a create is refused for its sake: the key, the deployment or its model. It is probed after a
minute, then after two, up to once an hour, by whichever worker is alive; one at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from orchestrator.ledger.store import Store

log = structlog.get_logger("orchestrator.admission.circuit")


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe that was claimed, or why it was not.

    number          fences the verdict; 0: the deployment is not stopped, or paused, or somebody else probes it
    ask_again_in_s  when whoever probes it must have renewed the claim; None: nobody does
    """

    number: int
    ask_again_in_s: float | None


async def claim(store: Store, deployment: str, *, allowance_s: float, inherit: bool = False) -> Probe:
    """Take the probe of a deployment now, whether or not it is due. (Those that are due are handed out as claims.)

    `inherit`: take it only from somebody who died at it.
    """
    wanted = int(inherit), round(allowance_s * 1000)
    number, _, again = await store.scripts.run("probe", deployment, "claim", *wanted)
    return Probe(int(number), None if again < 0 else again / 1000)


async def renew(store: Store, deployment: str, number: int, due_in_s: float) -> bool:
    """Keep a probe for so long, or give it back (0). False: it is somebody else's by now."""
    kept, *_ = await store.scripts.run("probe", deployment, "renew", number, round(due_in_s * 1000))
    return bool(kept)


async def passed(store: Store, deployment: str, number: int, *, careful: bool) -> None:
    """The probe spoke for the deployment: its creates begin again, with one that is tried first where only a create
    can show whether it was mended. `careful`: with one in any case."""
    kept, reason, tried = await store.scripts.run("probe", deployment, "passed", number, int(careful))
    if kept:
        log.info("deployment.probed", deployment=deployment, passed=True, reason=reason.decode())
        log.info("deployment.resumed", deployment=deployment, reason=reason.decode(), probation=bool(tried))


async def failed(store: Store, deployment: str, number: int, error: str) -> None:
    """The probe spoke against it: the next one comes after a longer pause."""
    kept, reason, again = await store.scripts.run("probe", deployment, "failed", number, error)
    if kept:
        log.warning(
            "deployment.probed",
            deployment=deployment,
            passed=False,
            reason=reason.decode(),
            error=error,
            probed_in_s=again / 1000,
        )


async def stop(store: Store, deployment: str, reason: str, message: str) -> None:
    """It cannot be used: no creates there until a probe opens it. One that is stopped already stays as it is."""
    *_, probed_in = await store.scripts.run("judge", deployment, {"stop": reason, "message": message})
    if probed_in >= 0:
        log.error(
            "deployment.stopped", deployment=deployment, reason=reason, message=message, probed_in_s=probed_in / 1000
        )
