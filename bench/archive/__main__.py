"""What proof costs: `python -m bench.archive` (it needs `sh scripts/install-azurite`).

Videos go from one provider into one Azurite in three ways, in turn, each in a fresh process: as Dailies archives them
(asked for, hashed, proven, read back, receipt), as a bare copy by httpx and azure-storage-blob does, and into nothing.
A ratio is of the medians of one run: 1.0 is as fast as the other. Memory is over what the process holds before.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from azure.storage.blob import BlobServiceClient

from tests.servers import Azurite, azurite_process

MIB = 1024 * 1024
DELAY_MS = 20


@contextmanager
def port_of(*command: str) -> Iterator[int]:
    """A program of ours that prints the port it listens on."""
    with subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


class Bench:
    """A provider and an Azurite, near or at the end of a long line."""

    def __init__(self, stack: ExitStack) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self._azurite: Azurite = stack.enter_context(azurite_process(folder))
        self._store = str(urlsplit(self._azurite.blob_url).port)
        self._provider = str(stack.enter_context(port_of("bench.archive.provider")))
        self._stack = stack

    def far(self) -> None:
        """From now on each byte takes DELAY_MS each way."""
        near = (self._store, self._provider)
        self._store, self._provider = (
            str(self._stack.enter_context(port_of("bench.archive.line", port, str(DELAY_MS)))) for port in near
        )

    def measure(self, way: str, length: int, count: int, at_once: int) -> dict[str, Any]:
        """One fresh process, and a fresh container that is deleted afterwards."""
        name = f"bench-{uuid.uuid4().hex[:12]}"
        real = str(urlsplit(self._azurite.blob_url).port)
        store = self._azurite.connection_string.replace(f":{real}/", f":{self._store}/")
        with BlobServiceClient.from_connection_string(self._azurite.connection_string) as service:
            service.create_container(name)
            numbers = map(str, (length, count, at_once, 1))
            place = [f"http://127.0.0.1:{self._provider}", store, name]
            command = [sys.executable, "-m", "bench.archive.measure", way, *numbers, *place]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            service.delete_container(name)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


def compare(bench: Bench, title: str, length: int, count: int, at_once: int, rounds: int) -> None:
    """All three ways in turn, round after round."""
    seen: dict[str, list[dict[str, Any]]] = {"bare": [], "ours": [], "null": []}
    for number in range(rounds):
        for way in sorted(seen, reverse=bool(number % 2)):
            seen[way].append(bench.measure(way, length, count, at_once))
    took = {way: statistics.median(each["elapsed_s"] for each in found) for way, found in seen.items()}
    cpu = {way: statistics.median(each["cpu_s"] for each in found) for way, found in seen.items()}
    pairs = [bare["elapsed_s"] / ours["elapsed_s"] for bare, ours in zip(seen["bare"], seen["ours"], strict=True)]
    print(f"{title}")
    print(f"  speed / bare copy's      {took['bare'] / took['ours']:.2f}   ({min(pairs):.2f} to {max(pairs):.2f})")
    print(f"  speed / bare download's  {took['null'] / took['ours']:.2f}")
    print(f"  CPU / bare copy's        {cpu['ours'] / cpu['bare']:.2f}", flush=True)


def memory(bench: Bench, sizes: Sequence[int]) -> None:
    """The peak over the baseline, a stream."""
    print("peak of memory over the baseline, MiB a stream")
    for mib, at_once in [*((size, 1) for size in sizes), (sizes[len(sizes) // 2], 8)]:
        peak = bench.measure("ours", mib * MIB, at_once, at_once)["peak"] / at_once / MIB
        print(f"  {mib:4} MiB, {at_once} at once       {peak:.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each way is measured (default: %(default)s)")
    parser.add_argument("--only", choices=["large", "many", "memory", "far"], action="append")
    wanted = parser.parse_args()
    parts = wanted.only or ["large", "many", "memory", "far"]
    with ExitStack() as stack:
        bench = Bench(stack)
        if "large" in parts:
            compare(bench, "4 videos of 64 MiB, one by one", 64 * MIB, 4, 1, wanted.rounds)
        if "many" in parts:
            compare(bench, "32 videos of 8 MiB, 4 at once", 8 * MIB, 32, 4, wanted.rounds)
        if "memory" in parts:
            memory(bench, (1, 64, 512))
        if "far" in parts:
            bench.far()
            title = f"200 videos of 2 MiB, 4 at once, {DELAY_MS} ms each way"
            compare(bench, title, 2 * MIB, 200, 4, max(1, wanted.rounds // 2))


if __name__ == "__main__":
    main()
