"""A disk that is full, and a file that may not grow: a real small file system, and the kernel's own limit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.items.states import Event
from tests.workers.sinks.step import LARGE, MP4, SMALL, tried
from tests.workers.test_archive import finished
from tests.workers.wire_server import answer
from workers.sinks import ArchiveFull
from workers.sinks.directory import DirectorySink

LIMITED = """
import asyncio, resource, sys
from pathlib import Path
from workers.sinks import WriteRefused
from workers.sinks.directory import DirectorySink

async def chunks():
    yield bytes(3 << 20)

async def main():
    sink = DirectorySink(Path(sys.argv[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    try:
        await sink.save("b/a.mp4", chunks(), content_type="video/mp4", metadata={}, claim="c")
    except WriteRefused as error:
        print(error)
    assert list(Path(sys.argv[1]).rglob("*.mp4*")) == []

asyncio.run(main())
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB, filled but for 1 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        (place / "ballast").write_bytes(bytes(3 << 20))
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


async def test_a_full_disk_lets_no_create_start_and_the_video_is_archived_when_there_is_room(
    small_disk: Path, provider: Callable[..., Any]
) -> None:
    sink = DirectorySink(small_disk)
    await sink.probe()
    api = await provider(answer(200, LARGE, MP4))
    put_off = await tried(sink, api, finished())
    assert (put_off.event, put_off.archive_closed_s) == (Event.POSTPONED, 30)
    assert "No space is left" in put_off.item["message"]
    assert [path.name for path in small_disk.rglob("*") if path.is_file()] == ["ballast"]

    (small_disk / "more").write_bytes(bytes((1 << 20) - 4096))
    with pytest.raises(ArchiveFull):
        await sink.write("b/page.html", bytes(100_000), "text/html")
    for name in ("ballast", "more"):
        (small_disk / name).unlink()
    assert (await tried(sink, await provider(answer(200, SMALL, MP4)), finished())).event is Event.ARCHIVED
    assert (small_disk / "b/a.mp4").read_bytes() == SMALL


def test_a_file_that_may_not_grow_is_refused_by_name_and_nothing_is_left_of_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "File too large" in done.stdout
