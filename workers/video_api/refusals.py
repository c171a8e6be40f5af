"""From the answer to a create to what it means. Pure: an answer in, an outcome out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from orchestrator.items.failures import MODERATION_WORDS
from workers.video_api.answer import CODE_LIMIT, Answer, brief
from workers.video_api.outcomes import Accepted, CreateOutcome, RefusalKind, Refused, RemoteJob, Unknown

CERTAIN = frozenset({400, 401, 403, 404, 410, 413, 415, 422})
"""Statuses that say for certain that nothing was made. 429 only with a body that we know; all others are unknown."""

_OUT_OF_QUOTA = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
_OUT_OF_QUOTA_TEXT = re.compile(r"exceeded your current quota|billing hard limit|out of call volume quota", re.I)
# Azure: {"error": {"message": "Too many running tasks", "type": "video_generation_user_error", "code": null}}. The
# 404 of a missing deployment has the same type and code, so nothing is ever told by the type.
_RUNNING_TEXT = re.compile(r"too many (running|concurrent|parallel|active)|concurren(t|cy)\b.*\b(limit|exceeded)", re.I)
_RATE_CODES = {
    "429",
    "rate_limit_exceeded",
    "ratelimitreached",
    "rate_limit_error",
    "too_many_requests",
    "toomanyrequests",
}
_RATE_TEXT = re.compile(r"rate limit|requests per (min|sec|day|hour)|too many requests", re.I)
_RETIRED_TEXT = re.compile(
    r"has been (deprecated|retired)|is (deprecated|retired)|no longer (available|supported)", re.I
)


def outcome_of(
    answer: Answer,
    *,
    read_job: Callable[[Any], RemoteJob | None],
    remix: bool,
    now: float,
    hide: Callable[[str], str],
) -> CreateOutcome:
    """What a create's answer means.

    `read_job` reads the API's job out of a document; `now` is Unix seconds, for a Retry-After that is a date; `hide`
    takes our secret out of a text.
    """
    if answer.ok:
        job = read_job(answer.document)
        if job is None:
            reason = "the answer has no job with an id" if answer.document is not None else "the answer is not JSON"
            return Unknown(reason, answer.status, answer.request_id)
        return Accepted(job.remote_id, answer.request_id, answer.server_time, job)
    code, message, words = answer.error()
    kind = _refusal(answer.status, brief(message), words, remix=remix)
    message = brief(hide(message))  # only now: what a key leaves of the words must not decide
    code = brief(hide(code), CODE_LIMIT) if code else None
    wait_s = answer.retry_after_s(now)
    if kind is None:
        return Unknown(f"HTTP {answer.status}: {message}", answer.status, answer.request_id, wait_s)
    named = answer.field()
    field = brief(hide(named), CODE_LIMIT) if named else None
    return Refused(kind, answer.status, code, message, answer.request_id, wait_s, field)


def _refusal(status: int, message: str, words: frozenset[str], *, remix: bool) -> RefusalKind | None:
    """The kind of a refusal; None where the answer does not say for certain that nothing was made."""
    if status == 429:
        return _throttle(message, words)
    if status not in CERTAIN:
        return None
    if words & MODERATION_WORDS:
        return RefusalKind.MODERATED
    # A 400 may quote the prompt, so its words decide nothing; a gateway's 403 does not.
    if words & _OUT_OF_QUOTA or (status == 403 and _OUT_OF_QUOTA_TEXT.search(message)):
        return RefusalKind.QUOTA_EXHAUSTED
    if status in (401, 403):
        return RefusalKind.AUTH
    if status in (404, 410):
        if _RETIRED_TEXT.search(message):
            return RefusalKind.MODEL_RETIRED
        if remix:
            return RefusalKind.SOURCE_MISSING
        return RefusalKind.MODEL_RETIRED if status == 410 else RefusalKind.DEPLOYMENT_MISSING
    return RefusalKind.INVALID


def _throttle(message: str, words: frozenset[str]) -> RefusalKind | None:
    if _RUNNING_TEXT.search(message):
        return RefusalKind.TOO_MANY_RUNNING
    if words & _OUT_OF_QUOTA or _OUT_OF_QUOTA_TEXT.search(message):
        return RefusalKind.QUOTA_EXHAUSTED
    if words & _RATE_CODES or _RATE_TEXT.search(message):
        return RefusalKind.RATE_LIMITED
    return None
