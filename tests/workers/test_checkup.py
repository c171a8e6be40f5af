"""What a look at each part finds: servers as they answer, containers as they are set, names as they are told."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from arq.connections import ArqRedis
from azure.core.credentials import AzureSasCredential
from azure.storage.blob.aio import BlobServiceClient

from orchestrator.redis.connection import connect as connect_redis
from orchestrator.settings import Deployment, Notify
from orchestrator.settings.archive import ArchiveAuth, ArchiveSettings
from tests.servers import AZURITE_API_VERSION, Container, redis_process
from tests.workers.wire_server import WireServer, answer
from workers.checkup import (
    Claims,
    Finding,
    Status,
    archive,
    claims_of,
    endpoint,
    grants,
    inputs,
    redis,
    video_api,
    webhooks,
)
from workers.identity.credentials import ApiKey
from workers.sinks.blob_address import BlobAddress
from workers.sinks.opening import client_options
from workers.video_api import connect

WHO = Claims("app", "object", None, "tenant", None, "/s/x/userAssignedIdentities/night")
LIST = answer(200, {"object": "list", "data": [], "has_more": False})
NOON = 1_790_000_000.0


def deployment(url: str, **more: Any) -> Deployment:
    facts = {"name": "east", "endpoint": url, "model": "sora-2", "auth": {"api_key_env": "KEY"}, **more}
    return Deployment(**facts)


async def permitted(script: Any, **more: Any) -> list[Finding]:
    async with WireServer([script]) as server:
        its = deployment(server.url, **more)
        key = ApiKey("k-of-the-test")
        async with connect(its.api, server.url, key, create_timeout_s=5, read_timeout_s=5) as api:
            return await video_api.permitted(its, api, key, WHO if its.auth.entra else None, lambda: NOON)


def refusal(status: int, message: str) -> Any:
    return answer(status, {"error": {"code": str(status), "message": message}})


@pytest.mark.parametrize(
    ("script", "status", "words"),
    [
        (LIST, Status.OK, "the key may list videos"),
        (refusal(401, "Access denied due to invalid subscription key."), Status.FAILED, "the key is refused"),
        (refusal(403, "Access denied due to Virtual Network/Firewall rules."), Status.FAILED, "network rules"),
        (refusal(403, "Key based authentication is disabled."), Status.FAILED, "takes no keys"),
        (refusal(429, "rate limit"), Status.OK, "is accepted"),
        (refusal(404, "Resource not found"), Status.WARNING, "has no list"),
        (refusal(400, "API version not supported"), Status.FAILED, "does not speak api: videos"),
        (refusal(503, "down"), Status.WARNING, "the list of videos failed"),
    ],
)
async def test_each_answer_to_the_list_has_its_finding(script: Any, status: Status, words: str) -> None:
    (found,) = await permitted(script)
    assert (found.status, found.check) == (status, "access")
    assert words in found.says


async def test_an_identity_without_the_role_is_given_the_line_for_its_resource() -> None:
    (found,) = await permitted(refusal(401, "The principal lacks the required data action"), auth={"entra": True})
    assert found.says.startswith("the managed identity night (appid app")
    line = grants.video_role("https://acme-east.openai.azure.com", WHO)
    assert line == (
        "az role assignment create --assignee-object-id object --assignee-principal-type ServicePrincipal "
        '--role "Cognitive Services OpenAI User" '
        '--scope "$(az cognitiveservices account list --query "[?name==\'acme-east\'].id | [0]" --output tsv)"'
    )


async def test_a_server_whose_clock_is_off_is_told() -> None:
    off = answer(200, {"object": "list", "data": [], "has_more": False}, {"Date": "Thu, 01 Jan 2026 00:00:00 GMT"})
    _, clock = await permitted(off)
    assert (clock.check, clock.status) == ("clock", Status.WARNING)


async def named(name: str, *scripts: Any) -> list[Finding]:
    async with WireServer(list(scripts)) as server:
        return await video_api.named(deployment(server.url, deployment=name), ApiKey("k"), NOON)


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [("sora-2", Status.OK, "is among"), ("sora-3", Status.WARNING, "is not among the models that the server lists")],
)
async def test_a_name_is_looked_up_in_the_list_of_models(name: str, status: Status, words: str) -> None:
    (found,) = await named(name, answer(200, {"data": [{"id": "sora-2"}]}))
    assert (found.status, words in found.says) == (status, True)


async def test_a_server_without_a_list_of_models_is_no_fault() -> None:
    (found,) = await named("sora-2", refusal(404, "no"))
    assert found.status is Status.OK


async def test_a_model_that_ends_soon_by_the_servers_own_word_is_told() -> None:
    ends = {"id": "sora-2-2025-12-08", "deprecation": {"inference": int(NOON) + 10 * 86_400}}
    _, found = await named("sora-2-2025-12-08", answer(200, {"data": [ends]}))
    assert (found.check, found.status) == ("model", Status.WARNING)
    assert "is to be retired" in found.says


def service_at(url: str) -> tuple[BlobServiceClient, BlobAddress]:
    options = client_options() | {"api_version": AZURITE_API_VERSION}
    return BlobServiceClient(f"{url}/acme", AzureSasCredential("sig=1"), **options), BlobAddress(
        "https://acme.blob.core.windows.net", "videos", "night/"
    )


async def looked_through(*scripts: Any) -> dict[str, Finding]:
    settings = ArchiveSettings(url="https://acme.blob.core.windows.net/videos", auth=ArchiveAuth(entra=True))  # type: ignore[arg-type]
    async with WireServer(list(scripts)) as server:
        service, address = service_at(server.url)
        async with service:
            return {found.check: found for found in await archive.container(settings, service, address, WHO)}


def blob_refusal(status: int, code: str) -> Any:
    return answer(status, b"", {"x-ms-error-code": code, "Content-Type": "application/xml"})


async def test_a_missing_role_on_the_container_is_told_with_its_line() -> None:
    found = await looked_through(blob_refusal(403, "AuthorizationPermissionMismatch"))
    assert found["write"].status is Status.FAILED
    (line,) = found["write"].commands
    assert line.endswith(
        '--role "Storage Blob Data Contributor" --scope "$(az storage account show --name acme --query id --output tsv)'
        '/blobServices/default/containers/videos"'
    )


@pytest.mark.parametrize(
    ("code", "words"),
    [("AuthorizationFailure", "network rules"), ("KeyBasedAuthenticationNotPermitted", "takes no keys")],
)
async def test_other_refusals_of_a_container_ask_for_no_role(code: str, words: str) -> None:
    found = await looked_through(blob_refusal(403, code))
    assert (words in found["write"].says, found["write"].commands) == (True, ())


async def test_a_public_container_is_warned_of(azurite_container: Container) -> None:
    auth = ArchiveAuth(connection_string_env="STORE")
    settings = ArchiveSettings(url=azurite_container.url, auth=auth)
    service = BlobServiceClient.from_connection_string(
        azurite_container.connection_string, api_version=AZURITE_API_VERSION
    )
    async with service:
        client = service.get_container_client(azurite_container.name)
        address = BlobAddress(service.url.rstrip("/"), azurite_container.name, "night/")
        before = await archive.container(settings, service, address, None)
        await client.set_container_access_policy({}, public_access="blob")
        after = {found.check: found for found in await archive.container(settings, service, address, None)}
        left = [blob.name async for blob in client.list_blobs()]
    assert {found.status for found in before} == {Status.OK}
    assert (after["public"].status, "anybody who knows" in after["public"].says) == (Status.WARNING, True)
    assert after["rights"].says == "the connection string may write and read and delete"
    assert left == []


async def test_a_directory_that_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (found,) = await archive.directory(ArchiveSettings(url=str(tmp_path / "file/archive")))
    assert found.status is Status.FAILED
    (found,) = await archive.directory(ArchiveSettings(url=str(tmp_path / "archive")))
    assert found.status is not Status.FAILED


async def test_a_redis_that_keeps_everything_is_well_but_for_a_clock_that_is_off(redis: ArqRedis) -> None:
    found = await look_at(redis, time.time)
    assert {each.status for each in found.values()} == {Status.OK}
    found = await look_at(redis, lambda: time.time() - 60)
    assert (found["clock"].status, "+60 s" in found["clock"].says) == (Status.WARNING, True)


async def look_at(client: Any, clock: Callable[[], float]) -> dict[str, Finding]:
    return {each.check: each for each in await redis.look(client, clock)}


async def test_a_redis_that_forgets_or_is_nearly_full_is_warned_of(tmp_path: Path) -> None:
    options = ("--appendonly", "no", "--maxmemory-policy", "allkeys-lru", "--maxmemory", "1100kb")
    with redis_process(tmp_path, None, *options) as server:
        client = connect_redis(server.url)
        try:
            found = await redis.look(client, time.time)
        finally:
            await client.aclose()
    warned = [each.says for each in found if each.status is Status.WARNING]
    assert any("maxmemory-policy is allkeys-lru" in text for text in warned)
    assert any("appendonly is no" in text for text in warned)
    assert any("of 1 MB are in use" in text for text in warned)


async def test_an_endpoint_that_is_not_there_is_told_with_where_to_look() -> None:
    found = await endpoint.reach("east", "https://no-such-host.invalid")
    assert found.status is Status.FAILED
    assert "private DNS zone" in found.mend
    found = await endpoint.reach("east", "http://127.0.0.1:1")
    assert "the network from here" in found.mend


async def test_hosts_of_inputs_that_nobody_knows_are_warned_of() -> None:
    (found,) = await inputs.look(["10.0.0.0/8", "*.example.com", "localhost"])
    assert found.status is Status.OK
    (found,) = await inputs.look(["no-such-host.invalid"])
    assert found.status is Status.WARNING


async def test_webhooks_are_looked_at_before_a_worker_refuses_to_start_for_one() -> None:
    """Their URLs are secrets, and are not told."""
    hooks = [
        Notify(name=name, url_env=name.upper(), allow=allow)
        for name, allow in {"ops": ("10.0.0.0/8",), "inner": (), "lost": (), "plain": (), "unset": ()}.items()
    ]
    there = {
        "OPS": "http://10.1.2.3/hook/a-long-secret-of-the-test",
        "INNER": "https://127.0.0.1/hook/a-long-secret-of-the-test",
        "LOST": "https://no-such-host.invalid/hook/a-long-secret-of-the-test",
        "PLAIN": "http://127.0.0.1/hook/a-long-secret-of-the-test",
    }
    ops, inner, lost, plain, unset = await webhooks.look(hooks, there)
    assert (ops.status, ops.check) == (Status.OK, "ops"), ops
    assert (inner.status, "127.0.0.1" in inner.says, "allow of inner" in inner.mend) == (Status.WARNING, True, True)
    assert (lost.status, "no-such-host.invalid is not known" in lost.says) == (Status.WARNING, True), lost
    assert (plain.status, "PLAIN" in plain.says) == (Status.FAILED, True), plain
    assert (unset.status, "UNSET" in unset.says) == (Status.FAILED, True), unset
    assert "a-long-secret" not in repr((ops, inner, lost, plain, unset))
    assert await webhooks.look([], {}) == []


def test_claims_are_read_as_entra_id_writes_them() -> None:
    token = jwt.encode({"azp": "app", "oid": "o", "tid": "t", "upn": "ada@acme.example"}, "k" * 32)
    claims = claims_of(token)
    assert claims is not None
    assert (claims.app_id, claims.principal_type) == ("app", "User")
    assert claims.words() == "user ada@acme.example (appid app, oid o, tenant t)"
    assert claims_of("no token") is None
    assert dataclasses.replace(claims, user=None).words().startswith("application")


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("night.westeurope.redis.azure.net", "az redisenterprise database access-policy-assignment create --cluster"),
        ("night.redis.cache.windows.net", "az redis access-policy-assignment create --name night"),
    ],
)
def test_each_redis_of_azures_has_its_own_line(host: str, words: str) -> None:
    line = grants.redis_policy(host, WHO)
    assert line.startswith(words)
    assert "--object-id object" in line
