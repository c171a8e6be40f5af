"""A user and its password, as Redis asks for them."""

from __future__ import annotations

import asyncio

from pydantic import SecretStr

from orchestrator.redis.pool import Credentials
from orchestrator.settings.secret_file import SecretFile


class Password(Credentials):
    """One of a file is read again when the file has changed: for the next connection, since Redis keeps those there
    are."""

    def __init__(self, user: str | None, secret: SecretStr | SecretFile) -> None:
        self._user, self._secret = user, secret

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        """As AUTH takes them."""
        file = self._secret
        secret = await asyncio.to_thread(file.secret) if isinstance(file, SecretFile) else file
        return (self._user, secret.get_secret_value()) if self._user else (secret.get_secret_value(),)
