"""Opens an .xlsx file, but only one that can be read in little memory and time: a zip may say a lot in few bytes."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from manifests.readers.sheet_cell import cell_text

# The library tells of what it does not read: colours, pictures, drop-down lists.
warnings.filterwarnings("ignore", module="openpyxl")

_LARGEST = 1 << 30  # bytes of all parts, unpacked
_LARGEST_PART = 16 << 20  # of a part that is read as a whole, and of any that is packed too well
_STREAMED = ("xl/worksheets/", "xl/sharedStrings.xml", "xl/media/")
_TIGHTEST = 200  # sheets are packed 10 to 50 times; only repetition without end is packed tighter than this
_MOST_PARTS = 10_000
_MOST_ROWS = 1_048_576  # of a sheet, as Excel has them; a file may claim more
_MOST_CELLS = 50_000_000
# A formula that has no value beside it. One whose result is an empty text says so: t="str".
_UNCALCULATED = re.compile(
    rb'<c (?:(?!t="str")[^>])*?r="([A-Z]+[0-9]+)"(?:(?!t="str")[^>])*>'
    rb"<f\b[^>]*(?:/>|>[^<]*</f>)(?:<v ?/>|<v></v>)?</c>"
)
_LONGEST_CELL = 1 << 16  # bytes: a formula has at most 8,192 characters
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_SAVE_ANEW = "open it in a spreadsheet program and save it anew as .xlsx, or as CSV UTF-8"


class UnusableWorkbook(Exception):
    """A workbook cannot be read. `.message` says why, `.hint` what to do."""

    def __init__(self, message: str, hint: str = _SAVE_ANEW) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def read_sheet(path: Path, name: str | None) -> Iterator[tuple[Sequence[Any], list[str]]]:
    """The rows of the sheet of that name, or of the first that can be seen: openpyxl's cells, and their texts.

    Formulas are their last results. Raises UnusableWorkbook, also for whatever the library raises on a damaged file,
    and OSError.
    """
    from openpyxl import load_workbook  # only now: it is slow to load, and most manifests are no workbooks

    _check_parts(path)
    workbook = None
    read = 0
    try:
        workbook = load_workbook(path, read_only=True, data_only=True, keep_links=False)
        sheet = _chosen(workbook, name)
        _check_formulas(path, sheet._worksheet_path)
        sheet.reset_dimensions()  # what the file says of its size is often wrong
        for number, cells in enumerate(sheet.iter_rows(), 1):
            read += len(cells)
            if number > _MOST_ROWS or read > _MOST_CELLS:
                raise UnusableWorkbook("the sheet has more cells than can be read", "save the items as CSV UTF-8")
            yield cells, [cell_text(cell) for cell in cells]
    except (UnusableWorkbook, OSError):
        raise
    except Exception as error:
        raise UnusableWorkbook(f"the file is damaged: {type(error).__name__}: {error}") from error
    finally:
        if workbook is not None:
            workbook.close()


def _chosen(workbook: Any, name: str | None) -> Any:
    sheets = {sheet.title: sheet for sheet in workbook.worksheets}
    if name is not None:
        if name not in sheets:
            raise UnusableWorkbook(f"there is no sheet {name}", f"the sheets are {', '.join(sheets)}")
        return sheets[name]
    if not sheets:
        raise UnusableWorkbook("the file has no sheet with cells")
    return next((sheet for sheet in sheets.values() if sheet.sheet_state == "visible"), next(iter(sheets.values())))


def _check_parts(path: Path) -> None:
    with path.open("rb") as stream:
        if stream.read(4) == _OLD_OFFICE:
            raise UnusableWorkbook("the file has a password, or is an .xls", "save it as .xlsx without a password")
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            if len(parts) > _MOST_PARTS:
                raise UnusableWorkbook(f"the file has {len(parts):,} parts, and is no workbook")
            if sum(part.file_size for part in parts) > _LARGEST:
                raise UnusableWorkbook(
                    f"unpacked, the file is larger than {_LARGEST >> 30} GiB", "save it as CSV UTF-8"
                )
            for part in parts:
                _check_part(archive, part)
    except (UnusableWorkbook, OSError):
        raise
    except Exception as error:
        raise UnusableWorkbook(f"this is not .xlsx: {error}") from error


def _check_part(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    if part.file_size > _LARGEST_PART:
        if part.file_size > _TIGHTEST * part.compress_size:
            raise UnusableWorkbook(f"the part {part.filename} is packed as no sheet is: it looks like a zip bomb")
        if not part.filename.startswith(_STREAMED):
            raise UnusableWorkbook(f"the part {part.filename} is larger than {_LARGEST_PART >> 20} MiB")
    if part.filename.endswith((".xml", ".rels")):
        with archive.open(part) as stream:
            if b"<!DOCTYPE" in stream.read(1024):
                raise UnusableWorkbook(f"the part {part.filename} defines entities, as no spreadsheet program does")


def _check_formulas(path: Path, part: str) -> None:
    """A program that writes formulas without calculating them leaves cells empty, and defaults would be ordered."""
    with zipfile.ZipFile(path) as archive, archive.open(part.lstrip("/")) as stream:
        rest = b""
        while chunk := stream.read(1 << 20):
            rest += chunk
            if b"<f" in rest and (found := _UNCALCULATED.search(rest)):
                message = f"the formula in cell {found[1].decode()} was never calculated"
                raise UnusableWorkbook(message, "open the file in a spreadsheet program and save it")
            rest = rest[-_LONGEST_CELL:]
