"""A sheet of a workbook is a manifest as a CSV is, and no workbook costs more to refuse than to look at."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from manifests import ManifestError, Problem, load
from manifests.readers.workbook import UnusableWorkbook, read_sheet
from manifests.readers.xlsx_reader import cell_name
from manifests.selecting.adjustments import Adjustments
from tests.manifests.test_any_input import loaded


def saved(folder: Path, **sheets: list[list[object]]) -> Path:
    workbook = Workbook()
    workbook.remove(workbook.active)
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(row)
    workbook.save(folder / "plan.xlsx")
    return folder / "plan.xlsx"


def refused(path: Path, sheet: str | None = None) -> Problem:
    with pytest.raises(ManifestError) as error:
        load(path, adjustments=Adjustments(sheet=sheet))
    (problem,) = error.value.problems
    return problem


def test_a_sheet_is_chosen_by_its_name_else_the_first_is_read(tmp_path: Path) -> None:
    path = saved(tmp_path, Spring=[["prompt"], ["A boat"]], Summer=[["prompt"], ["A kite"]])
    assert [item.prompt for item in load(path).items()] == ["A boat"]
    assert [item.prompt for item in load(path, adjustments=Adjustments(sheet="Summer")).items()] == ["A kite"]
    assert load(path, adjustments=Adjustments(sheet="Summer")).name == "plan"


def test_a_sheet_that_is_not_there_is_a_problem_that_names_those_that_are(tmp_path: Path) -> None:
    problem = refused(saved(tmp_path, Spring=[["prompt"]], Summer=[["prompt"]]), "Autumn")
    assert (problem.message, problem.hint) == ("there is no sheet Autumn", "the sheets are Spring, Summer")


def test_only_a_workbook_has_sheets(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("prompt\nA boat\n")
    assert refused(path, "Spring").message == "only an .xlsx file has sheets"


def test_a_yaml_manifest_may_take_its_rows_from_a_sheet(tmp_path: Path) -> None:
    saved(tmp_path, Spring=[["product"], ["mug"]], Summer=[["product"], ["lamp"]])
    path = tmp_path / "a.yaml"
    path.write_text('items_from: plan.xlsx\ndefaults: {prompt: "A {product}", seconds: 8}\n')
    assert [(item.prompt, item.seconds) for item in load(path).items()] == [("A mug", 8)]
    assert [item.prompt for item in load(path, adjustments=Adjustments(sheet="Summer")).items()] == ["A lamp"]


def test_the_same_table_is_the_same_videos_as_workbook_and_as_csv(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("prompt,size,seconds\nA boat,1280x720,8\n")
    (by_csv,) = load(tmp_path / "a.csv").items()
    (by_sheet,) = load(saved(tmp_path, Plan=[["Prompt", "Size", "Seconds"], ["A boat", "1280x720", 8]])).items()
    assert (by_sheet.key, by_sheet.fingerprint) == (by_csv.key, by_csv.fingerprint)


@pytest.mark.parametrize("name", ["a.csv", "a.yaml", "a.jsonl", "a.xlsx"])
def test_a_file_of_two_gigabytes_is_refused_unread(tmp_path: Path, name: str) -> None:
    with (tmp_path / name).open("wb") as stream:
        stream.truncate(2 << 30)
    assert refused(tmp_path / name).message == "is 2.0 GiB, and a manifest is at most 1 GiB"


def test_rows_of_two_gigabytes_are_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "rows.csv").open("wb") as stream:
        stream.truncate(2 << 30)
    (tmp_path / "a.yaml").write_text("items_from: rows.csv\n")
    assert refused(tmp_path / "a.yaml").message == "is 2.0 GiB, and a manifest is at most 1 GiB"


def test_a_row_far_down_is_not_waited_for(tmp_path: Path) -> None:
    """A file may number its only row two thousand million."""
    path = rewritten(saved(tmp_path, Plan=[["prompt"], ["A boat"]]), b'<row r="2"', b'<row r="2000000000"')
    problem = refused(path)
    assert problem.message == "the sheet has more cells than can be read"


def test_empty_rows_are_passed_over_and_counted(tmp_path: Path) -> None:
    path = saved(tmp_path, Plan=[[], ["prompt", None], [], [" ", None], ["A boat"], []])
    assert [(item.line, item.prompt) for item in load(path).items()] == [(5, "A boat")]


def test_many_parts_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        for number in range(10_001):
            archive.writestr(str(number), b"")
    with pytest.raises(UnusableWorkbook, match="10,001 parts"):
        next(read_sheet(tmp_path / "a.xlsx", None))


def rewritten(path: Path, old: bytes, new: bytes) -> Path:
    """The workbook with a text of its parts replaced."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert any(old in content for content in parts.values())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content.replace(old, new))
    return path


@pytest.mark.parametrize(("number", "name"), [(1, "A7"), (26, "Z7"), (27, "AA7"), (702, "ZZ7"), (703, "AAA7")])
def test_a_cell_is_named_as_spreadsheet_programs_do(number: int, name: str) -> None:
    assert cell_name(7, number) == name


def test_what_unpacks_to_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    path = saved(tmp_path, Plan=[["prompt"]])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/more.bin", "w") as part:
        for _ in range(17):
            part.write(bytes(1 << 20))
    assert "zip bomb" in refused(path).message


PARTS = ("xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml", "xl/_rels/workbook.xml.rels")


@given(part=st.sampled_from([*PARTS, "[Content_Types].xml"]), seed=st.integers(0, 1 << 32))
@pytest.mark.filterwarnings("ignore")
@settings(max_examples=80, deadline=None)
def test_a_damaged_workbook_is_read_or_refused(part: str, seed: int) -> None:
    dice = random.Random(seed)
    workbook = Workbook()
    workbook.active.append(["prompt", "seconds"])
    workbook.active.append(["A boat", 8])
    whole, damaged = io.BytesIO(), io.BytesIO()
    workbook.save(whole)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(damaged, "w") as target:
        for name in source.namelist():
            content = bytearray(source.read(name))
            if name == part:
                for _ in range(dice.randrange(1, 4)):
                    at = dice.randrange(len(content))
                    content[at : at + dice.randrange(6)] = dice.randbytes(dice.randrange(3))
            target.writestr(name, bytes(content))
    loaded(damaged.getvalue(), "xlsx")
