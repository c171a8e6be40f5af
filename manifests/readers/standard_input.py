"""A manifest from standard input: kept in a file for a while, since a manifest is read more than once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from manifests.problem import ManifestError, Problem
from manifests.readers.input_file import LARGEST, ROW_FILES, YAML, too_large

STDIN = "stdin"
FORMATS = tuple(suffix.removeprefix(".") for suffix in (*YAML, *ROW_FILES))
_CHUNK = 1 << 20


@contextmanager
def spooled(stream: BinaryIO, form: str) -> Iterator[Path]:
    """The path of a temporary file with all that `stream` gives; gone afterwards. `form`: `csv`, `yaml` and so on.

    Raises ManifestError where the format is none, nothing comes, or more than a manifest can be: without reading on.
    """
    kind = form.strip().lower().removeprefix(".")
    if kind not in FORMATS:
        message = f"{form} is no kind of manifest" if kind else "nothing says what kind of manifest comes there"
        raise _refused(message, f"write --format with one of {', '.join(FORMATS)}", "--format", form)
    with tempfile.TemporaryDirectory(prefix="dailies-") as folder:
        path = Path(folder, f"{STDIN}.{kind}")
        size = 0
        with path.open("wb") as file:
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
                if wrong := too_large(size):
                    raise _refused(f"is larger than {LARGEST >> 30} GiB, the most that a manifest is", wrong[1])
                file.write(chunk)
        if not size:
            hint = "send a manifest in: cat spring.csv | dailies validate - --format csv --name spring"
            raise _refused("nothing came from standard input", hint)
        yield path


def _refused(message: str, hint: str, path: str = "", value: str = "") -> ManifestError:
    return ManifestError([Problem(STDIN, None, None, path, value, message, hint)])
