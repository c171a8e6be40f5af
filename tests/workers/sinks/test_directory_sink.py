"""What only a directory can do wrong."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.settings.archive import ArchiveSettings
from tests.workers.sinks.streams import MIB, md5, stream
from workers.sinks import (
    ArchiveFull,
    ArchiveUnavailable,
    NameTaken,
    Saved,
    WriteRefused,
    open_sink,
)
from workers.sinks.directory import DirectorySink, _write_whole
from workers.sinks.part_file import note_of

DOOMED = """
import asyncio, os, signal, sys
from pathlib import Path
from workers.sinks.directory import DirectorySink

async def chunks():
    yield bytes(3 << 20)
    os.kill(os.getpid(), signal.SIGKILL)

sink = DirectorySink(Path(sys.argv[1]))
asyncio.run(sink.save("a.mp4", chunks(), content_type="video/mp4", metadata={}, claim="c"))
"""
VIDEO: dict[str, Any] = {"content_type": "video/mp4", "metadata": {"remote_id": "video_1"}, "claim": "c"}


def files(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


async def test_only_whole_files_and_no_temporary_ones_are_left(tmp_path: Path) -> None:
    sink = DirectorySink(tmp_path)
    await sink.save("spring/a.mp4", stream(b"abc"), **VIDEO)
    await sink.save("spring/a.mp4", stream(b"xyz"), **VIDEO)
    with pytest.raises(OSError, match="cut"):
        await sink.save("spring/b.mp4", stream(b"abc", then=ConnectionResetError("cut")), **VIDEO)
    await sink.write("spring/a.json", b"{}", "application/json")
    await sink.probe()
    assert files(tmp_path) == ["spring/a.json", "spring/a.mp4"]


async def test_the_unfinished_file_is_hidden_and_in_the_folder_of_its_name(tmp_path: Path) -> None:
    seen = []

    async def chunks() -> AsyncIterator[bytes]:
        yield bytes(2 * MIB)
        seen.extend(files(tmp_path))

    await DirectorySink(tmp_path).save("spring/a.mp4", chunks(), **VIDEO)
    assert seen == ["spring/.a.mp4.1.part"]


async def test_what_a_killed_process_left_is_removed_by_the_next_try(tmp_path: Path) -> None:
    """The process dies in the middle of a stream, and, in a second life, between the link and the unlink."""
    await DirectorySink(tmp_path).save("done.mp4", stream(b"whole"), **VIDEO)
    os.link(tmp_path / "done.mp4", tmp_path / ".done.mp4.1.part")
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", DOOMED, str(tmp_path))
    assert await killed.wait() == -signal.SIGKILL
    assert files(tmp_path) == [".a.mp4.1.part", ".done.mp4.1.part", "done.mp4"]

    sink = DirectorySink(tmp_path)
    assert isinstance(await sink.save("a.mp4", stream(b"abc"), **VIDEO), Saved)
    assert isinstance(await sink.save("done.mp4", stream(b"other"), **VIDEO), NameTaken)
    assert files(tmp_path) == ["a.mp4", "done.mp4"]
    assert (tmp_path / "done.mp4").read_bytes() == b"whole"


async def test_what_a_killed_process_left_of_a_video_that_another_archived_is_tidied_away(tmp_path: Path) -> None:
    """Stopped in the middle of a stream, it kept its file locked while another took the next; then it was killed."""
    left = tmp_path / "spring/.a.mp4.1.part"
    sink = DirectorySink(tmp_path)
    left.parent.mkdir()
    with left.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        await sink.save("spring/a.mp4", stream(b"abc"), **VIDEO)
        await sink.tidy("spring")
        assert files(tmp_path) == ["spring/.a.mp4.1.part", "spring/a.mp4"]
    await sink.tidy("spring")
    await sink.tidy("summer")
    assert files(tmp_path) == ["spring/a.mp4"]


async def test_a_temporary_file_that_somebody_still_writes_is_left_alone(tmp_path: Path) -> None:
    held = tmp_path / ".a.mp4.1.part"
    with held.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        await DirectorySink(tmp_path).save("a.mp4", stream(b"abc"), **VIDEO)
        assert files(tmp_path) == [".a.mp4.1.part", "a.mp4"]


async def test_on_a_file_system_without_hard_links_a_taken_name_is_still_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_link)
    sink = DirectorySink(tmp_path)
    assert isinstance(await sink.save("a.mp4", stream(b"abc"), **VIDEO), Saved)
    assert isinstance(await sink.save("a.mp4", stream(b"xyz"), **VIDEO), NameTaken)
    assert (tmp_path / "a.mp4").read_bytes() == b"abc"
    assert files(tmp_path) == ["a.mp4"]


async def test_on_a_file_system_without_attributes_the_bytes_themselves_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_attributes(*_: object, **__: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "setxattr", no_attributes)
    sink = DirectorySink(tmp_path)
    await sink.save("a.mp4", stream(b"abc"), **VIDEO)
    found = await sink.stat("a.mp4")
    assert found is not None
    assert (found.bytes, found.md5, found.metadata) == (3, None, {})
    taken = await sink.save("a.mp4", stream(b"abc"), **VIDEO)
    assert isinstance(taken, NameTaken)
    assert taken.same_bytes


async def test_a_file_that_somebody_changed_is_not_taken_for_ours(tmp_path: Path) -> None:
    sink = DirectorySink(tmp_path)
    await sink.save("a.mp4", stream(b"abc"), **VIDEO)
    (tmp_path / "a.mp4").write_bytes(b"xyz")
    taken = await sink.save("a.mp4", stream(b"abc"), **VIDEO)
    assert isinstance(taken, NameTaken)
    assert taken.md5 == md5(b"xyz")
    assert not taken.same_bytes


async def test_a_document_that_is_replaced_while_it_is_looked_at_is_still_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its length is the earlier one's, and its note the later one's: which would look like a file that was changed."""
    sink = DirectorySink(tmp_path)
    await sink.probe()
    await sink.write("spring/index.html", b"an earlier page", "text/html")
    later = [b"a later page"]

    def note(path: Path) -> dict[str, object]:
        while later:
            assert _write_whole(path, later.pop(), "text/html", replace=True)
        return note_of(path)

    monkeypatch.setattr("workers.sinks.file_stat.note_of", note)
    there = await sink.stat("spring/index.html")
    assert there is not None
    assert (there.ours, there.bytes, there.md5) == (True, len(b"a later page"), md5(b"a later page"))


async def test_metadata_too_long_for_the_file_system_never_stands_in_the_way(tmp_path: Path) -> None:
    sink = DirectorySink(tmp_path)
    metadata = {"remote_id": "video_1", "prompt": "x" * 100_000}
    await sink.save("a.mp4", stream(b"abc"), **VIDEO | {"metadata": metadata})
    found = await sink.stat("a.mp4")
    assert found is not None
    assert found.metadata["remote_id"] == "video_1"


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, ArchiveFull),
        (errno.EDQUOT, ArchiveFull),
        (errno.EIO, ArchiveUnavailable),
        (errno.EROFS, ArchiveUnavailable),
        (errno.ESTALE, ArchiveUnavailable),
        (errno.EFBIG, WriteRefused),
    ],
)
@pytest.mark.parametrize("call", ["write", "fsync"])
async def test_trouble_of_the_disk_is_told_in_our_words_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception], call: str
) -> None:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    sink = DirectorySink(tmp_path)
    await sink.write("first.txt", b"x", "text/plain")
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(kind) as raised:
        await sink.save("a.mp4", stream(b"abc"), **VIDEO)
    assert type(raised.value) is kind
    assert files(tmp_path) == ["first.txt"]


async def test_a_root_that_is_a_file_or_may_not_be_written_to_says_what_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ArchiveUnavailable, match=r"Make .*file.* a folder"):
        await DirectorySink(tmp_path / "file").probe()
    for root in (Path("/proc/dailies"), Path("/dev/null/archive")):
        with pytest.raises(ArchiveUnavailable, match="Make"):
            await DirectorySink(root).probe()


async def test_a_folder_or_too_long_a_name_is_a_matter_of_this_video_only(tmp_path: Path) -> None:
    sink = DirectorySink(tmp_path)
    (tmp_path / "a.mp4").mkdir()
    (tmp_path / "spring").write_bytes(b"")
    for name in ("a.mp4", "x" * 250 + ".mp4", "spring/a.mp4"):
        with pytest.raises(WriteRefused):
            await sink.save(name, stream(b"abc"), **VIDEO)


async def test_the_root_is_made_and_named_by_path_or_file_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url, root in (("./a b", tmp_path / "a b"), (f"file://{tmp_path}/c%20d", tmp_path / "c d")):
        async with open_sink(ArchiveSettings(url=url), {}) as sink:
            assert sink.url == root.as_uri() + "/"
            await sink.probe()
            assert await sink.write("x.txt", b"x", "text/plain") == (root / "x.txt").as_uri()
