"""A worker that is stopped (SIGSTOP) between its first intent and the POST: `python -m … CONFIG`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import workers.create
from dailies import working
from orchestrator import logs
from orchestrator.records import Item
from orchestrator.settings import load_settings
from workers.station import Station
from workers.video_api import Order


def main() -> None:
    logs.configure(json=True)
    send = workers.create._send
    stopped = []

    async def stop_then_send(station: Station, item: Item, version: int, order: Order, send_by: float) -> None:
        if not stopped:
            stopped.append(True)
            os.kill(os.getpid(), signal.SIGSTOP)
        await send(station, item, version, order, send_by)

    workers.create._send = stop_then_send
    asyncio.run(working.work(load_settings(Path(sys.argv[1])), "create"))


if __name__ == "__main__":
    main()
