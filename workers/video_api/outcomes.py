"""What is ordered from a video API, what can become of an order, and what a remote job looks like to us."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Image:
    """A picture to begin from. `name` is shown to the server; `data` are the bytes of a jpeg, png or webp."""

    name: str
    content_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Order:
    """One video to make. `model` is the deployment's name on the wire; `size` is WIDTHxHEIGHT in pixels.

    `remix_of` is the remote id of a finished video to be changed by the prompt; model, size and seconds are then the
    source's, and only the prompt is sent.
    """

    prompt: str
    model: str
    size: str
    seconds: int
    image: Image | None = None
    remix_of: str | None = None


class RemoteStatus(StrEnum):
    """Where a remote job stands. GONE: cancelled, expired or deleted there, and nothing will come of it."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    GONE = "gone"

    @property
    def terminal(self) -> bool:
        return self is not RemoteStatus.RUNNING


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """A job as the provider shows it, normalised. Instants are Unix seconds; None is what the server left out.

    `content_ids` name what can be downloaded once it succeeded: the generations of Sora 1 (perhaps fewer than were
    ordered, even none), the video itself for Sora 2. `poll_after_s` is how long the server asks to be left alone;
    `remixed_from` the remote id of what it was made from.
    """

    remote_id: str
    status: RemoteStatus
    raw_status: str
    progress: int | None = None
    created_at: float | None = None
    completed_at: float | None = None
    expires_at: float | None = None
    prompt: str | None = None
    model: str | None = None
    size: str | None = None
    seconds: int | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    content_ids: tuple[str, ...] = ()
    poll_after_s: float | None = None
    remixed_from: str | None = None


class RefusalKind(StrEnum):
    """Why a create was refused, by what has to happen before it can succeed."""

    RATE_LIMITED = "rate_limited"  # 429: too many creates; wait as told
    TOO_MANY_RUNNING = "too_many_running"  # 429: one of the running jobs has to end first
    QUOTA_EXHAUSTED = "quota_exhausted"  # the account has no money or volume left
    INVALID = "invalid"  # 400, 413, 415, 422: this order can never be made as it is
    MODERATED = "moderated"  # the prompt or the picture is not allowed
    AUTH = "auth"  # 401, 403, or Entra ID gives no token
    STALE_PROOF = "stale_proof"  # 401, and there is another key or token by now: the next create goes with that one
    DEPLOYMENT_MISSING = "deployment_missing"  # 404
    MODEL_RETIRED = "model_retired"  # 410, or a 404 that says so
    SOURCE_MISSING = "source_missing"  # the video to be remixed is not there


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server took the order and named the job. `server_time` is its clock (Date header), Unix seconds."""

    remote_id: str
    request_id: str | None
    server_time: float | None
    job: RemoteJob


@dataclass(frozen=True, slots=True)
class NotSent:
    """Not one byte of the order left this machine: it can be sent again without any risk."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The server said no, and nothing was made. `status` is None when the order was refused before it was sent; `field`
    is what the server says is wrong of the order, where it says so."""

    kind: RefusalKind
    status: int | None
    code: str | None
    message: str
    request_id: str | None
    retry_after_s: float | None
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """The order left and no answer says what became of it: it may have been taken, and paid.

    `retry_after_s` is how long the server asks to be left alone, where it answered at all and says so.
    """

    reason: str
    status: int | None
    request_id: str | None
    retry_after_s: float | None = None


CreateOutcome = Accepted | NotSent | Refused | Unknown
