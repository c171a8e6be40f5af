"""A receipt beside its video, where nothing that was written can be written again."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from orchestrator.ledger.keys import Ref
from tests.workers.test_delivery import Provider, film, finished
from workers.archiving.delivery import deliver
from workers.archiving.filing import filed
from workers.archiving.receipt import Receipt, receipt
from workers.sinks import Immutable, WriteRefused
from workers.sinks.directory import DirectorySink

REF = Ref("spring", "hero")
NAME = "spring/hero.mp4"


class Keeping(DirectorySink):
    """As a container under a policy."""

    keeps = True

    async def __aenter__(self) -> Keeping:
        return self

    async def write(self, name: str, data: bytes, content_type: str, *, replace: bool = True) -> str:
        if replace and await self.stat(name) is not None:
            raise Immutable(f"{name} stands there for good")
        return await super().write(name, data, content_type, replace=replace)


async def paper_of(sink: DirectorySink, at: float = 1_790_000_000.0) -> Receipt:
    item = finished()
    return receipt(item, await deliver(sink, Provider(film()), item), at)  # type: ignore[arg-type]


async def test_a_try_that_comes_again_takes_the_earlier_receipt_as_it_is(tmp_path: Path) -> None:
    sink = Keeping(tmp_path)
    first = await filed(sink, REF, NAME, await paper_of(sink))
    again = await filed(sink, REF, NAME, await paper_of(sink, 1_790_000_900.0))
    assert again == first
    assert sorted(path.name for path in (tmp_path / "spring").iterdir()) == ["hero.json", "hero.mp4"]


@pytest.mark.parametrize("there", [b"{}", b"not json", b'{"remote_id": "video_9", "sha256": "0"}', b"[]"])
@pytest.mark.parametrize("kind", [Keeping, DirectorySink])
async def test_beside_somebody_else_s_ours_stands_under_the_remote_id(
    tmp_path: Path, there: bytes, kind: type[DirectorySink]
) -> None:
    sink = kind(tmp_path)
    await sink.write("spring/hero.json", there, "application/json")
    paper = await paper_of(sink)
    for _ in range(2):
        assert (await filed(sink, REF, NAME, paper))["file"] == "hero.mp4"
    assert json.loads((tmp_path / "spring/hero.video_1.json").read_bytes())["file"] == "hero.mp4"
    assert (tmp_path / "spring/hero.json").read_bytes() == there


@pytest.mark.parametrize("kind", [Keeping, DirectorySink])
async def test_a_receipt_that_can_be_put_nowhere_is_no_receipt(tmp_path: Path, kind: type[DirectorySink]) -> None:
    sink = kind(tmp_path)
    for name in ("spring/hero.json", "spring/hero.video_1.json"):
        await sink.write(name, b"{}", "application/json")
    with pytest.raises(WriteRefused):
        await filed(sink, REF, NAME, await paper_of(sink))


async def test_elsewhere_the_newest_receipt_counts(tmp_path: Path) -> None:
    sink = DirectorySink(tmp_path)
    paper = await paper_of(sink)
    await filed(sink, REF, NAME, paper)
    newer = dataclasses.replace(paper, archived_at="2026-10-01T00:00:00Z")
    assert (await filed(sink, REF, NAME, newer))["archived_at"] == "2026-10-01T00:00:00Z"
    assert json.loads((tmp_path / "spring/hero.json").read_bytes())["archived_at"] == "2026-10-01T00:00:00Z"


async def test_a_receipt_whose_video_is_gone_gives_its_name_to_the_one_that_was_made_anew(tmp_path: Path) -> None:
    """The way of a video that was lost for good: its batch is forgotten, and run once more."""
    sink = DirectorySink(tmp_path)
    paper = await paper_of(sink)
    gone = dataclasses.replace(paper, remote_id="video_0", sha256="0" * 64)
    await sink.write("spring/hero.json", gone.dump(), "application/json")
    await filed(sink, REF, NAME, paper)
    assert json.loads((tmp_path / "spring/hero.json").read_bytes())["remote_id"] == "video_1"


async def test_the_receipt_of_another_file_stays(tmp_path: Path) -> None:
    """Of a video that is used again, and stands elsewhere."""
    sink = DirectorySink(tmp_path)
    paper = await paper_of(sink)
    other = dataclasses.replace(paper, remote_id="video_0", file="../winter/boat.mp4").dump()
    await sink.write("spring/hero.json", other, "application/json")
    await filed(sink, REF, NAME, paper)
    assert (tmp_path / "spring/hero.json").read_bytes() == other
    assert (tmp_path / "spring/hero.video_1.json").exists()
