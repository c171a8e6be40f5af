"""What went wrong, as an ApiError: httpx's exceptions and refusing answers, translated at this one boundary."""

from __future__ import annotations

import time

import httpx
from azure.core.exceptions import AzureError, ClientAuthenticationError

from workers.identity.credentials import Credential
from workers.reach import Forbidden
from workers.video_api.answer import CODE_LIMIT, Answer, OversizedBody, brief
from workers.video_api.decoding import UndecodableBody
from workers.video_api.errors import ApiError, BadAnswer, Denied, Unreachable, error_for


class Faults:
    """The faults of one endpoint, in words that never hold its key."""

    def __init__(self, base: str, credential: Credential) -> None:
        self._host = httpx.URL(base).host
        self.hide = credential.hide

    def of(self, error: Exception) -> ApiError:
        """The ApiError that an exception stands for."""
        words = self.words(error)
        if isinstance(error, ApiError):
            return error
        if isinstance(error, ClientAuthenticationError):
            return Denied(f"Entra ID gave no token: {words}")
        if isinstance(error, OversizedBody | UndecodableBody | Forbidden):
            return BadAnswer(words)
        if isinstance(error, httpx.HTTPError | TimeoutError | OSError | AzureError):
            return Unreachable(f"No whole answer from {self._host}: {words}")
        return BadAnswer(f"The call to {self._host} failed: {words}")

    def of_answer(self, answer: Answer) -> ApiError:
        """The ApiError that a refusing answer stands for."""
        code, message, _ = answer.error()
        return error_for(
            answer.status,
            brief(self.hide(message)),
            code=brief(self.hide(code), CODE_LIMIT) if code else None,
            request_id=answer.request_id,
            retry_after_s=answer.retry_after_s(time.time()),
        )

    def words(self, error: Exception) -> str:
        """An exception in words, without what an HTTP library quotes of a request (it may quote the key)."""
        name = type(error).__name__
        if isinstance(error, httpx.LocalProtocolError | ValueError | httpx.InvalidURL):
            return name
        first = self.hide(str(error)).strip().partition("\n")[0]
        return f"{name}: {brief(first, 300)}" if first else name
