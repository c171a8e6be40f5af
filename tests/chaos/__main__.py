"""`python -m tests.chaos`: one run after another, each with its seed, until one breaks a promise or time is up."""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

from azure.storage.blob import BlobServiceClient

from orchestrator import logs
from tests.chaos.driver import run
from tests.servers import AZURITE_API_VERSION, Azurite, Container, azurite_process


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    add = options.add_argument
    add("--seed", type=int, help="repeat the dice of this run, once")
    add("--minutes", type=float, default=float("inf"), help="how long to go on (default: until interrupted)")
    add("--faults", type=int, default=24, help="faults in a run (default: %(default)s)")
    add("--items", type=int, default=36, help="videos in a run (default: %(default)s)")
    add("--workers", type=int, default=3, help="worker processes (default: %(default)s)")
    add("--blobs", action="store_true", help="archive into an Azurite in place of a folder")
    add("--keep", type=Path, help="a folder for what the runs leave; else only a broken one is kept")
    told = options.parse_args()
    logs.configure(level="error")
    with (
        tempfile.TemporaryDirectory(prefix="azurite-") as folder,
        azurite_process(Path(folder)) if told.blobs else nullcontext() as azurite,
    ):
        sys.exit(1 if go_on(told, azurite) else 0)


def go_on(told: argparse.Namespace, azurite: Azurite | None) -> int:
    """How many runs broke something."""
    ends_at, broken = time.monotonic() + told.minutes * 60, 0
    while True:
        seed = told.seed if told.seed is not None else random.randrange(1_000_000)
        folder = Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-", dir=told.keep))
        print(f"seed {seed} in {folder}", flush=True)
        done = asyncio.run(
            run(
                folder,
                seed,
                faults=told.faults,
                items=told.items,
                workers=told.workers,
                container=fresh(azurite) if azurite else None,
                tell=lambda line: print(line, flush=True),
            )
        )
        print(done.text(), flush=True)
        if not done.kept:
            broken += 1
            print(f"repeat the dice with --seed {seed}; what is left is in {folder}", flush=True)
        if told.seed is not None or time.monotonic() >= ends_at:
            return broken


def fresh(azurite: Azurite) -> Container:
    """An empty container of its own for a run."""
    name = f"chaos-{secrets.token_hex(6)}"
    with BlobServiceClient.from_connection_string(azurite.connection_string, api_version=AZURITE_API_VERSION) as client:
        client.create_container(name)
    return Container(azurite.connection_string, name, f"{azurite.blob_url}/{name}")


if __name__ == "__main__":
    main()
