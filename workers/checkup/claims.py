"""Who a token says that we are. It is read, not checked: that is the server's part."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Claims:
    """What Entra ID writes into an access token [learn.microsoft.com/entra/identity-platform/access-token-claims-
    reference]. None is what it left out. `resource` is the Azure resource of a managed identity (xms_mirid)."""

    app_id: str | None
    object_id: str | None
    user: str | None
    tenant: str | None
    audience: str | None
    resource: str | None

    @property
    def principal_type(self) -> str:
        """As `az role assignment create` takes it."""
        return "User" if self.user else "ServicePrincipal"

    def words(self) -> str:
        """In one line, as people know them."""
        if self.user:
            who = f"user {self.user}"
        elif self.resource:
            who = f"managed identity {self.resource.rsplit('/', 1)[-1]}"
        else:
            who = "application"
        named = (("appid", self.app_id), ("oid", self.object_id), ("tenant", self.tenant))
        ids = ", ".join(f"{name} {value}" for name, value in named if value)
        return f"{who} ({ids})" if ids else who

    def document(self) -> dict[str, str | None]:
        """For `--json`."""
        return {
            "appid": self.app_id,
            "oid": self.object_id,
            "upn": self.user,
            "tenant": self.tenant,
            "audience": self.audience,
            "resource": self.resource,
        }


def claims_of(token: str) -> Claims | None:
    """The claims of an access token; None where it is none that can be read."""
    parts = token.split(".")
    try:
        body = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (IndexError, ValueError):
        return None
    if not isinstance(body, dict):
        return None
    return Claims(
        app_id=_text(body, "appid", "azp"),
        object_id=_text(body, "oid"),
        user=_text(body, "upn", "preferred_username", "unique_name"),
        tenant=_text(body, "tid"),
        audience=_text(body, "aud"),
        resource=_text(body, "xms_mirid", "xms_az_rid"),
    )


def _text(body: Mapping[str, Any], *names: str) -> str | None:
    found = (body.get(name) for name in names)
    return next((value for value in found if isinstance(value, str) and value), None)
