"""Entra ID as configured: `true`, for whoever this process is, or one identity of several, by name."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from orchestrator.settings.section import Section, wrong

_ID = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"
_SCOPE = re.compile(r"[a-z][a-z0-9+.-]*://[^\s?#]+/\.default")


def scope_name(value: str) -> str:
    """Check a scope: what a token is asked for, which must end in `/.default` for an identity without a person."""
    if not _SCOPE.fullmatch(value):
        wrong("must be a scope that ends in /.default", "for example https://cognitiveservices.azure.com/.default")
    return value


class Entra(Section):
    """An identity: of all that this process may be, the one of `client_id`; else whichever is found."""

    client_id: str | None = Field(
        None, description="the client (application) id of the identity: 8-4-4-4-12 hexadecimal digits", pattern=_ID
    )
    tenant_id: str | None = Field(
        None, description="the tenant to log in to: its id, or a domain", pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,254}$"
    )


class ApiEntra(Entra):
    """An identity, and what its tokens are asked for."""

    scope: Annotated[str, AfterValidator(scope_name)] | None = Field(
        None, description="for example https://cognitiveservices.azure.com/.default"
    )


def spelled_out(value: object) -> object:
    """`true` as a mapping without keys, and `false` as nothing."""
    word = value.strip().lower() if isinstance(value, str) else value
    if word in (True, "true", "yes", "1"):
        return {}
    if word in (False, "false", "no", "0"):
        return None
    if value is None or isinstance(value, dict | Entra):
        return value
    return wrong("must be true, or a mapping", "write {entra: true} or {entra: {client_id: ID}}")


OwnEntra = Annotated[Entra | None, BeforeValidator(spelled_out)]
OwnApiEntra = Annotated[ApiEntra | None, BeforeValidator(spelled_out)]
