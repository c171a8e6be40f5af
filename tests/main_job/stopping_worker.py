"""A worker that is stopped (SIGSTOP) between its first intent and the POST: `python -m … CONFIG`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import workers.rendering.create
from dailies.rendering import working
from orchestrator import logs
from orchestrator.settings import load_settings


def main() -> None:
    logs.configure(json=True)
    send = workers.rendering.create._send
    stopped = []

    async def stop_then_send(*args: Any) -> None:
        if not stopped:
            stopped.append(True)
            os.kill(os.getpid(), signal.SIGSTOP)
        await send(*args)

    workers.rendering.create._send = stop_then_send
    asyncio.run(working.work(load_settings(Path(sys.argv[1])), "create"))


if __name__ == "__main__":
    main()
