"""The wiring: from settings to a store, clients of the deployments, and an archive, all closed at the end."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import structlog

from dailies.ledger import open_ledger
from dailies.terminal.exits import Unusable, UsageError
from orchestrator.admission.controller import scope
from orchestrator.ledger import ledger_version
from orchestrator.ledger.store import Store
from orchestrator.metrics import Metrics
from orchestrator.redis.durability import check_durability
from orchestrator.settings import Deployment, Settings
from workers.identity.credentials import ApiKey, Bearer, Credential, entra_token
from workers.identity.entra import Identities
from workers.sinks import Sink, open_sink
from workers.station import Line
from workers.video_api import connect as connect_api
from workers.video_api.counting import unseen

log = structlog.get_logger("dailies.session")

#: Time limit of one read from a video API (seconds).
READ_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Session:
    """What a command works with; `lines` is empty unless the deployments were asked for."""

    settings: Settings
    store: Store
    sink: Sink | None
    lines: Mapping[str, Line]

    def archive(self) -> Sink:
        """The archive, of a session that was opened with it."""
        if self.sink is None:
            raise RuntimeError("this session was opened without the archive")
        return self.sink


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Session]:
    """Redis alone, for commands that only look."""
    async with AsyncExitStack() as stack:
        store = await open_ledger(settings, stack, _identities(stack))
        yield Session(settings, store, None, {})


@asynccontextmanager
async def open_archive(settings: Settings) -> AsyncIterator[Session]:
    """Redis and the archive, for submitting: input images go there. No deployment is touched."""
    async with AsyncExitStack() as stack:
        identities = _identities(stack)
        sink = await stack.enter_async_context(open_sink(settings.archive, os.environ, identities))
        store = await open_ledger(settings, stack, identities)
        yield Session(settings, store, sink, {})


@asynccontextmanager
async def open_all(settings: Settings) -> AsyncIterator[Session]:
    """Redis, the archive (proven writable) and every deployment. Raises Unusable, ArchiveError, SettingsError."""
    async with AsyncExitStack() as stack:
        identities, metrics = _identities(stack), Metrics()
        lines = {d.name: await _line(d, identities, stack, metrics) for d in settings.deployments}
        sink = await stack.enter_async_context(open_sink(settings.archive, os.environ, identities))
        await sink.probe()
        store = await open_ledger(settings, stack, identities)
        await ledger_version.note(store.redis, store.keys)
        await _refuse_moved_deployments(store, settings.deployments)
        for warning in await check_durability(store.redis):
            log.warning("redis.is_not_durable", warning=warning)
        store.metrics = metrics
        yield Session(settings, store, sink, lines)


@asynccontextmanager
async def open_deployments(settings: Settings) -> AsyncIterator[Session]:
    """Redis and every deployment, for commands that ask the providers; into the archive they write nothing."""
    async with AsyncExitStack() as stack:
        identities = _identities(stack)
        lines = {d.name: await _line(d, identities, stack) for d in settings.deployments}
        sink = await stack.enter_async_context(open_sink(settings.archive, os.environ, identities))
        store = await open_ledger(settings, stack, identities)
        yield Session(settings, store, sink, lines)


def archive_url(settings: Settings) -> str:
    """The archive's root as people open it; ends with `/`."""
    directory = settings.archive.directory
    url = settings.archive.url if directory is None else directory.absolute().as_uri()
    return url.rstrip("/") + "/"


def _identities(stack: AsyncExitStack) -> Identities:
    """Those of this process: whoever uses the same one shares its tokens."""
    identities = Identities()
    stack.push_async_callback(identities.aclose)
    return identities


async def _line(
    deployment: Deployment, identities: Identities, stack: AsyncExitStack, metrics: Metrics | None = None
) -> Line:
    credential = credential_of(deployment, identities)
    api = connect_api(
        deployment.api,
        deployment.endpoint,
        credential,
        create_timeout_s=deployment.create_timeout_s,
        read_timeout_s=READ_TIMEOUT_S,
        seen=partial(metrics.answered, deployment.name) if metrics else unseen,
    )
    return Line(deployment, await stack.enter_async_context(api))


def credential_of(deployment: Deployment, identities: Identities) -> Credential:
    """Azure takes a key as `api-key`, OpenAI and most servers that speak its API as a bearer."""
    if deployment.auth.entra:
        return entra_token(deployment.auth.entra, deployment.endpoint, identities)
    key = deployment.api_key(os.environ)
    try:
        return Bearer(key) if _is_openai_like(deployment.endpoint) else ApiKey(key)
    except ValueError as error:
        raise UsageError(f"the key of the deployment {deployment.name} cannot be used: {error}") from None


def _is_openai_like(endpoint: str) -> bool:
    """Whether the endpoint's path is used as it is (`…/v1`), outside of Azure's own hosts."""
    url = urlsplit(endpoint)
    host = (url.hostname or "").lower()
    return url.path.rstrip("/").endswith("/v1") and not host.endswith((".azure.com", ".azure.us", ".azure.cn"))


async def _refuse_moved_deployments(store: Store, deployments: tuple[Deployment, ...]) -> None:
    """Jobs that were created somewhere can only be fetched there: their deployment must still be configured."""
    configured = {d.name: scope(d) for d in deployments}
    pipe = store.redis.pipeline(transaction=False)
    pipe.smembers(store.keys.deployments)
    (known,) = await pipe.execute()
    for name in sorted(raw.decode() for raw in known):
        fields = await store.read(store.keys.deployment(name))
        if configured.get(name) == fields.get("scope"):
            continue
        if await store.redis.exists(store.keys.open(name), store.keys.fetch(name)):
            what = "has another endpoint or api" if name in configured else "is missing"
            raise Unusable(
                f"the deployment {name} {what} in the configuration, but videos of it are still to be made or fetched: "
                "put it back until they are archived. To take a deployment out, pause it (dailies deployments pause "
                f"{name}) and wait until dailies deployments says that it is drained"
            )
