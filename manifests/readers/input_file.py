"""The file of a manifest before it is read: whether it is there, of a known kind, and no larger than manifests are."""

from __future__ import annotations

from pathlib import Path

LARGEST = 1 << 30  # bytes of a file; a million rows are less than half of it
YAML = (".yaml", ".yml")
ROW_FILES = (".csv", ".tsv", ".xlsx", ".jsonl", ".ndjson")
_SPREADSHEETS = (".xls", ".xlsm", ".ods", ".numbers")


def unusable(path: Path) -> tuple[str, str] | None:
    """(message, hint) where a manifest cannot be read from there, None where it can. Raises OSError."""
    if why := unreadable(path):
        return why, "check the path; a manifest is a .yaml, .csv, .xlsx or .jsonl file"
    suffix = path.suffix.lower()
    if suffix in _SPREADSHEETS:
        message = "the kind of manifest cannot be told by the file's name"
        return message, "save it as .xlsx, or the sheet as CSV UTF-8"
    if suffix not in (*YAML, *ROW_FILES):
        message = "the kind of manifest cannot be told by the file's name"
        return message, f"its name must end in one of {', '.join((*YAML, *ROW_FILES))}"
    return too_large(path.stat().st_size)


def unreadable(path: Path) -> str | None:
    """Why a file cannot be read as a manifest, None when it can."""
    try:
        if path.is_file():
            with path.open("rb"):
                return None
        return "is not a file" if path.exists() else "there is no such file"
    except (OSError, ValueError) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or error}"


def too_large(size: int) -> tuple[str, str] | None:
    """(message, hint) for a file of more bytes than any manifest has."""
    if size <= LARGEST:
        return None
    message = f"is {size / (1 << 30):.1f} GiB, and a manifest is at most {LARGEST >> 30} GiB"
    return message, "check that the file is what you think it is; a batch can also be submitted in parts"
