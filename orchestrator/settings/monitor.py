"""Where a worker answers for itself: its health and its metrics."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from orchestrator.settings.section import Section, wrong

_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%\w+)?")


def listening_host(value: str) -> str:
    """Check a host to listen at: a name or an address, without scheme and port."""
    if not _HOST.fullmatch(value):
        wrong("must be an address or the name of a host, without scheme and port", "0.0.0.0 is every address of IPv4")
    return value


class MonitorSettings(Section):
    """`port` None: a worker answers nobody. Port 0 takes a free one, which the log names."""

    host: Annotated[str, AfterValidator(listening_host)] = Field(
        "127.0.0.1", description="an address to listen at, for example 0.0.0.0", min_length=1, max_length=253
    )
    port: int | None = Field(None, description="a port from 0 to 65535; absent: no endpoint", ge=0, le=65535)
