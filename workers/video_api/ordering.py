"""Sending one order: what `Wire` met and what the server said become one of the four outcomes of a create."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from workers.video_api.answer import Answer
from workers.video_api.outcomes import CreateOutcome, NotSent, RefusalKind, Refused, RemoteJob, Unknown
from workers.video_api.refusals import CERTAIN, outcome_of
from workers.video_api.wire import Body, Stale, Undelivered, Wire


async def place(
    wire: Wire,
    path: str,
    body: Body,
    *,
    params: Mapping[str, str],
    send_by: float,
    read_job: Callable[[Any], RemoteJob | None],
    remix: bool = False,
) -> CreateOutcome:
    """Sends the order once and never raises for what became of it (a cancellation goes through)."""
    try:
        answer = await wire.post_once(path, body, params=params, send_by=send_by)
    except (ValueError, TypeError) as error:
        return refused_here(f"The order cannot be written as a request ({type(error).__name__}).")
    if isinstance(answer, Stale):
        outcome = outcome_of(answer.answer, read_job=read_job, remix=remix, now=time.time(), hide=wire.credential.hide)
        return replace(outcome, kind=RefusalKind.STALE_PROOF) if isinstance(outcome, Refused) else outcome
    if isinstance(answer, Undelivered):
        without_body = _without_answer(answer)
        if not isinstance(without_body, Answer):
            return without_body
        answer = without_body
    return outcome_of(answer, read_job=read_job, remix=remix, now=time.time(), hide=wire.credential.hide)


def refused_here(message: str) -> Refused:
    """An order that this API cannot carry out, refused before it was sent."""
    return Refused(RefusalKind.INVALID, None, "unsupported", message, None, None)


def _without_answer(undelivered: Undelivered) -> CreateOutcome | Answer:
    if undelivered.denied and not undelivered.left:
        return Refused(RefusalKind.AUTH, None, "no_token", undelivered.reason, None, None)
    if not undelivered.left:
        return NotSent(undelivered.reason)
    head = undelivered.head
    if head is None:
        return Unknown(f"no answer came: {undelivered.reason}", None, None)
    if head.status in CERTAIN:
        return head  # the body was cut off, but the status alone says that nothing was made
    reason = f"HTTP {head.status}, then cut off: {undelivered.reason}"
    return Unknown(reason, head.status, head.request_id, head.retry_after_s(time.time()))
