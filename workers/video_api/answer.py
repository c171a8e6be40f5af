"""One HTTP answer, read whole and once: status, body (bounded), the server's words for an error, its hints on time."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from workers.video_api.decoding import decoded

#: The largest body about one job (bytes): its prompt of 32,000 characters is not a quarter of it, however escaped. What
#: JSON unfolds to in memory may be twenty times as much.
BODY_LIMIT = 1024 * 1024
#: The largest page of a listing (bytes).
PAGE_LIMIT = 8 * 1024 * 1024
#: So much of a body that refuses is read (bytes); the status says all that counts.
REFUSAL_LIMIT = 256 * 1024
MESSAGE_LIMIT = 500
CODE_LIMIT = 100
WAIT_CAP_S = 86400.0  # a Retry-After of a day was seen in the field; nothing longer is believed
_REQUEST_IDS = ("apim-request-id", "x-request-id", "x-ms-request-id")


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. `document` is the JSON body, or None when it is not JSON; `text` is then the plain body.

    `request_id` is the id under which the provider's support finds this call.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    document: Any = field(repr=False)
    text: str = field(repr=False)
    request_id: str | None

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def server_time(self) -> float | None:
        """The server's clock as its Date header tells it, Unix seconds."""
        return _instant(self.headers.get("date", ""))

    def retry_after_s(self, now: float) -> float | None:
        """Seconds to wait as the server asks; None where it does not, or where what it says makes no sense.

        `retry-after-ms` is the more exact one and goes first. A date is measured against the server's own clock
        where it tells it, else against `now` (Unix seconds).
        """
        exact = _number(self.headers.get("retry-after-ms", ""))
        if exact is not None:
            return min(exact / 1000, WAIT_CAP_S)
        asked = self.headers.get("retry-after", "")
        seconds = _number(asked)
        if seconds is None:
            until = _instant(asked)
            if until is None:
                return None
            here = self.server_time
            seconds = max(0.0, until - (now if here is None else here))
        return min(seconds, WAIT_CAP_S)

    @property
    def poll_after_s(self) -> float | None:
        """How long the server asks to be left alone about this job (`openai-poll-after-ms`) [openai SDK source]."""
        asked = _number(self.headers.get("openai-poll-after-ms", ""))
        return None if asked is None else min(asked / 1000, 3600.0)

    def field(self) -> str | None:
        """Which field of the request an error body blames (`error.param`, as OpenAI and Azure write it), if it does."""
        body = self.document
        if not isinstance(body, dict):
            return None
        inner = body.get("error")
        named = (inner if isinstance(inner, dict) else body).get("param")
        return named if isinstance(named, str) and named.strip() else None

    def error(self) -> tuple[str | None, str, frozenset[str]]:
        """(code, message, every code-like word) of an error body, whole, just as the server wrote them: to be shown,
        they go through `hide` and then through `brief`. The shapes in use:

        `{"error": {...}}` (Azure, OpenAI), the bare `{"code", "message"}` of Sora 1's specification, FastAPI's
        `{"detail": ...}`, plain text or HTML. The words hold codes and types of outer and inner error, lower case.
        """
        body = self.document
        if isinstance(body, dict):
            inner = body.get("error")
            if isinstance(inner, str) and inner:
                return None, inner, frozenset()
            found = inner if isinstance(inner, dict) else body
            words = frozenset(_words(found))
            message = found.get("message") or found.get("detail") or body.get("detail")
            if isinstance(message, list | dict):
                message = _detail(message)
            code = _code(found)
            if message or code:
                return code, str(message or code), words
        if isinstance(body, str) and body:
            return None, body, frozenset()
        text = re.sub(r"<[^<>]*>", " ", self.text)
        return None, text if brief(text) else f"an empty body with status {self.status}", frozenset()


def brief(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """A server's words on one line, cut to `limit`. Hide the secret first: a cut through it would leave its head."""
    clean = " ".join("".join(letter if letter.isprintable() else " " for letter in text[:8000]).split())
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


async def read_answer(response: httpx.Response, hide: Callable[[str], str], *, limit: int = BODY_LIMIT) -> Answer:
    """Reads a streamed response to its end; of one that refuses, no more than is worth reading.

    Raises OversizedBody past `limit` (bytes), UndecodableBody, and httpx.TransportError when cut off.
    """
    refuses = not 200 <= response.status_code < 300
    declared = response.headers.get("content-length", "")
    if not refuses and declared.isdecimal() and int(declared) > limit:
        raise OversizedBody(f"the answer's body claims {declared} bytes")
    body = bytearray()
    async with aclosing(decoded(response)) as chunks:
        async for chunk in chunks:
            body += chunk
            if refuses and len(body) >= REFUSAL_LIMIT:
                del body[REFUSAL_LIMIT:]
                break
            if len(body) > limit:
                raise OversizedBody(f"the answer's body is larger than {limit} bytes")
    return answer_of(response.status_code, response.headers, bytes(body), hide)


class OversizedBody(Exception):
    """More bytes than any JSON answer of these APIs has."""


def head_of(response: httpx.Response, hide: Callable[[str], str]) -> Answer:
    """Status and headers alone, before a body or without one."""
    return answer_of(response.status_code, response.headers, b"", hide)


def answer_of(status: int, headers: Mapping[str, str], body: bytes, hide: Callable[[str], str]) -> Answer:
    """An answer from its parts; `headers` must look names up without regard to case.

    `hide` takes our secret out of a text: a gateway may echo it even in the request's id.
    """
    text = body.decode("utf-8", errors="replace").removeprefix("\ufeff")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    found = next((headers[name] for name in _REQUEST_IDS if headers.get(name)), None)
    request_id = brief(hide(found), 200) or None if found else None
    return Answer(status, headers, document, text if document is None else "", request_id)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _instant(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _code(found: Mapping[str, Any]) -> str | None:
    code = found.get("code")
    return str(code) if isinstance(code, str | int) and code != "" else None


def _words(found: Mapping[str, Any]) -> list[str]:
    words: list[str] = []
    for place in (found, found.get("inner_error"), found.get("innererror")):
        if isinstance(place, dict):
            said = (place.get(name) for name in ("code", "type"))
            words += [str(word).lower() for word in said if isinstance(word, str | int)]
    return words


def _detail(detail: list[Any] | dict[str, Any]) -> str:
    """FastAPI's list of validation problems as one sentence; anything else as JSON, unless it is nested too deeply."""
    try:
        if isinstance(detail, list) and detail and all(isinstance(problem, dict) for problem in detail):
            return "; ".join(f"{_place(problem.get('loc'))}: {problem.get('msg', '')}" for problem in detail[:20])
        return json.dumps(detail)
    except RecursionError:
        return "nested too deeply to be shown"


def _place(loc: object) -> str:
    """`query.limit` of `["query", "limit"]`."""
    steps = loc if isinstance(loc, list) else [loc]
    return ".".join(str(step) for step in steps if isinstance(step, str | int))
