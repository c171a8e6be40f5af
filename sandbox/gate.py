"""Stands before both APIs: asks for key and API version, gives each answer its request id and date."""

from __future__ import annotations

import secrets
import uuid
from email.utils import formatdate
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.refusals import denied, unsupported_version
from sandbox.service import Service

OWN_PREFIX = "/_sandbox/"
"""The sandbox's own pages; they ask for no key."""

_VERSIONS = (b"v1", b"preview")


class Gate:
    """ASGI middleware around the app."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_labelled(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["date"] = formatdate(self._service.clock(), usegmt=True)
                headers.setdefault("apim-request-id", str(uuid.uuid4()))
            await send(message)

        if not scope["path"].startswith(OWN_PREFIX) and not self._may_enter(Headers(scope=scope)):
            self._service.denied += 1
            refusal = denied()
            await JSONResponse(refusal.body, refusal.status)(scope, receive, send_labelled)
            return
        if parse_qs(scope["query_string"]).get(b"api-version", [b"v1"])[0] not in _VERSIONS:
            refusal = unsupported_version()
            await JSONResponse(refusal.body, refusal.status)(scope, receive, send_labelled)
            return
        await self._app(scope, receive, send_labelled)

    def _may_enter(self, headers: Headers) -> bool:
        wanted = self._service.config.api_key
        if wanted is None:
            return True
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = headers.get("api-key") or (token.strip() if scheme.lower() == "bearer" else "")
        return secrets.compare_digest(given.encode(), wanted.encode())
