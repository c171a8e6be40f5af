"""Clients of the two video APIs: `connect` gives a `VideoApi`; a create has outcomes, all else raises `ApiError`."""

from __future__ import annotations

from workers.video_api.client import VideoApi, connect
from workers.video_api.content import Content
from workers.video_api.departure import boot_clock
from workers.video_api.errors import (
    ApiError,
    BadAnswer,
    Denied,
    Missing,
    ServerFault,
    Throttled,
    Unreachable,
)
from workers.video_api.listing import Repeats
from workers.video_api.outcomes import (
    Accepted,
    CreateOutcome,
    Image,
    NotSent,
    Order,
    RefusalKind,
    Refused,
    RemoteJob,
    RemoteStatus,
    Unknown,
)
from workers.video_api.remote_job import is_known

__all__ = [
    "Accepted",
    "ApiError",
    "BadAnswer",
    "Content",
    "CreateOutcome",
    "Denied",
    "Image",
    "Missing",
    "NotSent",
    "Order",
    "RefusalKind",
    "Refused",
    "RemoteJob",
    "RemoteStatus",
    "Repeats",
    "ServerFault",
    "Throttled",
    "Unknown",
    "Unreachable",
    "VideoApi",
    "boot_clock",
    "connect",
    "is_known",
]
