"""Getting in: over TLS, as a user who may do what is needed and nothing else; and what is said where it fails."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from redis.exceptions import AuthenticationError

from dailies.session import open_store
from dailies.terminal.exits import Unusable
from orchestrator.redis.connection import Access, connect
from orchestrator.redis.credentials import Password
from orchestrator.settings import load_settings
from orchestrator.settings.secret_file import SecretFile
from tests.dailies.typing_it import dailies
from tests.main_job.night import Witness, config, deployment, running
from tests.redis.locked import Locked, documented_acl, locked_redis, locked_sentinel

pytestmark = pytest.mark.asyncio

Sandbox = Callable[..., Awaitable[Any]]
PASSWORD = "of-the-night"
ROWS = 4


def configured(
    folder: Path, namespace: str, redis: dict[str, Any], url: str = "http://127.0.0.1:9", concurrent: int = 4
) -> Path:
    """A `dailies.yaml` with this Redis, and a sheet beside it."""
    path = config(
        folder / "dailies.yaml",
        redis_url=None,
        namespace=namespace,
        archive={"url": str(folder / "archive")},
        deployments=[deployment("east", url, quota={"per_minute": None, "burst": 1, "concurrent": concurrent})],
    )
    document = yaml.safe_load(path.read_text())
    document["redis"] |= redis
    path.write_text(yaml.safe_dump(document))
    rows = "".join(f"k{n},prompt of k{n}\n" for n in range(ROWS))
    (folder / "spring.csv").write_text(f"key,prompt\n{rows}")
    return path


def access(server: Locked, **auth: str) -> dict[str, Any]:
    return {"url": server.url, "auth": {"user": "dailies", **auth}, "tls": {"ca_file": str(server.chain)}}


async def refused(path: Path) -> str:
    """What is said where Redis cannot be used."""
    with pytest.raises(Unusable) as found:
        async with open_store(load_settings(path, {})):
            pass
    assert PASSWORD not in str(found.value)
    return str(found.value)


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", PASSWORD)


async def test_the_whole_job_with_a_client_certificate_and_the_documented_user(
    sandbox: Sandbox, namespace: str, tmp_path: Path
) -> None:
    """Nothing that it asks of Redis is refused, from the first command to the last."""
    server = await sandbox(queue_s=0, render_s=(0.1, 0.2))
    user = documented_acl(namespace, PASSWORD)
    with locked_redis(tmp_path / "redis", user, asks_for_certificate=True) as redis:
        secret = tmp_path / "password"
        secret.write_text(f"{PASSWORD}\n")
        told = access(redis, password_file=str(secret))
        told["tls"] |= {"cert_file": str(redis.chain), "key_file": str(redis.key)}
        path = configured(tmp_path, namespace, told, server.url)
        sheet = str(tmp_path / "spring.csv")
        async with running("-m", "dailies", "run", sheet, "--config", str(path), "--json") as run:
            assert await run.end() == 0, run.text
            assert json.loads(await run.output())["items"]["archived"] == ROWS
        assert set((await Witness(server.url).created()).values()) == {1}
        for words in (("status", "spring", "--items"), ("recover",), ("forget", "spring", "--yes")):
            code, _, said = await dailies(*words, "--config", str(path))
            assert code == 0, said
        assert redis.ask("ACL", "LOG") == []
        stats = redis.ask("INFO", "commandstats")
        assert {name for name, each in stats.items() if each["rejected_calls"]} == set()
        assert [line for line in run.lines if "exception" in line] == []


#: What is taken away → what is named.
MISSING = {
    "-zadd": "ZADD on {",
    "-psetex": "PSETEX on arq:job:{",
    "-wait": "WAIT",
    "-evalsha": "'evalsha' command",
    "-ping": "'ping' command",
    "resetkeys": "access one of the keys",
}


async def test_a_right_that_is_missing_is_named_at_the_start(namespace: str, tmp_path: Path) -> None:
    user = documented_acl(namespace, PASSWORD)
    with locked_redis(tmp_path / "redis", user) as redis:
        path = configured(tmp_path, namespace, access(redis, password_env="REDIS_PASSWORD"))
        for without, named in MISSING.items():
            redis.ask("ACL", "SETUSER", *user.split()[1:], without)
            said = await refused(path)
            assert "the Redis user lacks rights: " in said
            assert named in said
            assert "docs/redis.md" in said


async def test_what_keeps_us_out_is_said_with_the_mend(namespace: str, tmp_path: Path) -> None:
    """A wrong password; a certificate that nobody known signed; one for another name."""
    with locked_redis(tmp_path / "redis", documented_acl(namespace, "another")) as redis:
        told = access(redis, password_env="REDIS_PASSWORD")
        elsewhere = redis.url.replace("localhost", "127.0.0.1")
        named = {**told, "url": elsewhere, "tls": {**told["tls"], "server_name": "localhost"}}
        for settings, mend in (
            (told, "check redis.auth"),
            ({**told, "tls": {}}, "check redis.tls (ca_file"),
            ({**told, "url": elsewhere}, "check redis.tls (ca_file, server_name)"),
            (named, "check redis.auth"),
        ):
            assert mend in await refused(configured(tmp_path, namespace, settings))


async def test_sentinels_over_tls_have_users_of_their_own(
    namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They name the primary by its address; its certificate has a name."""
    monkeypatch.setenv("SENTINEL_PASSWORD", "of-the-watch")
    watcher = "user watcher on >of-the-watch -@all +ping +sentinel|masters"
    with (
        locked_redis(tmp_path / "redis", documented_acl(namespace, PASSWORD)) as redis,
        locked_sentinel(tmp_path / "sentinel", redis, "night", watcher) as port,
    ):
        told = access(redis, password_env="REDIS_PASSWORD") | {"url": f"rediss+sentinel://localhost:{port}/night"}
        told["tls"]["server_name"] = "localhost"
        path = configured(tmp_path, namespace, told)
        assert "redis.sentinel_auth" in await refused(path)
        path = configured(
            tmp_path, namespace, told | {"sentinel_auth": {"user": "watcher", "password_env": "SENTINEL_PASSWORD"}}
        )
        async with open_store(load_settings(path, {})) as session:
            assert await session.store.redis.ping()


async def test_a_password_that_is_changed_in_its_file_is_used_by_the_next_connection(tmp_path: Path) -> None:
    with locked_redis(tmp_path / "redis", "user dailies on >first ~* &* +@all") as redis:
        secret = tmp_path / "password"
        secret.write_text("first")
        told = Password("dailies", SecretFile(str(secret), "Redis", setting="redis.auth.password_file"))
        client = connect(redis.url, access=Access(told, ca_file=redis.chain), tries=1)
        assert await client.ping()
        redis.ask("ACL", "SETUSER", "dailies", "resetpass", ">second")
        assert await client.ping()  # Redis keeps the connection
        redis.ask("CLIENT", "KILL", "USER", "dailies")
        with pytest.raises(AuthenticationError):
            await client.ping()
        secret.write_text("second one")
        os.truncate(secret, len("second"))
        assert await client.ping()
        await client.aclose()
