"""What can go wrong when a video API is asked something (a create has outcomes instead: `outcomes.py`).

ApiError
├── Unreachable    no answer: DNS, connection, TLS, a time limit, or cut off in mid-answer
├── Throttled      429; `retry_after_s` where the server names it
├── Denied         401, 403, or no token to be had from Entra ID
├── Missing        404, 410: the job or its bytes are not there
├── ServerFault    5xx
└── BadAnswer      any other status, a redirect that must not be followed, or a body that is not what was asked for

Each carries `status` (None: no answer came), `code` and `message` (the server's words), and `request_id`.
"""

from __future__ import annotations


class ApiError(Exception):
    """A video API could not be asked, or refused. The text never holds a secret."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        told = str(self.status) if self.status else ""
        code = "" if self.code == told else self.code or ""  # Azure's code for a refused key is the status again
        parts = [f"HTTP {told}" if told else "", code, self.message]
        text = ": ".join(part for part in parts if part)
        return f"{text} (request {self.request_id})" if self.request_id else text


class Unreachable(ApiError):
    """No answer, or only a part of one."""


class Throttled(ApiError):
    """The server asks to wait."""


class Denied(ApiError):
    """The key or the identity is not accepted."""


class Missing(ApiError):
    """What was asked for is not there, or no longer."""


class ServerFault(ApiError):
    """The server failed, or a gateway before it."""


class BadAnswer(ApiError):
    """The answer is not one that this API gives."""


def error_for(
    status: int, message: str, *, code: str | None, request_id: str | None, retry_after_s: float | None
) -> ApiError:
    """The error that a status code stands for."""
    kind: type[ApiError]
    if status == 429:
        kind = Throttled
    elif status in (401, 403):
        kind = Denied
    elif status in (404, 410):
        kind = Missing
    elif status >= 500:
        kind = ServerFault
    else:
        kind = BadAnswer
    return kind(message, status=status, code=code, request_id=request_id, retry_after_s=retry_after_s)
