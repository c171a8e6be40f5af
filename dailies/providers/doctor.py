"""`dailies doctor`: look at everything that a night needs, side by side, and say what to mend."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError

from dailies.providers.deployment_words import quota_text
from dailies.session import credential_of, open_store
from dailies.terminal.exits import Unusable, UsageError
from orchestrator.logs.redaction import redact
from orchestrator.redis.embedded import EmbeddedRedisError
from orchestrator.settings import Deployment, Settings, SettingsError
from orchestrator.settings.entra import Entra
from workers.checkup import (
    Claims,
    Finding,
    Status,
    archive,
    claims_of,
    endpoint,
    failed,
    fine,
    grants,
    inputs,
    redis,
    webhooks,
)
from workers.checkup import video_api as apis
from workers.identity.credentials import OPENAI_SCOPE, EntraToken
from workers.identity.entra import Identities
from workers.identity.redis_token import REDIS_SCOPE
from workers.sinks import ArchiveError
from workers.sinks.opening import open_service
from workers.video_api import connect

#: No part is looked at for longer (seconds); all are at once.
PART_S = 25.0
BLOB_SCOPE = "https://storage.azure.com/.default"
_REFUSED = ("WRONGPASS", "NOAUTH", "invalid username-password", "Authentication required", "NOPERM")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings in the order of the parts, and who we are for each part that asks Entra ID."""

    findings: tuple[Finding, ...]
    identities: dict[str, Claims]

    @property
    def well(self) -> bool:
        """Whether nothing failed; warnings may be there."""
        return all(finding.status is not Status.FAILED for finding in self.findings)


async def diagnose(settings: Settings, clock: Callable[[], float] = time.time) -> Diagnosis:
    """Look at Redis, every deployment, the archive, the inputs and the webhooks."""
    async with AsyncExitStack() as stack:
        identities = Identities()
        stack.push_async_callback(identities.aclose)
        known: dict[str, Claims] = {}
        parts: list[tuple[str, Awaitable[list[Finding]]]] = [("redis", _redis(settings, identities, known, clock))]
        parts += [(d.name, _deployment(d, identities, known, clock)) for d in settings.deployments]
        parts += [("archive", _archive(settings, identities, known)), ("inputs", inputs.look(settings.inputs.allow))]
        parts.append(("notify", webhooks.look(settings.notify, os.environ)))
        found = await asyncio.gather(*(_bounded(name, part) for name, part in parts))
    if not settings.deployments:
        mend = "write dailies.yaml, set AZURE_OPENAI_ENDPOINT, or try --sandbox"
        found.insert(1, [failed("deployments", "configured", "no deployment is configured", mend)])
    return Diagnosis(tuple(each for part in found for each in part), known)


async def _bounded(name: str, part: Awaitable[list[Finding]]) -> list[Finding]:
    try:
        async with asyncio.timeout(PART_S):
            return await part
    except TimeoutError:
        says = f"it was not looked through within {PART_S:.0f} seconds"
        return [failed(name, "time", says, "check the network from here")]
    except (SettingsError, UsageError, Unusable) as error:
        return [failed(name, "settings", str(error))]


async def _redis(
    settings: Settings, identities: Identities, known: dict[str, Claims], clock: Callable[[], float]
) -> list[Finding]:
    auth = settings.redis.auth
    who = None
    if auth and auth.entra is not None:
        who = await _who("redis", auth.entra, auth.entra.scope or REDIS_SCOPE, identities, known)
    try:
        async with open_store(settings) as session:
            return await redis.look(session.store.redis, clock)
    except (Unusable, EmbeddedRedisError) as error:
        text, lines = redact(str(error)), []
        if auth and auth.entra is not None and settings.redis.url and any(word in text for word in _REFUSED):
            host = urlsplit(settings.redis.url.get_secret_value()).hostname or ""
            lines = [grants.redis_policy(host, who)]
        mend = "give this identity a data access policy" if lines else ""
        return [failed("redis", "reach", text, mend, *lines)]


async def _deployment(
    deployment: Deployment, identities: Identities, known: dict[str, Claims], clock: Callable[[], float]
) -> list[Finding]:
    credential = credential_of(deployment, identities)
    reached = await endpoint.reach(deployment.name, deployment.endpoint, clock)
    quota = fine(deployment.name, "quota", f"{quota_text(deployment.quota)}, as configured")
    if reached.status is Status.FAILED:
        return [reached, quota]
    entra = deployment.auth.entra
    scope = credential.scope if isinstance(credential, EntraToken) else OPENAI_SCOPE
    who = await _who(deployment.name, entra, scope, identities, known) if entra is not None else None
    async with connect(
        deployment.api, deployment.endpoint, credential, create_timeout_s=apis.ASK_S, read_timeout_s=apis.ASK_S
    ) as api:
        access = await apis.permitted(deployment, api, credential, who, clock)
        denied = any(finding.status is Status.FAILED for finding in access)
        names = [] if denied else await apis.named(deployment, credential, clock())
    return [reached, *access, *names, quota]


async def _archive(settings: Settings, identities: Identities, known: dict[str, Claims]) -> list[Finding]:
    chosen = settings.archive
    if chosen.directory is not None:
        return await archive.directory(chosen)
    entra = chosen.auth.entra if chosen.auth else None
    if entra is not None:
        try:
            await identities.of(entra).get_token(BLOB_SCOPE)
        except AzureError as error:
            return [apis.no_token("archive", error)]
    who = await _who("archive", entra, BLOB_SCOPE, identities, known) if entra is not None else None
    try:
        service, address = open_service(chosen, os.environ, identities)
    except ArchiveError as error:
        return [failed("archive", "settings", str(error))]
    async with service:
        return await archive.container(chosen, service, address, who)


async def _who(part: str, entra: Entra, scope: str, identities: Identities, known: dict[str, Claims]) -> Claims | None:
    """Who we are there, by the token; None where there is none, which the part itself tells."""
    try:
        token = await identities.of(entra).get_token(scope)
    except AzureError:
        return None
    claims = claims_of(token.token)
    if claims is not None:
        known[part] = claims
    return claims


def document(found: Diagnosis) -> dict[str, object]:
    """As `doctor --json` prints it."""
    return {
        "ok": found.well,
        "identities": [{"part": part, **claims.document()} for part, claims in sorted(found.identities.items())],
        "checks": [_row(finding) for finding in found.findings],
    }


def _row(finding: Finding) -> dict[str, str | Sequence[str]]:
    return {
        "part": finding.part,
        "check": finding.check,
        "status": str(finding.status),
        "says": finding.says,
        "mend": finding.mend,
        "commands": list(finding.commands),
    }
