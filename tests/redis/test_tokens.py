"""Tokens of Entra ID for Redis: sent on every connection before the old one ends, which ends with its token."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import jwt
import pytest
from azure.core.credentials import AccessToken

from orchestrator.logs.redaction import redact
from orchestrator.redis.connection import Access, connect
from orchestrator.redis.pool import Credentials
from tests.identity.authority import CLIENT, TENANT, Authority
from tests.identity.https import Https, tls_of
from tests.main_job.night import Witness, running, until
from tests.redis.locked import Locked, documented_acl, locked_redis
from tests.redis.test_access import ROWS, Sandbox, configured
from workers.identity.entra import Identity
from workers.identity.redis_token import RedisToken

pytestmark = pytest.mark.asyncio

AUDIENCE = "https://redis.azure.com"


@dataclass
class Turning(Authority):
    """Each token for Redis names a user of its own, whom Redis knows until the token ends: so that connections tell
    which token they were proven with. `unproven` has connections that ended with their token."""

    redis: Locked | None = None
    namespace: str = ""
    users: int = 0
    unproven: list[str] = field(default_factory=list)
    endings: set[asyncio.Task[None]] = field(default_factory=set)

    def token(self, audience: str) -> str:
        token = super().token(audience)
        if self.redis is None or audience != AUDIENCE:
            return token
        self.users += 1
        user = f"identity-{self.users}"
        claims = jwt.decode(token, options={"verify_signature": False}) | {"oid": user}
        token = jwt.encode(claims, "k" * 32, algorithm="HS256")
        words = documented_acl(self.namespace, token).split()[2:]
        self.redis.ask("ACL", "SETUSER", user, *words)
        task = asyncio.create_task(self._end(user))
        self.endings.add(task)
        return token

    async def _end(self, user: str) -> None:
        await asyncio.sleep(self.life_s)
        assert self.redis is not None
        left = [each for each in self.redis.clients() if each["user"] == user]
        self.unproven += [f"{user}: {each['cmd']}, {each['age']} s old, idle for {each['idle']} s" for each in left]
        self.redis.ask("ACL", "DELUSER", user)


async def test_a_night_outlives_its_tokens(sandbox: Sandbox, namespace: str, tmp_path: Path) -> None:
    """Several tokens end in its middle; no connection is left with one that does."""
    server = await sandbox(queue_s=0, render_s=(2.0, 2.5))
    with locked_redis(tmp_path / "redis") as redis:
        authority = Turning(life_s=6, redis=redis, namespace=namespace)
        async with Https(authority.answer, tls_of((redis.chain, redis.key))) as entra:
            (tmp_path / "federated").write_text("of-the-pod")
            told = {"url": redis.url, "auth": {"entra": True}, "tls": {"ca_file": str(redis.chain)}}
            path = configured(tmp_path, namespace, told, server.url, concurrent=1)
            async with running(
                *("-m", "dailies", "run", str(tmp_path / "spring.csv"), "--config", str(path), "--json"),
                AZURE_AUTHORITY_HOST=entra.url,
                AZURE_TENANT_ID=TENANT,
                AZURE_CLIENT_ID=CLIENT,
                AZURE_FEDERATED_TOKEN_FILE=str(tmp_path / "federated"),
                SSL_CERT_FILE=str(redis.chain),
            ) as run:
                assert await run.end() == 0, run.text
                assert json.loads(await run.output())["items"]["archived"] == ROWS
            for task in authority.endings:
                task.cancel()
            ended = await asyncio.gather(*authority.endings, return_exceptions=True)
            assert [each for each in ended if not isinstance(each, asyncio.CancelledError | None)] == []
        assert authority.users >= 3
        assert authority.unproven == [], [line for line in run.lines if "renewed" in str(line)]
        assert authority.assertions == {"of-the-pod"}
    assert set((await Witness(server.url).created()).values()) == {1}
    assert [line for line in run.lines if "exception" in line] == []


class Turned(Credentials):
    """Who we are is said by the test."""

    user = "one"

    async def get_credentials_async(self) -> tuple[str, str]:
        return self.user, f"of-{self.user}"

    def turn(self, user: str) -> None:
        self.user = user
        self.number += 1


@asynccontextmanager
async def two_users(folder: Path) -> AsyncIterator[tuple[Locked, Turned, Any]]:
    users = [f"user {name} on >of-{name} ~* &* +@all" for name in ("one", "two")]
    with locked_redis(folder, *users) as redis:
        credentials = Turned()
        client = connect(redis.url, access=Access(credentials, ca_file=redis.chain), tries=1, answer_s=60)
        yield redis, credentials, client
        await client.aclose()


def proven_as(redis: Locked) -> list[str]:
    """The users of the connections there are, but for ours."""
    return sorted(each["user"] for each in redis.clients() if each["user"] != "admin")


async def test_idle_connections_are_proven_at_once_and_lent_ones_when_they_come_back(tmp_path: Path) -> None:
    """One of them waits for an answer all the while."""
    async with two_users(tmp_path) as (redis, credentials, client):
        await asyncio.gather(*(client.ping() for _ in range(3)))
        idle = len(proven_as(redis))
        blocked = asyncio.create_task(client.blpop("late", timeout=0))

        async def waits() -> bool:
            return any(each["cmd"] == "blpop" for each in redis.clients())

        await until(waits)
        credentials.turn("two")
        await client.connection_pool.prove()
        assert proven_as(redis) == ["one", *["two"] * (idle - 1)]
        redis.ask("RPUSH", "late", "word")
        assert await blocked == (b"late", b"word")
        assert proven_as(redis) == ["two"] * idle


async def test_no_command_gets_the_answer_to_a_proof(tmp_path: Path) -> None:
    """Proofs are sent while many tasks use the pool: nobody is handed a connection that is being proven."""
    async with two_users(tmp_path) as (_, credentials, client):
        over = asyncio.Event()

        async def use(n: int) -> None:
            while not over.is_set():
                assert await client.echo(str(n)) == str(n).encode()

        users = [asyncio.create_task(use(n)) for n in range(8)]
        for user in ("two", "one") * 10:
            credentials.turn(user)
            await client.connection_pool.prove()
        over.set()
        await asyncio.gather(*users)


async def test_a_proof_that_is_refused_costs_its_connection_alone(tmp_path: Path) -> None:
    async with two_users(tmp_path) as (redis, credentials, client):
        await client.ping()
        credentials.turn("nobody")
        await client.connection_pool.prove()
        assert proven_as(redis) == []
        credentials.turn("two")
        assert await client.ping()
        assert proven_as(redis) == ["two"]


async def test_tokens_that_ended_long_ago_are_not_looked_for_in_every_line_of_the_log() -> None:
    """A worker lives for months; the newest few are kept out of it still."""

    class Hourly:
        number = 0

        async def get_token(self, scope: str) -> AccessToken:
            self.number += 1
            return AccessToken(jwt.encode({"oid": f"me-{self.number}"}, "k" * 32, algorithm="HS256"), 2**31)

    told = RedisToken(cast("Identity", Hourly()))
    tokens = [(await told.get_credentials_async())[1] for _ in range(20)]
    hidden = [token for token in tokens if token not in redact(f"AUTH {token}")]
    assert hidden == tokens[-4:]
    assert told.number == 20
