"""CSV as spreadsheet programs save it is read alike, whatever encoding, delimiter and line ends they chose."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests import Item, ManifestError, load
from manifests.readers.delimiter import DELIMITERS, opening
from manifests.vocabulary.spelling import field_name, tidy

TABLE = [
    ["Key", "PROMPT", "Input-Reference", "Seconds", "Client’s\xa0market"],
    ["hero", "Café “Åre”, ruhig; bei Nacht\nund Regen", "", "8", "Zürich"],
    ["kite", "  A kite\tover sand\xa0 ", "", "", ""],
    ["", "", "", "", ""],
]


def saved(table: list[list[str]], delimiter: str, line_end: str) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(table)
    return text.getvalue().replace("\r\n", line_end)


def items(path: Path, content: bytes) -> list[Item]:
    path.write_bytes(content)
    return list(load(path, models=None).items())


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("delimiter", DELIMITERS, ids=["comma", "semicolon", "tab"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_every_way_of_saving_a_table_gives_the_same_items(
    tmp_path: Path, encoding: str, delimiter: str, line_end: str
) -> None:
    found = items(tmp_path / "plan.csv", saved(TABLE, delimiter, line_end).encode(encoding))
    assert [(item.key, item.prompt, item.seconds, dict(item.labels)) for item in found] == [
        ("hero", "Café “Åre”, ruhig; bei Nacht\nund Regen", 8, {"Client's market": "Zürich"}),
        ("kite", "A kite\tover sand", 4, {}),
    ]


def test_the_fingerprint_does_not_depend_on_how_the_table_was_saved(tmp_path: Path) -> None:
    ways = [("utf-8", ","), ("utf-8-sig", ";"), ("utf-16", "\t"), ("cp1252", ";")]
    found = {
        tuple(item.fingerprint for item in items(tmp_path / "a.csv", saved(TABLE, mark, "\r\n").encode(encoding)))
        for encoding, mark in ways
    }
    assert len(found) == 1


def test_a_plain_table_keeps_its_fingerprints_for_ever(tmp_path: Path) -> None:
    """If this fails, do not change the value: every archived video would be rendered and paid for again."""
    content = b'key,prompt,size,seconds\nhero,A paper boat -- "slowly",1280x720,8\n'
    (item,) = items(tmp_path / "a.csv", content)
    assert item.fingerprint == "v1:9be57c37ae5d09c1c5300fbab1dd2fd0211f63c6ddebc591363b21fe9a64e91b"


@pytest.mark.parametrize("header", ["Input Reference", "INPUT-REFERENCE", " input_reference ", "“Input\xa0Reference”"])
def test_a_field_is_known_however_its_column_is_written(header: str) -> None:
    assert field_name(header) == "input_reference"


def test_a_placeholder_may_be_written_as_the_header_is(tmp_path: Path) -> None:
    content = "Prompt;Client’s name;SIZE\nFor {Client’s  name} and {Client's name} in {Size};Åre;1280x720\n"
    (item,) = items(tmp_path / "a.csv", content.encode())
    assert item.prompt == "For Åre and Åre in 1280x720"


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("prompt", ","),
        ("prompt;size, in pixels;what, else", ";"),
        ('"prompt";"size, seconds and more"', ";"),
        ("prompt\tsize, seconds; more", "\t"),
        ("idea,shot\n", ","),
        ("idea;shot, scene;market", ";"),
        ('"the;prompt",size', ","),
        ('"the\nprompt;of it";size', ";"),
    ],
)
def test_the_header_tells_by_what_cells_are_parted(header: str, delimiter: str) -> None:
    found = opening(iter(header.splitlines(keepends=True)))
    assert found is not None
    assert found.delimiter == delimiter


def test_the_line_by_which_excel_names_the_delimiter_is_no_header(tmp_path: Path) -> None:
    (item,) = items(tmp_path / "a.csv", b"sep=;\r\n\r\nprompt;size\r\nA boat;1280x720\r\n")
    assert (item.line, item.prompt, item.size) == (4, "A boat", "1280x720")


def test_a_tsv_file_is_a_table_too(tmp_path: Path) -> None:
    (item,) = items(tmp_path / "a.tsv", b"prompt\tsize\nA boat, and more\t1280x720\n")
    assert (item.prompt, item.size) == ("A boat, and more", "1280x720")


def test_a_file_in_utf_8_with_one_broken_byte_is_not_read_as_windows_1252(tmp_path: Path) -> None:
    """Each of its other accents would become two wrong letters, and be paid for."""
    path = tmp_path / "a.csv"
    path.write_bytes("prompt\nCafé in Zürich\n".encode() + b"K\xefte\n")
    with pytest.raises(ManifestError, match="the byte 0xEF is not UTF-8"):
        load(path, models=None)


cells = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=12)


@given(
    columns=st.lists(cells, min_size=1, max_size=4),
    at=st.integers(0, 4),
    delimiter=st.sampled_from(DELIMITERS),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
@settings(max_examples=150, deadline=None)
def test_a_quoted_header_with_a_prompt_is_parted_as_it_was_written(
    columns: list[str], at: int, delimiter: str, encoding: str
) -> None:
    header = [*columns[:at], "prompt", *columns[at:]]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerow(header)
    found = opening(iter(text.getvalue().encode(encoding).decode(encoding).splitlines(keepends=True)))
    assert found is not None
    assert found.delimiter == delimiter


@given(st.text())
def test_what_is_tidy_stays_so(text: str) -> None:
    assert tidy(tidy(text)) == tidy(text)
    assert field_name(field_name(text)) == field_name(text)
