"""The product without one of its guards, for the worker processes that are told so: `GUARDS[name]()` switches it off.

Each is a rule that somebody could leave out or break, and nothing in an ordinary night would show it. `test_guards.py`
makes the night in which it shows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import orchestrator.ledger.remote_ids
import orchestrator.ledger.store
import workers.archiving.delivery
import workers.archiving.proof
import workers.arq_queue
import workers.reconciliation.evidence
import workers.rendering.create
import workers.report
import workers.sinks.part_file
import workers.telling.herald
import workers.worker
from tests.chaos.haste import edit


def intent() -> None:
    """The create is sent with nothing written before."""

    async def intend(_: Any, ref: Any, version: int, *args: Any, **more: Any) -> tuple[str, int, float]:
        return "intended", version, 0.0

    orchestrator.ledger.store.Store.intend = intend  # type: ignore[method-assign]


def send_by() -> None:
    """A worker that slept sends all the same."""
    workers.rendering.create.boot_clock = lambda: float("inf")


def versions() -> None:
    """Whoever wakes up late decides as if nobody had decided since."""
    edit("transition", "if i[2] ~= ARGV[4] or not to then", "if not to then")
    edit("transition", "if patch.token and", "if false and")


def listing() -> None:
    """A list that does not show the job proves that there is none, whatever else it does not show."""
    workers.reconciliation.evidence._gap = lambda _: None  # type: ignore[attr-defined]


def owners() -> None:
    """A remote job may be adopted although it is another item's."""

    async def nobody(*_: Any) -> dict[str, str]:
        return {}

    orchestrator.ledger.remote_ids.owners = nobody
    edit("accept", "elseif owner and owner ~= me and not take_back(owner) then", "elseif false then")


def slots() -> None:
    """A worker that begins believes that those before it are dead, and gives back their slots till it has taken one."""
    work = workers.worker.Worker.run

    async def run(self: Any) -> None:
        redis, prefix = self._store.redis, self._store.keys.prefix
        taken = {key: await redis.zrange(key, 0, -1) async for key in redis.scan_iter(f"{prefix}open:*")}
        if taken:
            await redis.delete(*taken)

        async def restore() -> None:
            while taken and not await redis.exists(*taken):
                await asyncio.sleep(0.05)
            for key, refs in taken.items():
                await redis.zadd(key, dict.fromkeys(refs, 0), nx=True)

        restoring = asyncio.create_task(restore())
        await work(self)
        restoring.cancel()

    workers.worker.Worker.run = run  # type: ignore[method-assign]


def due() -> None:
    """What a dead worker had claimed does not become due again."""
    begin = workers.worker.Worker.__init__

    def patient(self: Any, *args: Any, **more: Any) -> None:
        begin(self, *args, **(more | {"claim_s": 3600.0}))

    workers.worker.Worker.__init__ = patient  # type: ignore[method-assign]


def proof() -> None:
    """Whatever arrived is the video."""

    def believed(content: Any, arrived: Any, video: Any) -> Any:
        return workers.archiving.proof.VideoFacts(video.duration_s, video.width, video.height, video.has_audio, "mp4")

    async def all_of_it(content: Any, walker: Any) -> AsyncIterator[bytes]:
        async for chunk in content.chunks:
            walker.feed(chunk)
            yield chunk

    workers.archiving.delivery.proven = believed
    workers.archiving.delivery._walked = all_of_it


def unknown_money() -> None:
    """What nobody knows to be billed counts as nothing."""
    edit(
        "shared/money",
        "local function settle(batch, id, n, bucket)\n",
        "local function settle(batch, id, n, bucket)\n  if bucket == 'unknown' then bucket = 'none' end\n",
    )


def leftovers() -> None:
    """What a worker left half written stays where it is."""
    workers.sinks.part_file._removed_orphan = lambda _: False


def reports() -> None:
    """A batch that runs again after its end is not reported anew."""
    edit(
        "shared/batches",
        "  redis.call('ZADD', P .. 'reports', now, batch)\n",
        "  if redis.call('HSETNX', key, 'told', 1) == 1 then redis.call('ZADD', P .. 'reports', now, batch) end\n",
    )


def last_page() -> None:
    """The report leaves the contact sheet to whoever wrote it while the batch was running."""

    async def no_page(*_: Any, **__: Any) -> str:
        return "index.html"

    workers.report.write_sheet = no_page


def telling_again() -> None:
    """What could not be told at once is not told again."""
    settle = workers.telling.herald.settle

    async def over(store: Any, notice: Any, *, again_in_s: float | None, error: str = "") -> bool:
        return await settle(store, notice, again_in_s=None, error=error)

    workers.telling.herald.settle = over


def fetched() -> None:
    """What was fetched from a deployment is still counted as to be fetched."""
    edit("shared/moves", "    redis.call('SREM', P .. 'fetch:' .. i[2], ref)\n", "")


def one_account() -> None:
    """An attempt does not remember where its money stands."""
    edit("shared/money", "  redis.call('HSET', key, 'money', bucket)\nend", "end")


def arq_results() -> None:
    """arq keeps the result of each step, as it does unless it is told not to."""
    fresh = workers.arq_queue.ArqQueue._fresh

    def keeping(self: Any) -> Any:
        worker = fresh(self)
        for function in worker.functions.values():
            function.keep_result_s = 3600
        worker.keep_result_s = 3600
        return worker

    workers.arq_queue.ArqQueue._fresh = keeping  # type: ignore[method-assign]


GUARDS: dict[str, Callable[[], None]] = {
    guard.__name__: guard
    for guard in (
        intent,
        send_by,
        versions,
        listing,
        owners,
        slots,
        due,
        proof,
        unknown_money,
        leftovers,
        reports,
        last_page,
        telling_again,
        fetched,
        one_account,
        arq_results,
    )
}
