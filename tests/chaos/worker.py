"""One worker process of a chaos run: `python -m tests.chaos.worker CONFIG [--without GUARD] [--asleep-before POINT]
[--only STEPS]`;
with `--submit MANIFEST…` it submits in place of working.

It is `dailies worker`, in haste. `--asleep-before` stops the process (SIGSTOP) the first time that it comes to a point:
`starting` to work, when it is connected to everything; `sending` the create, when its intent is written; or `telling`
the ledger what the provider answered.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import Any

import orchestrator.ledger.store
import workers.rendering.create
import workers.worker
from dailies.cli import entry
from tests.chaos.guards import GUARDS
from tests.chaos.haste import hasten

POINTS = ("starting", "sending", "telling")


def sleep_before(point: str) -> None:
    """Stop this process there, once."""
    slept: list[bool] = []

    def stop() -> None:
        if not slept:
            slept.append(True)
            os.kill(os.getpid(), signal.SIGSTOP)

    if point == "starting":
        work = workers.worker.Worker.run

        async def late_start(self: Any) -> None:
            stop()
            await work(self)

        workers.worker.Worker.run = late_start  # type: ignore[method-assign]
    elif point == "sending":
        send = workers.rendering.create._send

        async def late(*args: Any) -> None:
            stop()
            await send(*args)

        workers.rendering.create._send = late
    else:
        accept = orchestrator.ledger.store.Store.accept

        async def late_word(self: Any, *args: Any, how: Any, **more: Any) -> Any:
            if how == "answer":
                stop()
            return await accept(self, *args, how=how, **more)

        orchestrator.ledger.store.Store.accept = late_word  # type: ignore[method-assign]


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("config")
    options.add_argument("--without", choices=GUARDS)
    options.add_argument("--asleep-before", choices=POINTS)
    options.add_argument("--only", metavar="STEPS")
    options.add_argument("--submit", nargs="+", metavar="MANIFEST")
    told = options.parse_args()
    hasten()
    if told.without:
        GUARDS[told.without]()
    if told.asleep_before:
        sleep_before(told.asleep_before)
    words = ["submit", "--yes", *told.submit] if told.submit else ["worker"]
    words += ["--only", told.only] if told.only else []
    sys.argv = ["dailies", "--log-level", "info", words[0], "--config", told.config, *words[1:]]
    entry()


if __name__ == "__main__":
    main()
