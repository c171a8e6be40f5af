"""Remote jobs of both APIs, and of the servers that imitate them, read into one shape."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from workers.video_api.answer import brief
from workers.video_api.outcomes import RemoteJob, RemoteStatus

_ID_LIMIT = 2000
#: A status word, a model, a size; a prompt, so that it can be compared; the videos of one job.
_WORD_LIMIT, _PROMPT_LIMIT, _MOST_VIDEOS = 100, 100_000, 10
#: The end of the year 9999 (Unix seconds): later is no time of any calendar, but often one in milliseconds.
_LAST_INSTANT = 253_402_300_799.0
_SUCCEEDED = {"completed", "succeeded", "complete", "success"}
_FAILED = {"failed", "error", "failure"}
_GONE = {"cancelled", "canceled", "expired", "deleted"}
_RUNNING = {
    "queued",
    "pending",
    "not_started",
    "created",
    "submitted",
    "in_progress",
    "in_queue",
    "preprocessing",
    "processing",
    "running",
    "rendering",
    "generating",
    "postprocessing",
}
_SORA_1_KEPT_S = 86400.0


def is_known(word: str) -> bool:
    """Whether a provider's status word is one that this program knows, of any server that speaks these APIs."""
    return word.strip().lower() in _RUNNING | _SUCCEEDED | _FAILED | _GONE


def status_of(word: str) -> RemoteStatus:
    """A provider's status word, normalised. A word nobody knows means *still running*: a client that takes it for an

    end loses the video (TensorRT-LLM says `generating`, LiteLLM `processing`), and time limits bound the mistake.
    """
    known = word.strip().lower()
    if known in _SUCCEEDED:
        return RemoteStatus.SUCCEEDED
    if known in _FAILED:
        return RemoteStatus.FAILED
    return RemoteStatus.GONE if known in _GONE else RemoteStatus.RUNNING


def read_video(document: Any, *, poll_after_s: float | None = None) -> RemoteJob | None:
    """A Sora 2 `video` object; None if the document is none (it has no usable id)."""
    remote_id = usable_id(document)
    if remote_id is None:
        return None
    deleted = document.get("object") == "video.deleted" or document.get("deleted") is True
    raw = "deleted" if deleted else _word(document.get("status")) or ""
    status = status_of(raw)
    code, message = _error(document.get("error"))
    return RemoteJob(
        remote_id=remote_id,
        status=status,
        raw_status=raw,
        progress=_percent(document.get("progress")),
        created_at=_instant(document.get("created_at")),
        completed_at=_instant(document.get("completed_at")),
        expires_at=_instant(document.get("expires_at")),
        prompt=_text(document.get("prompt")),
        model=_word(document.get("model")),
        size=_word(document.get("size")),
        seconds=_whole(document.get("seconds")),
        failure_code=code,
        failure_message=message,
        content_ids=(remote_id,) if status is RemoteStatus.SUCCEEDED else (),
        poll_after_s=poll_after_s,
        remixed_from=_text(document.get("remixed_from_video_id")),
    )


def read_generation_job(document: Any, *, poll_after_s: float | None = None) -> RemoteJob | None:
    """A Sora 1 `video.generation.job` object; None if the document is none.

    `expires_at` counts from completion by the field's description and from creation by Azure's concept page: the
    earlier one is taken.
    """
    remote_id = usable_id(document)
    if remote_id is None:
        return None
    raw = _word(document.get("status")) or ""
    created, expires = _instant(document.get("created_at")), _instant(document.get("expires_at"))
    if created is not None and expires is not None:
        expires = min(expires, created + _SORA_1_KEPT_S)
    width, height = _whole(document.get("width")), _whole(document.get("height"))
    generations = document.get("generations")
    found = [usable_id(each) for each in generations[:_MOST_VIDEOS]] if isinstance(generations, list) else []
    code, message = _error(document.get("error"))
    return RemoteJob(
        remote_id=remote_id,
        status=status_of(raw),
        raw_status=raw,
        progress=_percent(document.get("progress")),
        created_at=created,
        completed_at=_instant(document.get("finished_at")),
        expires_at=expires,
        prompt=_text(document.get("prompt")),
        model=_word(document.get("model")),
        size=f"{width}x{height}" if width and height else None,
        seconds=_whole(document.get("n_seconds")),
        failure_code=_word(document.get("failure_reason")) or code,
        failure_message=message,
        content_ids=tuple(each for each in found if each is not None),
        poll_after_s=poll_after_s,
    )


def usable_id(document: Any) -> str | None:
    """The id of an object; None where there is none that could stand in a path."""
    if not isinstance(document, dict):
        return None
    found = document.get("id")
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    if not isinstance(found, str) or not found.strip(" .") or len(found) > _ID_LIMIT:
        return None
    try:
        found.encode()
    except UnicodeEncodeError:
        return None
    return found


def _error(error: Any) -> tuple[str | None, str | None]:
    """Code and message whole, as the server wrote them: our secret is hidden in them before they are cut."""
    if isinstance(error, Mapping):
        code = error.get("code")  # vLLM-Omni puts an integer here
        return (str(code) if isinstance(code, str | int) and code != "" else None), _text(error.get("message"))
    return None, _text(error)


def _text(value: Any) -> str | None:
    """A text that can be written down: JSON may hold halves of characters."""
    if not isinstance(value, str) or not value:
        return None
    return value[:_PROMPT_LIMIT].encode("utf-8", "replace").decode()


def _word(value: Any) -> str | None:
    """A word or two on one line."""
    return brief(value, _WORD_LIMIT) or None if isinstance(value, str) else None


def _instant(value: Any) -> float | None:
    number = _number(value)
    return number if number is not None and 0 < number <= _LAST_INSTANT else None


def _number(value: Any) -> float | None:
    """A finite number, also from a numeric string ("8")."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value[:40] if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _whole(value: Any) -> int | None:
    """A whole number of seconds, pixels or per cent; None for what cannot be one."""
    number = _number(value)
    return int(number) if number is not None and 0 <= number <= 1_000_000 else None


def _percent(value: Any) -> int | None:
    number = _whole(value)
    return number if number is not None and number <= 100 else None
