"""Going on with a download that broke off: what must hold before bytes of two answers become one video.

RFC 9110, sections 13.1.5 (If-Range), 14.4 (Content-Range), 8.8 (validators) and 15.3.7 (206).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx

from workers.video_api.decoding import is_encoded

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.IGNORECASE)
_STRONG = re.compile(r'"[\x21\x23-\x7e]{1,200}"')
#: A date names one version of a file only if it was old enough when it was sent (seconds; RFC 9110, 8.8.2.2).
_SETTLED_S = 1.0


@dataclass(frozen=True, slots=True)
class Bookmark:
    """By what the rest of a download is known to belong to its beginning. `validator`: a strong ETag, or the date of
    the last change; `header`: where an answer has it. `length` of the whole in bytes, None where nobody said."""

    header: str
    validator: str
    length: int | None

    def ask(self, arrived: int) -> dict[str, str]:
        """The headers that ask for all from this byte on, and for the whole if it is another video by now."""
        return {"Range": f"bytes={arrived}-", "If-Range": self.validator}

    def goes_on(self, response: httpx.Response, arrived: int) -> bool:
        """Whether an answer is the rest of the same video, from just this byte to the last one."""
        found = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", "").strip())
        if response.status_code != 206 or found is None or is_encoded(response):
            return False
        first, last, whole = int(found[1]), int(found[2]), None if found[3] == "*" else int(found[3])
        length = whole if self.length is None else self.length
        fits = whole in (None, length) and length is not None and last == length - 1
        return fits and first == arrived and response.headers.get(self.header) == self.validator


def bookmark(response: httpx.Response) -> Bookmark | None:
    """The bookmark of a download that begins; None where its server gives none, or what it gives proves nothing."""
    headers = response.headers
    if is_encoded(response) or headers.get("accept-ranges", "").strip().lower() == "none":
        return None
    declared = headers.get("content-length", "")
    length = int(declared) if declared.isdecimal() else None
    etag = headers.get("etag", "")
    if _STRONG.fullmatch(etag):
        return Bookmark("etag", etag, length)
    changed = headers.get("last-modified", "")
    if not re.fullmatch(r"[A-Za-z0-9 ,:+-]{1,40}", changed):
        return None
    try:
        age = parsedate_to_datetime(headers.get("date", "")) - parsedate_to_datetime(changed)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return Bookmark("last-modified", changed, length) if age.total_seconds() >= _SETTLED_S else None
