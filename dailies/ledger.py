"""The ledger, opened as configured: which Redis, how to get in, and whether it lets us do our work."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import structlog
from redis.exceptions import AuthenticationError, BusyLoadingError, NoPermissionError, RedisError

from dailies.terminal.exits import Unusable
from orchestrator.ledger import ledger_version, recovery
from orchestrator.ledger.keys import Keys
from orchestrator.ledger.rights import RightsMissing, check_rights
from orchestrator.ledger.store import Store
from orchestrator.logs.redaction import redact
from orchestrator.redis.connection import Access, connect
from orchestrator.redis.credentials import Password
from orchestrator.redis.durability import replicas
from orchestrator.redis.embedded import EmbeddedRedis, EmbeddedRedisError
from orchestrator.settings import Settings
from orchestrator.settings.redis import RedisSettings, SentinelAuth
from orchestrator.settings.secret_file import SecretFile
from orchestrator.settings.section import read_secret
from workers.cancelling import end
from workers.identity.entra import Identities
from workers.identity.redis_token import RedisToken

log = structlog.get_logger("dailies.ledger")

#: How long a command waits for a Redis that does not answer at its start (seconds).
REDIS_TIMEOUT_S = 8.0
#: How often to see whether the embedded Redis still runs (seconds).
GUARD_S = 2.0


class RedisAway(Unusable):
    """Redis does not answer, as one that is still to come does not either."""


async def open_ledger(settings: Settings, stack: AsyncExitStack, identities: Identities) -> Store:
    """The store. Raises Unusable, EmbeddedRedisError, SettingsError."""
    keys = Keys(settings.redis.namespace)
    if settings.redis.url is None:
        embedded = EmbeddedRedis(settings.state_dir, last_words=lambda client: recovery.leave(client, keys))
        await stack.enter_async_context(embedded)
        url = embedded.url
        guard = asyncio.create_task(_guard(embedded))
        stack.push_async_callback(end, [guard], within_s=GUARD_S)
    else:
        url = settings.redis.url.get_secret_value()
    access = access_of(settings.redis, os.environ, identities)
    await _answers(url, access)
    redis = connect(url, queue_name=keys.queue("create"), access=access)
    stack.push_async_callback(redis.aclose)
    if isinstance(access.credentials, RedisToken):
        pool: Any = redis.connection_pool
        keeping = asyncio.create_task(access.credentials.keep(pool.prove))
        stack.push_async_callback(end, [keeping], within_s=GUARD_S)
    store = Store(redis, settings.redis.namespace)
    try:
        await check_rights(store)
        await ledger_version.check(store.redis, store.keys)
    except (ledger_version.TooNew, RightsMissing) as error:
        raise Unusable(str(error)) from None
    await replicas(redis)  # of those that there are now, intents must reach one
    return store


def access_of(redis: RedisSettings, environ: Mapping[str, str], identities: Identities) -> Access:
    """How to get in, as configured. SettingsError where a secret is not there."""
    auth, tls = redis.auth, redis.tls
    credentials: Password | RedisToken | None = None
    if auth and auth.entra is not None:
        credentials = RedisToken(identities.of(auth.entra), scope=auth.entra.scope, user=auth.user)
    elif auth:
        credentials = _password(auth, environ, "redis.auth", "Redis")
    sentinel = None
    if redis.sentinel_auth:
        sentinel = _password(redis.sentinel_auth, environ, "redis.sentinel_auth", "Redis Sentinel")
    if tls is None:
        return Access(credentials, sentinel)
    return Access(
        credentials,
        sentinel,
        ca_file=_path(tls.ca_file),
        cert_file=_path(tls.cert_file),
        key_file=_path(tls.key_file),
        certified_as=tls.server_name,
    )


def _path(file: str | None) -> Path | None:
    if file is None:
        return None
    path = Path(file).expanduser()
    if not os.access(path, os.R_OK):
        mend = "mount it there, and let this user read it"
        raise Unusable(f"the file {path}, which redis.tls names, cannot be read: {mend}")
    return path


def _password(auth: SentinelAuth, environ: Mapping[str, str], setting: str, needed_by: str) -> Password:
    if auth.password_file is not None:
        secret_file = SecretFile(auth.password_file, needed_by, setting=f"{setting}.password_file")
        return Password(auth.user, secret_file)
    variable = str(auth.password_env)
    return Password(auth.user, read_secret(environ, variable, needed_by, setting=f"{setting}.password_env"))


async def _answers(url: str, access: Access) -> None:
    """Ask once, without the patience of the connection that is made to outlive a restart. Raises Unusable."""
    async with connect(url, access=access, tries=0, connect_s=REDIS_TIMEOUT_S, answer_s=REDIS_TIMEOUT_S) as plain:
        try:
            await plain.ping()
        except BusyLoadingError:
            return  # it reads its data: worth waiting for
        except NoPermissionError as error:
            raise Unusable(str(RightsMissing([str(error)]))) from None
        except (RedisError, OSError) as error:
            kind: type[Unusable] = RedisAway
            mend = "check redis.url, or leave it out for an embedded one"
            if isinstance(error, AuthenticationError):
                kind, mend = Unusable, "check redis.auth, or the user and password in redis.url"
            elif "No master found" in str(error):
                mend = "check the Sentinels and the name in redis.url, and redis.sentinel_auth"
            elif "CERTIFICATE" in str(error).upper():
                kind, mend = Unusable, "check redis.tls (ca_file, server_name), and which name redis.url has"
            raise kind(f"Redis cannot be reached: {redact(str(error)).rstrip('.')}; {mend}") from None


async def _guard(embedded: EmbeddedRedis) -> None:
    """Start the embedded Redis again when it ended; nobody else would."""
    while True:
        await asyncio.sleep(GUARD_S)
        try:
            if await asyncio.to_thread(embedded.revive):
                log.warning("redis.was_started_again")
        except EmbeddedRedisError as error:
            log.error("redis.ended", error=str(error))
            return
