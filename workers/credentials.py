"""What proves to a server who we are. The secret itself is in no repr, no log line and no error message."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import Protocol

import httpx
from azure.core.credentials_async import AsyncTokenCredential
from pydantic import SecretStr

OPENAI_SCOPE = "https://cognitiveservices.azure.com/.default"
"""Entra ID scope of Azure OpenAI [Azure docs]; newer Foundry pages name https://ai.azure.com/.default."""


_SECRET_LENGTH = 8
_HEAD_LENGTH = 4  # a shorter piece at a text's end may be the end of any word
_MASK = "**********"


class Credential(Protocol):
    """Names one header and its value for each request; fresh each time, since tokens end."""

    async def header(self) -> tuple[str, str]: ...

    def hide(self, text: str) -> str:
        """The text without the secret, should a server have echoed it; nor its head, where the text is cut in it."""
        ...

    async def aclose(self) -> None: ...


class _FixedHeader:
    def __init__(self, secret: SecretStr | str, header: str, prefix: str = "") -> None:
        value = secret.get_secret_value() if isinstance(secret, SecretStr) else secret
        value = value.strip()
        # An HTTP library names the whole value when it refuses it: so it is refused here, without naming it.
        if not re.fullmatch(r"[\x21-\x7e]+", value):
            raise ValueError(
                "The API key is empty or holds a space, a line break or a letter outside ASCII; copy the key alone."
            )
        self._secret = SecretStr(value)
        self._header = header
        self._prefix = prefix

    def __repr__(self) -> str:
        return f"{type(self).__name__}(**********)"

    async def header(self) -> tuple[str, str]:
        return self._header, self._prefix + self._secret.get_secret_value()

    def hide(self, text: str) -> str:
        secret = self._secret.get_secret_value()
        # A key as short as "any", as test servers take, is no secret, but may be a piece of any word.
        if len(secret) < _SECRET_LENGTH:
            return text
        text = text.replace(secret, _MASK)
        head = next((end for end in range(len(secret) - 1, _HEAD_LENGTH - 1, -1) if text.endswith(secret[:end])), 0)
        return text[:-head] + _MASK if head else text

    async def aclose(self) -> None:
        return None


class ApiKey(_FixedHeader):
    """A key of an Azure resource, sent as `api-key`. Raises ValueError (without the key) if it cannot be a header."""

    def __init__(self, secret: SecretStr | str) -> None:
        super().__init__(secret, "api-key")


class Bearer(_FixedHeader):
    """A key of OpenAI and of most servers that speak its API, sent as `Authorization: Bearer`."""

    def __init__(self, secret: SecretStr | str) -> None:
        super().__init__(secret, "Authorization", "Bearer ")


class EntraToken:
    """A token of Entra ID: by default whoever this process is (environment, workload or managed identity, az login).

    azure-identity keeps the token and renews it. `header()` raises azure.core's ClientAuthenticationError where
    nobody can be logged in, and another AzureError where the identity provider cannot be reached.
    """

    def __init__(self, scope: str = OPENAI_SCOPE, credential: AsyncTokenCredential | None = None) -> None:
        self._scope = scope
        self._credential = credential

    def __repr__(self) -> str:
        return f"EntraToken(scope={self._scope!r})"

    async def header(self) -> tuple[str, str]:
        if self._credential is None:
            # Imported when needed: it costs a third of a second that a run with a key never pays.
            from azure.identity.aio import DefaultAzureCredential

            self._credential = DefaultAzureCredential()
        token = await self._credential.get_token(self._scope)
        return "Authorization", f"Bearer {token.token}"

    def hide(self, text: str) -> str:
        return re.sub(r"eyJ[\w-]{8,}(\.[\w-]*){0,2}", _MASK, text)

    async def aclose(self) -> None:
        if self._credential is not None:
            await self._credential.close()


class Proof(httpx.Auth):
    """A credential as httpx takes it: the header is set on each request as it leaves, and kept nowhere."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        name, value = await self._credential.header()
        request.headers[name] = value
        yield request
