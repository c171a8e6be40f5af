"""What proves to a server who we are. The secret itself is in no repr, no log line and no error message."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import Protocol
from urllib.parse import urlsplit

import httpx
import structlog
from pydantic import SecretStr

from orchestrator.settings.entra import ApiEntra
from orchestrator.settings.secret_file import SecretFile
from workers.identity.entra import Identities, Identity, found_here

log = structlog.get_logger("workers.identity.credentials")

OPENAI_SCOPE = "https://cognitiveservices.azure.com/.default"
"""Entra ID scope of Azure OpenAI. Newer Foundry pages name https://ai.azure.com/.default, but this one is taken by all
Azure OpenAI and Foundry endpoints [Azure docs; microsoft/PyRIT#1453, whose tests ran both on the video API]."""
_OF_CLOUD = {
    ".azure.us": "https://cognitiveservices.azure.us/.default",
    ".azure.cn": "https://cognitiveservices.azure.cn/.default",
}

_SECRET_LENGTH = 8
_HEAD_LENGTH = 4  # a shorter piece at a text's end may be the end of any word
_MASK = "**********"
_KEPT = 4  # a server that answers late may echo a key of some renewals ago
_HEADERS = ("Authorization", "api-key")
#: How long whoever was refused waits for another key or token (seconds).
RENEWAL_WITHIN_S = 10.0


class Credential(Protocol):
    """Names one header and its value for each request; fresh each time, since tokens end."""

    async def header(self) -> tuple[str, str]: ...

    async def renewed(self, refused: str) -> bool:
        """Told that a header's value was answered with 401: whether there is another one by now."""
        ...

    def hide(self, text: str) -> str:
        """The text without the secret, should a server have echoed it; nor its head, where the text is cut in it."""
        ...

    async def aclose(self) -> None: ...


class _Key:
    def __init__(self, secret: SecretStr | SecretFile | str, header: str, prefix: str = "") -> None:
        self._file = secret if isinstance(secret, SecretFile) else None
        read = secret.last if isinstance(secret, SecretFile) else secret
        self._secrets = [SecretStr(_usable(read.get_secret_value() if isinstance(read, SecretStr) else read))]
        self._header = header
        self._prefix = prefix

    def __repr__(self) -> str:
        return f"{type(self).__name__}(**********)"

    async def header(self) -> tuple[str, str]:
        await self._look(again=False)
        return self._header, self._prefix + self._secrets[0].get_secret_value()

    async def renewed(self, refused: str) -> bool:
        """A key of the environment is what it is; one in a file is read again."""
        await self._look(again=True)
        return self._prefix + self._secrets[0].get_secret_value() != refused

    async def _look(self, *, again: bool) -> None:
        if self._file is None:
            return
        read = await asyncio.to_thread(self._file.secret, again=again)  # a network's file system may hang
        try:
            new = SecretStr(_usable(read.get_secret_value()))
        except ValueError as error:
            log.warning("key.not_usable", file=repr(self._file), error=str(error))
            return
        if new != self._secrets[0]:
            self._secrets = [new, *self._secrets][:_KEPT]
            log.info("key.renewed", file=repr(self._file))

    def hide(self, text: str) -> str:
        for each in self._secrets:
            text = _hidden(text, each.get_secret_value())
        return text

    async def aclose(self) -> None:
        return None


def _usable(value: str) -> str:
    value = value.strip()
    # An HTTP library names the whole value when it refuses it: so it is refused here, without naming it.
    if not re.fullmatch(r"[\x21-\x7e]+", value):
        raise ValueError(
            "The API key is empty or holds a space, a line break or a letter outside ASCII; copy the key alone."
        )
    return value


def _hidden(text: str, secret: str) -> str:
    # A key as short as "any", as test servers take, is no secret, but may be a piece of any word.
    if len(secret) < _SECRET_LENGTH:
        return text
    text = text.replace(secret, _MASK)
    head = next((end for end in range(len(secret) - 1, _HEAD_LENGTH - 1, -1) if text.endswith(secret[:end])), 0)
    return text[:-head] + _MASK if head else text


class ApiKey(_Key):
    """A key of an Azure resource, sent as `api-key`. Raises ValueError (without the key) if it cannot be a header."""

    def __init__(self, secret: SecretStr | SecretFile | str) -> None:
        super().__init__(secret, "api-key")


class Bearer(_Key):
    """A key of OpenAI and of most servers that speak its API, sent as `Authorization: Bearer`."""

    def __init__(self, secret: SecretStr | SecretFile | str) -> None:
        super().__init__(secret, "Authorization", "Bearer ")


class EntraToken:
    """A token of Entra ID: by default whoever this process is (environment, workload or managed identity, az login).

    The identity keeps the token and renews it, for all who share it. `header()` raises NoIdentity
    where nobody can be logged in, and another AzureError where the identity provider cannot be reached.
    """

    def __init__(self, scope: str = OPENAI_SCOPE, identity: Identity | None = None) -> None:
        self.scope = scope
        self.identity = identity or Identity(lambda: found_here(None, None))

    def __repr__(self) -> str:
        return f"EntraToken(scope={self.scope!r})"

    async def header(self) -> tuple[str, str]:
        token = await self.identity.get_token(self.scope)
        return "Authorization", f"Bearer {token.token}"

    async def renewed(self, refused: str) -> bool:
        """Asks for another token at once, unless the refused one was fresh: then it is the rights that are missing."""
        return await self.identity.renewed(self.scope, refused.removeprefix("Bearer "))

    def hide(self, text: str) -> str:
        return re.sub(r"eyJ[\w-]{8,}(\.[\w-]*){0,2}", _MASK, text)

    async def aclose(self) -> None:
        """Nothing: whoever shares the identity goes on with it."""


def entra_token(entra: ApiEntra, endpoint: str, identities: Identities) -> EntraToken:
    """Tokens for one endpoint, of the identity that the settings name."""
    host = (urlsplit(endpoint).hostname or "").lower()
    of_cloud = next((scope for cloud, scope in _OF_CLOUD.items() if host.endswith(cloud)), OPENAI_SCOPE)
    return EntraToken(entra.scope or of_cloud, identities.of(entra))


class Proof(httpx.Auth):
    """A credential as httpx takes it: the header is set on each request as it leaves, and kept nowhere."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        name, value = await self._credential.header()
        request.headers[name] = value
        yield request

    async def renewed(self, refused: httpx.Request) -> bool:
        """Whether there is another proof by now than the one that was refused (401) with this request."""
        value = next((refused.headers[name] for name in _HEADERS if name in refused.headers), "")
        try:
            async with asyncio.timeout(RENEWAL_WITHIN_S):
                return await self._credential.renewed(value)
        except TimeoutError:
            return False
