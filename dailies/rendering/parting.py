"""The end of a run: what there is to tell by webhook is sent before the process ends, if that is soon done."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from redis.exceptions import RedisError

from dailies.terminal.exits import counted, say
from orchestrator.ledger import views
from orchestrator.ledger.store import Store
from orchestrator.logs.redaction import redact
from orchestrator.reasons.stoppage import Stoppage
from workers.telling.herald import Herald

log = structlog.get_logger("dailies.rendering.parting")

#: The longest that a run waits for webhooks at its end (seconds).
FAREWELL_S = 10.0


async def tell(store: Store, herald: Herald, stoppages: Mapping[str, Stoppage]) -> None:
    """Note what stopped, and send what is noted. It takes FAREWELL_S at most, and no failure is one of the run."""
    try:
        for name, why in stoppages.items():
            batch = await views.batch(store, name)
            if batch is not None:
                await herald.lookout.stopped(batch, why)
        left = await herald.flush(within_s=FAREWELL_S)
    except (RedisError, OSError) as error:
        log.warning("notices.were_not_sent", error=redact(str(error)))
        return
    if left:
        say(
            f"{counted(left, 'notice')} for webhooks did not arrive yet (the log says why): the next run or worker "
            "sends what is less than a day old"
        )
