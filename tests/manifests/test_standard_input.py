"""A manifest from standard input is read like a file, and refused before it fills the disk."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from manifests import ManifestError, load
from manifests.readers.input_file import LARGEST
from manifests.readers.standard_input import STDIN, spooled
from manifests.selecting.adjustments import Adjustments


@pytest.mark.parametrize("form", ["csv", ".CSV", " Csv "])
def test_it_can_be_read_as_often_as_a_file(form: str) -> None:
    with spooled(io.BytesIO(b"prompt\nA boat\n"), form) as path:
        manifest = load(path, called=STDIN, adjustments=Adjustments(name="spring"))
        assert [[item.prompt for item in manifest.items()] for _ in range(2)] == [["A boat"], ["A boat"]]
        assert (manifest.name, manifest.called) == ("spring", "stdin")
    assert not path.exists()


def test_messages_call_it_standard_input_and_paths_are_relative_to_where_we_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("prompt\nA boat\n")
    with spooled(io.BytesIO(b"name: spring\nitems_from: rows.csv\nitems: [{prompt: A kite}]"), "yaml") as path:
        assert [item.prompt for item in load(path, called=STDIN).items()] == ["A kite", "A boat"]
    content = b'{"prompt": "A boat", "size": "1x1"}\n{"prompt": "A kite", "input_reference": "gone.png"}'
    with spooled(io.BytesIO(content), "jsonl") as path, pytest.raises(ManifestError) as refused:
        load(path, called=STDIN, adjustments=Adjustments(name="spring"))
    assert [(problem.file, problem.line) for problem in refused.value.problems] == [("stdin", 1), ("stdin", 2)]
    assert str(tmp_path) in refused.value.problems[1].hint


def test_a_folder_may_be_said_for_its_paths(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("prompt\nA boat\n")
    with spooled(io.BytesIO(b"name: spring\nitems_from: rows.csv"), "yml") as path:
        assert load(path, called=STDIN, folder=tmp_path).item_count == 1


def test_a_batch_from_standard_input_needs_a_name() -> None:
    """Else two that have nothing to do with each other would be one batch."""
    with spooled(io.BytesIO(b"prompt\nA boat\n"), "csv") as path, pytest.raises(ManifestError) as refused:
        load(path, called=STDIN)
    (problem,) = refused.value.problems
    assert (problem.file, problem.path, problem.hint) == ("stdin", "--name", "name the batch: --name spring")


@pytest.mark.parametrize(
    ("content", "form", "path", "message"),
    [
        (b"", "csv", "", "nothing came from standard input"),
        (b"prompt\nA boat\n", "", "--format", "nothing says what kind of manifest comes there"),
        (b"prompt\nA boat\n", "docx", "--format", "docx is no kind of manifest"),
    ],
)
def test_what_cannot_be_a_manifest_is_one_problem(content: bytes, form: str, path: str, message: str) -> None:
    with pytest.raises(ManifestError) as refused, spooled(io.BytesIO(content), form):
        pass
    (problem,) = refused.value.problems
    assert (problem.file, problem.path, problem.message) == ("stdin", path, message)
    assert problem.hint


class Endless(io.RawIOBase):
    """Gives zeros for ever, and counts them."""

    given = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        self.given += size
        return bytes(size)


def test_more_than_a_manifest_can_be_is_refused_while_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manifests.readers.input_file.LARGEST", 5 << 20)
    endless = Endless()
    with pytest.raises(ManifestError, match=re.escape("is larger than")), spooled(endless, "csv"):  # type: ignore[arg-type]
        pass
    assert endless.given <= 7 << 20 < LARGEST
