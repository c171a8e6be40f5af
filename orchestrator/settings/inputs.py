"""What input images may be fetched from."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, Field

from orchestrator.settings.section import Section, wrong

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?:\*\.)?(?:{_LABEL}\.)*(?=[A-Za-z]){_LABEL}\.?")
_HINT = "write a network like 10.0.0.0/8, an address, or a host like assets.example.com or *.example.com"


def allowed_place(value: str) -> str:
    """Check one entry of `inputs.allow`: an address, a network or a host's name, never a URL."""
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        if "host bits" in str(error):
            network = ipaddress.ip_network(value, strict=False)
            wrong("is an address with the length of a network", f"write {network}, or the address alone")
        if len(value) > 253 or not _HOST.fullmatch(value):
            wrong("must be an address, a network or the name of a host", _HINT)
    return value


class InputSettings(Section):
    """`allow`: what input images may be fetched from besides public addresses."""

    allow: tuple[Annotated[str, AfterValidator(allowed_place)], ...] = Field(
        (), description="a list of networks, addresses and hosts: [10.0.0.0/8, assets.example.com]"
    )
