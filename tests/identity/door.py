"""The door of Azure OpenAI, pretend: it looks at each request's token or key, and lets it through to the sandbox."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import jwt

from tests.identity.https import Answer
from tests.workers.wire_server import Received

AUDIENCE = "https://cognitiveservices.azure.com"
_NOT_FORWARDED = ("host", "authorization", "api-key", "connection")
_NOT_BACK = ("content-length", "transfer-encoding", "connection", "content-encoding")


@dataclass
class Door:
    """`key`: takes this key alone; else tokens of the audience, before their end, that `revoked` does not hold.

    `proofs` counts what was shown by method, `refused` what was sent away by method.
    """

    sandbox: str
    key: str = ""
    rights: bool = True
    revoked: set[str] = field(default_factory=set)
    only: str = ""
    proofs: dict[str, Counter[str]] = field(default_factory=lambda: {"GET": Counter(), "POST": Counter()})
    refused: Counter[str] = field(default_factory=Counter)
    clock: Callable[[], float] = time.time

    async def __aenter__(self) -> Door:
        self._client = httpx.AsyncClient(base_url=self.sandbox, timeout=30, trust_env=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    def revoke(self, *, only: str = "") -> None:
        """From now on every proof that was shown until now is refused; `only`: to requests of this method."""
        self.revoked |= set().union(*self.proofs.values())
        self.only = only

    async def answer(self, request: Received) -> Answer:
        proof = request.headers.get("api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
        self.proofs.setdefault(request.method, Counter())[proof] += 1
        if why := self._refusal(request, proof):
            self.refused[request.method] += 1
            code = "PermissionDenied" if "principal" in why else "401"
            body = json.dumps({"error": {"code": code, "message": why}}).encode()
            return 401, {"Content-Type": "application/json"}, body
        headers = {name: value for name, value in request.headers.items() if name not in _NOT_FORWARDED}
        headers["api-key"] = "any"
        found = await self._client.request(request.method, request.target, headers=headers, content=request.body)
        back = {name: value for name, value in found.headers.items() if name not in _NOT_BACK}
        return found.status_code, back, found.content

    def _refusal(self, request: Received, proof: str) -> str:
        if self.key:
            return "" if proof == self.key else "Access denied due to invalid subscription key or wrong API endpoint."
        try:
            claims = jwt.decode(proof, options={"verify_signature": False})
        except jwt.PyJWTError:
            return "Unauthorized. Access token is missing, invalid, audience is incorrect, or have expired."
        revoked = proof in self.revoked and self.only in ("", request.method)
        if claims["aud"] != AUDIENCE or claims["exp"] < self.clock() or revoked:
            return "Unauthorized. Access token is missing, invalid, audience is incorrect, or have expired."
        if not self.rights:
            return f"The principal `{claims['oid']}` lacks the required data action to perform this operation."
        return ""
