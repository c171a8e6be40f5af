"""Every error that the APIs answer: status, body and headers, word for word where a real one is known."""

from __future__ import annotations

import math
from typing import Any


class ApiError(Exception):
    """An error answer. `as_bare` gives it the shape of the jobs API's specification: no outer "error"."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str | None = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        error: dict[str, Any] = {"message": message, "type": kind, "param": param, "code": code}
        self.body: dict[str, Any] = {"error": error}
        self.headers: dict[str, str] = {}

    def as_bare(self) -> ApiError:
        """The same error as the jobs API writes its own."""
        if "error" in self.body:
            self.body = self.body["error"]
        return self


def denied() -> ApiError:
    return _gateway(
        401,
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid "
        "key for an active subscription and use a correct regional API endpoint for your resource.",
    )


def unsupported_version() -> ApiError:
    """An `api-version` that the v1 API does not have, such as a dated one."""
    return _gateway(400, "API version not supported", code="BadRequest")


def no_such_route() -> ApiError:
    return _gateway(404, "Resource not found")


def missing_deployment(name: str) -> ApiError:
    """As seen live on a Sora 2 resource: the same `type` and null `code` as `too_many_running`."""
    return ApiError(
        404,
        f"The API deployment '{name}' for this resource does not exist. If you created the deployment within "
        "the last 5 minutes, please wait a moment and try again.",
        kind="video_generation_user_error",
    )


def too_many_running() -> ApiError:
    """The concurrency 429 as seen live on a Sora 2 create; no Retry-After is known."""
    return ApiError(429, "Too many running tasks", kind="video_generation_user_error")


def rate_limited(operation: str, retry_after_s: float) -> ApiError:
    """The rate 429 in the shape of Azure's gateway; seen on other operations, not confirmed for video."""
    whole_s = max(1, math.ceil(retry_after_s))
    refusal = _gateway(
        429,
        f"Requests to the {operation} Operation under OpenAI API version v1 have exceeded call rate limit of "
        f"your current pricing tier. Please retry after {whole_s} seconds.",
    )
    refusal.headers = {
        "retry-after": str(whole_s),
        "retry-after-ms": str(max(1, math.ceil(retry_after_s * 1000))),
        "x-ratelimit-remaining-requests": "0",
    }
    return refusal


def missing_parameter(param: str) -> ApiError:
    return ApiError(400, f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")


def unknown_parameter(param: str) -> ApiError:
    return ApiError(400, f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")


def wrong_type(param: str, expected: str, value: object) -> ApiError:
    got = {bool: "a boolean", int: "an integer", float: "a number", str: "a string", list: "an array"}
    name = got.get(type(value), "null" if value is None else "an object")
    return ApiError(
        400,
        f"Invalid type for '{param}': expected {expected}, but got {name} instead.",
        param=param,
        code="invalid_type",
    )


def invalid_value(param: str, message: str) -> ApiError:
    return ApiError(400, message, param=param, code="invalid_value")


def not_found(what: str, name: str) -> ApiError:
    return ApiError(404, f"{what} with id '{name}' not found.", code="not_found")


def not_finished(what: str, name: str) -> ApiError:
    """The content of a job that still renders or has failed; no real status is documented."""
    return ApiError(404, f"{what} with id '{name}' has no content: it is not finished.", code="not_ready")


def _gateway(status: int, message: str, code: str | None = None) -> ApiError:
    refusal = ApiError(status, message)
    refusal.body = {"error": {"code": code or str(status), "message": message}}
    return refusal
