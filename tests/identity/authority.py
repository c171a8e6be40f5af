"""Entra ID, pretend: tokens for a federated token, as on AKS, or for a managed identity, as on App Service."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import jwt

from tests.identity.https import Answer
from tests.workers.wire_server import Received

TENANT = "aaaaaaaa-0000-0000-0000-000000000001"
CLIENT = "bbbbbbbb-0000-0000-0000-000000000002"
OBJECT = "cccccccc-0000-0000-0000-000000000003"
RESOURCE = "/subscriptions/s/resourcegroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/dailies-id"
_JSON = {"Content-Type": "application/json"}


@dataclass
class Authority:
    """`life_s` is how long its tokens live; `refuses` is an error of its own ("AADSTS700213: …") in place of one.

    `issued` has each token with its audience; `at_once` the most that were asked for at the same time for one audience.
    """

    life_s: int = 3600
    refuses: str = ""
    issued: list[tuple[str, str]] = field(default_factory=list)
    assertions: set[str] = field(default_factory=set)
    at_once: int = 0
    _now: dict[str, int] = field(default_factory=dict)

    async def answer(self, request: Received) -> Answer:
        """Both ways in: `/TENANT/oauth2/v2.0/token`, and `/msi/token?resource=…` with the machine's own header."""
        if request.path == f"/{TENANT}/oauth2/v2.0/token":
            form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
            self.assertions.add(form.get("client_assertion", ""))
            audience = form["scope"].removesuffix("/.default")
            if form.get("client_id") != CLIENT:
                return self._error("AADSTS700016: Application with identifier was not found in the directory.")
        elif request.path == "/msi/token":
            if request.headers.get("x-identity-header") != "of-this-machine":
                return 401, _JSON, b"{}"
            audience = parse_qs(urlsplit(request.target).query)["resource"][0].removesuffix("/.default")
        else:
            return 404, _JSON, b"{}"
        if self.refuses:
            return self._error(self.refuses)
        self._now[audience] = self._now.get(audience, 0) + 1
        self.at_once = max(self.at_once, self._now[audience])
        await asyncio.sleep(0.02)  # so that two who ask at once would be seen
        self._now[audience] -= 1
        token = self.token(audience)
        lasts = {"expires_in": self.life_s, "ext_expires_in": self.life_s, "expires_on": int(time.time()) + self.life_s}
        given = {"token_type": "Bearer", "access_token": token, "resource": audience}
        return 200, _JSON, json.dumps(given | lasts).encode()

    def token(self, audience: str) -> str:
        now = int(time.time())
        claims = {
            "iss": f"https://sts.windows.net/{TENANT}/",
            "aud": audience,
            "iat": now,
            "nbf": now - 60,
            "exp": now + self.life_s,
            "appid": CLIENT,
            "oid": OBJECT,
            "tid": TENANT,
            "xms_mirid": RESOURCE,
            "uti": f"token-{len(self.issued) + 1}",
        }
        token = jwt.encode(claims, "k" * 32, algorithm="HS256")
        self.issued.append((audience, token))
        return token

    def of(self, audience: str) -> list[str]:
        """Its tokens for an audience, the oldest first."""
        return [token for known, token in self.issued if known == audience]

    def _error(self, text: str) -> Answer:
        return 400, _JSON, json.dumps({"error": "unauthorized_client", "error_description": text}).encode()
