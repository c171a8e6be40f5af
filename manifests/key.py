"""Keys and batch names: what a person writes becomes a name that every file system and blob store takes."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from hashlib import sha256

from anyascii import anyascii

LONGEST = 100
_SAFE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?")
_UNSAFE = re.compile(r"[^A-Za-z0-9._]+")
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_REMOTE = re.compile(r"(?:video|task)_[A-Za-z0-9_=.~-]+")
# What programs put around a file's name when they copy or download it again, and ends that say how it was saved.
# A plain `copy` at the end is left alone: `Ad copy` is what people in marketing call a text.
_COPY = r"(?:copy|kopie|kopia|copie|copia)"
_AROUND = re.compile(
    rf"(?<=\S)\s*\((?:\d{{1,3}}|{_COPY})\)$|(?<=\S)\s+[-–—]\s+{_COPY}(?:[ _-]?\d{{1,3}})?$"
    rf"|^{_COPY}(?:\s*\(\d+\)|\s+\d+)?\s+(?:of|von|de|di|av)\s+(?=\S)"
    r"|(?<=\S)\.(?:csv|tsv|txt|ya?ml|jsonl?|ndjson|utf-?(?:8|16)|bom)$"
    r"|(?<=\S)\.(?:xlsx?|ods|numbers)(?=$|\s+[-–—]\s)|\s+$",
    re.IGNORECASE,
)
# The first two words, articles before them left out; of nothing but articles the last.
_FIRST_WORDS = re.compile(r"[^a-z0-9]*(?:(?:an?|the)[^a-z0-9]+)*([a-z0-9]+)(?:[^a-z0-9]+([a-z0-9]+))?")
_LONGEST_WORD = 20
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # base 32 as Crockford's: no letter that looks like a digit
_PAIRS = [first + second for second in _ALPHABET for first in _ALPHABET]  # two digits at once, the lower one first
_quoted = json.encoder.encode_basestring_ascii
# Files of the archive's own, and names that Windows keeps for its devices.
_RESERVED = frozenset({"results", "index"})
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})


def safe(text: str) -> str:
    """`Åre 42/blå` → `Are-42-bla`; a text that is safe already stays as it is. May become empty."""
    if _SAFE.fullmatch(text):
        return text
    return _UNSAFE.sub("-", anyascii(text)).strip("-.")


def reserved(key: str) -> str | None:
    """Why a safe key cannot be used, None when it can."""
    if key.casefold() in _RESERVED:
        return f"{key} is the name of a file that the archive keeps for itself"
    if key.casefold().split(".")[0] in _DEVICES:
        return f"{key} cannot be the name of a file on Windows"
    return None


def is_remote_id(text: str) -> bool:
    """Whether a text has the form of a provider's video id."""
    return _REMOTE.fullmatch(text) is not None


def default_key(prompt: str, content: str) -> str:
    """First words of the prompt and a hash: `paper-boat-3f9a1c7b2k4d`.

    `content`: what the row itself says of the video (never labels, priority or defaults), made `canonical`, so that
    mending a label or a default leaves the key as it is. Stable across releases.
    """
    start = prompt[:200]
    found = _FIRST_WORDS.match((start if start.isascii() else anyascii(start)).lower())
    first, second = found.groups() if found else ("item", None)
    words = first[:_LONGEST_WORD] if second is None else f"{first[:_LONGEST_WORD]}-{second[:_LONGEST_WORD]}"
    # JSON of [prompt, [[name, value], …]], as json.dumps writes it without spaces, and several times faster.
    digest = sha256(f"[{_quoted(prompt)},{content}]".encode("ascii")).digest()
    n = int.from_bytes(digest[:8], "big")
    low = f"{_PAIRS[n & 1023]}{_PAIRS[n >> 10 & 1023]}{_PAIRS[n >> 20 & 1023]}"
    return f"{words}-{low}{_PAIRS[n >> 30 & 1023]}{_PAIRS[n >> 40 & 1023]}{_PAIRS[n >> 50 & 1023]}"


def canonical(content: Mapping[str, str]) -> str:
    """Names and values as JSON, sorted, without spaces: the same text for the same content."""
    return json.dumps(sorted(content.items()), separators=(",", ":"), ensure_ascii=True)


def name_from_file(stem: str) -> str:
    """A batch's name from its file's, the same for each download and copy of the file.

    `Spring plan - Sheet1 (1)`, `Copy of Spring plan – Sheet1` and `Spring plan - Sheet1.utf8` → `Spring-plan-Sheet1`.
    """
    plain = unicodedata.normalize("NFC", stem)
    while (shorter := _AROUND.sub("", plain)) != plain:
        plain = shorter
    return _UNSAFE.sub("-", anyascii(plain)).strip("-.")[:LONGEST].strip("-.") or "batch"


BATCH_NAME_RULE = (
    "must be 1 to 100 of the letters A to Z and a to z, digits, dots, underscores and hyphens, no dot in front"
)


def is_batch_name(name: str) -> bool:
    """1 to 100 of letters, digits, `.`, `_` and `-`, no dot in front, once `{date}` and `{time}` are filled in."""
    return _NAME.fullmatch(name.replace("{date}", "2026-01-31").replace("{time}", "2359")) is not None


def better_batch_name(name: str) -> str | None:
    """The name that somebody may have meant who wrote one that cannot be; None where nothing is left of it."""
    better = safe(name.replace("{date}", "0DATE0").replace("{time}", "0TIME0"))[:LONGEST]
    better = better.replace("0DATE0", "{date}").replace("0TIME0", "{time}")
    return better if is_batch_name(better) else None
