"""Metadata of a blob travels as HTTP headers: names as C# identifiers, values in ASCII, 8 KiB in all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

LIMIT = 8 * 1024
#: Metadata of ours is told by how its names begin; what has no other says at least this.
OURS = "dailies_"
MARK = {f"{OURS}wrote": "1"}
_PLAIN = " !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"


def to_blob(metadata: Mapping[str, str]) -> dict[str, str]:
    """What Azure takes, read back by `from_blob`. Names are made identifiers; other characters of a value than plain

    ASCII are percent-encoded. Empty values are left out, and what comes last where all together would be too much.
    """
    kept: dict[str, str] = {}
    names: set[str] = set()
    used = 0
    for key, value in metadata.items():
        name = re.sub(r"[^A-Za-z0-9_]", "_", key)
        name = f"_{name}" if not name or name[0].isdigit() else name
        plain = quote(value, safe=_PLAIN, errors="replace")
        # Space at an edge, or a second one in a row, would be lost on the way or break the request's signature.
        plain = re.sub(r"^ | $|(?<= ) ", "%20", plain)
        if plain and name.lower() not in names and used + len(name) + len(plain) <= LIMIT:
            kept[name] = plain
            names.add(name.lower())
            used += len(name) + len(plain)
    return kept


def from_blob(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """Metadata as it was given to `to_blob`, but for the names."""
    return {name: unquote(value) for name, value in (metadata or {}).items()}


def is_marked(metadata: Mapping[str, str]) -> bool:
    """Whether a blob says that Dailies wrote it: whoever writes another in its place leaves that out."""
    return any(name.startswith(OURS) for name in metadata)
