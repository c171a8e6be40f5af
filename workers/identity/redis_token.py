"""Tokens of Entra ID as Redis takes them: the user is the identity's object id, the password its token.

Azure Managed Redis ends a connection with the token that it was proven with, so each is given the next one in time; at
least three minutes before, says https://learn.microsoft.com/azure/redis/entra-for-authentication. redis-entraid is made
for this, but asks for tokens on the event loop, and after one renewal that failed it makes no other.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable

import structlog
from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError
from redis.exceptions import AuthenticationError

from orchestrator.logs.redaction import forget, remember
from orchestrator.redis.pool import Credentials
from workers.identity.entra import Identity

log = structlog.get_logger("workers.identity.redis_token")

REDIS_SCOPE = "https://redis.azure.com/.default"
#: How often the identity is asked whether it has another token (seconds); of one that lives shortly, more often.
LOOK_S = 30.0
#: Tokens that are kept out of logs, the newest: a server may name one of some renewals ago.
_HIDDEN = 4


class RedisToken(Credentials):
    """What proves an identity to Redis."""

    def __init__(self, identity: Identity, *, scope: str | None = None, user: str | None = None) -> None:
        """`user`: where Redis knows the identity by another name than its object id."""
        self._identity, self._scope, self._user = identity, scope or REDIS_SCOPE, user
        self._tokens: list[str] = []  # the newest first

    async def get_credentials_async(self) -> tuple[str, str]:
        """User and token. AuthenticationError, which is tried again as a lost connection is, where there is none."""
        try:
            token = await self._newest()
        except AzureError as error:
            raise AuthenticationError(f"there is no token of Entra ID for Redis: {error.message}") from None
        return self._user or object_id(token.token), token.token

    async def keep(self, prove: Callable[[], Awaitable[None]]) -> None:
        """See to it that live connections have a token that lasts, until cancelled: `prove` has all of them send it."""
        while True:
            pause, number = LOOK_S, self.number
            try:
                token = await self._newest()
                pause = min(LOOK_S, max(0.1, (token.expires_on - time.time()) / 8))
            except AzureError:
                pass  # the identity has said so in the log, and tries again
            if self.number != number:
                await prove()
                log.info("redis.token_was_renewed")
            await asyncio.sleep(pause)

    async def _newest(self) -> AccessToken:
        token = await self._identity.get_token(self._scope)
        if token.token not in self._tokens[:1]:
            remember(token.token)
            for ended in self._tokens[_HIDDEN - 1 :]:
                forget(ended)
            self._tokens = [token.token, *self._tokens[: _HIDDEN - 1]]
            self.number += 1
        return token


def object_id(token: str) -> str:
    """Whose token it is. AuthenticationError where it does not say."""
    try:
        body = token.split(".")[1]
        return str(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["oid"])
    except (LookupError, ValueError):
        message = "the token names no object id (oid): set redis.auth.user to the name that Redis knows"
        raise AuthenticationError(message) from None
