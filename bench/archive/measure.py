"""One measurement in a process of its own: `python -m bench.archive.measure WAY BYTES COUNT AT_ONCE …`, as JSON.

Its memory is the kernel's high-water mark of this very process (`VmHWM`): a child's `ru_maxrss` begins at its parent's.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from bench.archive.copies import Ways, all_of


def memory(name: str) -> int:
    """`VmHWM` or `VmRSS`, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


async def main(way: str, length: int, count: int, at_once: int, first: int, *place: str) -> None:
    async with Ways(*place) as ways:
        # Imports, connections and what the libraries keep for good are the baseline.
        await all_of(ways.by_name[way], 100_000, range(first, first + 2 * at_once), at_once)
        before, began, cpu = memory("VmRSS"), time.perf_counter(), time.process_time()
        await all_of(ways.by_name[way], length, range(first, first + count), at_once)
        elapsed_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
        peak = memory("VmHWM") - before
        print(json.dumps({"elapsed_s": elapsed_s, "cpu_s": cpu_s, "peak": peak}))


if __name__ == "__main__":
    wanted, (size, videos, streams, begin) = sys.argv[1], map(int, sys.argv[2:6])
    asyncio.run(main(wanted, size, videos, streams, begin, *sys.argv[6:]))
