"""The herald: tells people by webhook how nights go, beside a worker's steps and never in their way.

What there is to tell is noted in the ledger (`orchestrator.reports.notices`); here it is sent, until it has arrived. A
webhook that fails is tried again later and later, for a day.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import structlog

from orchestrator.items.failures import Tries
from orchestrator.ledger.store import Store
from orchestrator.redis.connection import AWAY
from orchestrator.reports.lookout import Lookout, Subscribers
from orchestrator.reports.notices import GIVE_UP_S, Notice, claim, outstanding, settle
from orchestrator.settings import Notify
from workers.telling.webhook import Undelivered, Webhook

log = structlog.get_logger("workers.telling.herald")

#: Between two looks at what there is to tell, and at what another worker has noted (seconds).
LOOK_S, SEND_S = 15.0, 5.0
#: Notices that are sent at once.
AT_ONCE = 8
#: A webhook that failed is tried again until a day is over; the pauses (each with some jitter of its own).
AGAIN = Tries(None, 5, 900)
#: However long the other side asks to wait (seconds).
LONGEST_S = 3600.0


def webhooks(settings: Iterable[Notify], environ: Mapping[str, str] = os.environ) -> list[Webhook]:
    """The webhooks of the settings, with their secrets. Raises SettingsError."""
    return [Webhook.open(each, environ) for each in settings]


def subscribers(hooks: Iterable[Webhook]) -> Subscribers:
    """Which of them want to know of what."""
    hooks = list(hooks)
    return {
        "ended": [h.settings.name for h in hooks if "ended" in h.settings.on],
        "stopped": [h.settings.name for h in hooks if "stopped" in h.settings.on],
        "expiry": [h.settings.name for h in hooks if "expiry" in h.settings.on],
    }


class Herald:
    """Sends what is noted, and lets the lookout note what is new."""

    def __init__(
        self, store: Store, hooks: Sequence[Webhook], lookout: Lookout, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._store, self.lookout, self._clock = store, lookout, clock
        self._hooks = {hook.settings.name: hook for hook in hooks}
        self._sending: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Look and send, until it is cancelled. While Redis is away others say so."""
        await asyncio.gather(self._again(self.lookout.look, LOOK_S), self._again(self.send, SEND_S))

    async def send(self) -> float | None:
        """Send what is due, once; in how many seconds there is more to send (None: nothing is left)."""
        found, next_due = await claim(self._store, self._hooks, AT_ONCE)
        sending = {asyncio.create_task(self._send(notice)) for notice in found}
        self._sending |= sending
        for task in sending:
            task.add_done_callback(self._sending.discard)
        await asyncio.gather(*sending)
        return 0.0 if found else next_due

    async def flush(self, *, within_s: float) -> int:
        """Send what is noted, for so long at most; how many notices have not arrived by then. They stay noted."""
        clock = asyncio.get_running_loop().time
        last, pause = clock() + within_s, 0.0
        try:
            while pause <= last - clock():
                async with asyncio.timeout_at(last):
                    await asyncio.sleep(pause)
                    await asyncio.gather(*self._sending)  # what the rounds of `run` are at
                    next_due = await self.send()
                if next_due is None:
                    return 0
                pause = next_due
        except TimeoutError:
            pass
        return await outstanding(self._store)

    async def _send(self, notice: Notice) -> None:
        hook = self._hooks[notice.channel]
        words = {"webhook": notice.channel, "occasion": notice.occasion, "notice": notice.id, "tries": notice.tries}
        failed: Undelivered | None = None
        try:
            await hook.post(notice, self._clock())
        except Undelivered as error:
            failed = error
        except Exception as error:  # ours, and this one notice's: a run does not end by it, nor is it sent for ever
            failed = Undelivered(f"{type(error).__name__}, a fault of Dailies")
        if failed is None:
            log.info("notice.was_delivered", **words)
            await settle(self._store, notice, again_in_s=None)
        elif failed.gone or notice.age_s > GIVE_UP_S:
            log.error("notice.was_given_up", error=str(failed), **words)
            await settle(self._store, notice, again_in_s=None)
        else:
            pause = max(AGAIN.pause_s(notice.tries - 1, notice.id), min(failed.again_in_s or 0.0, LONGEST_S))
            log.warning("notice.was_not_delivered", error=str(failed), again_in_s=round(pause), **words)
            await settle(self._store, notice, again_in_s=pause, error=str(failed))

    async def _again(self, work: Callable[[], Awaitable[object]], every_s: float) -> None:
        while True:
            try:
                await work()
            except (*AWAY, OSError):
                pass
            except Exception:
                log.exception("herald.failed")
            await asyncio.sleep(every_s)
