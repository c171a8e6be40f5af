"""One deployment: its endpoint, the key or identity, the deployment's name, quota, API version and the model's end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError

from orchestrator.settings import Deployment
from orchestrator.video_models import model_table
from workers.checkup import grants
from workers.checkup.claims import Claims
from workers.checkup.finding import Finding, Status, failed, fine, warning
from workers.identity.credentials import Credential
from workers.identity.words import NoIdentity
from workers.video_api import ApiError, BadAnswer, Denied, Missing, Throttled, Unreachable, VideoApi
from workers.video_api.answer import PAGE_LIMIT
from workers.video_api.client import base_of
from workers.video_api.wire import Wire

#: For each question (seconds).
ASK_S = 10.0
#: The server's clock may be so far off ours (seconds).
SKEW_S = 5.0
#: A retirement is warned of so many days ahead.
AHEAD_DAYS = 60
_DEPLOYMENTS = {"api-version": "2023-03-15-preview"}  # the last version whose data plane lists deployments
_SHOWN = 5


async def permitted(
    deployment: Deployment, api: VideoApi, credential: Credential, who: Claims | None, clock: Callable[[], float]
) -> list[Finding]:
    """Whether key or identity may use the endpoint, by its shortest list call; and the server's clock."""
    part = deployment.name
    proves = f"the {who.words()}" if who else "the identity" if deployment.auth.entra else "the key"
    try:
        await credential.header()
    except AzureError as error:
        return [no_token(part, error)]
    try:
        told = await api.server_time()
    except Denied as error:
        return [_denied(deployment, error, proves, who)]
    except Unreachable as error:
        return [failed(part, "access", f"the list of videos was not answered: {error}")]
    except Throttled as error:
        return [fine(part, "access", f"{proves} is accepted; the list is throttled: {error}")]
    except (Missing, BadAnswer) as error:
        return [_no_list(deployment, error)]
    except ApiError as error:
        return [warning(part, "access", f"the list of videos failed: {error}", "it may pass: try again in a minute")]
    found = [fine(part, "access", f"{proves} may list videos ({_version(deployment)})")]
    if told is not None and abs(told - clock()) > SKEW_S:
        says = f"the server's clock is {told - clock():+.0f} s off this machine's"
        found.append(warning(part, "clock", says, "set this machine's clock by NTP: tokens and expiry go by it"))
    return found


async def named(deployment: Deployment, credential: Credential, now: float) -> list[Finding]:
    """Whether the endpoint knows the deployment's name, as far as a list shows it; and when its model ends."""
    part, name = deployment.name, deployment.deployment
    account = grants.account_of(deployment.endpoint)
    base = base_of(deployment.endpoint)
    models = await _entries(base, "/models", {}, credential)
    if account is None:
        ids = [each["id"] for each in models or ()]
        if name in ids:
            found = fine(part, "name", f"{name} is among the models that the server lists")
        elif ids:
            says = f"{name} is not among the models that the server lists: {_some(ids)}"
            mend = "check `deployment`, its name there; a create of an unknown name is refused and costs nothing"
            found = warning(part, "name", says, mend)
        else:
            found = fine(part, "name", f"the server lists no models: the first create shows whether it has {name}")
        return [found, *_ends(deployment, models, now)]
    root = urlsplit(deployment.endpoint)
    there = await _entries(f"{root.scheme}://{root.netloc}/openai", "/deployments", _DEPLOYMENTS, credential)
    line = f"az cognitiveservices account deployment list --name {account} --resource-group RESOURCE_GROUP -o table"
    if there is None:
        says = f"no list call shows whether {name} is deployed; the first create does, and costs nothing if it is not"
        found = Finding(part, "name", Status.OK, says, "to see it with your own rights:", (line,))
    elif name not in (ids := [each["id"] for each in there]):
        says = f"there is no deployment {name}" + (f", but {_some(ids)}" if ids else "")
        found = failed(part, "name", says, "write its name as `deployment`, or deploy it", line)
    else:
        found = fine(part, "name", f"{name} is deployed")
    return [found, *_ends(deployment, models, now)]


def no_token(part: str, error: AzureError) -> Finding:
    """Nobody could be logged in, or the identity provider was not reached."""
    if isinstance(error, NoIdentity):
        return failed(part, "identity", f"no token of Entra ID. {error.problem}", error.mend)
    says = f"no token of Entra ID: {error.message}"
    return failed(part, "identity", says, "check that the identity provider is reached from here")


def _denied(deployment: Deployment, error: Denied, proves: str, who: Claims | None) -> Finding:
    part, text = deployment.name, str(error)
    account = grants.account_of(deployment.endpoint) or "RESOURCE"
    if "virtual network" in text.lower() or "firewall" in text.lower():
        mend = "let this network in: Networking of the resource, or a private endpoint"
        return failed(part, "access", f"refused by the resource's network rules: {text}", mend)
    if deployment.auth.entra:
        mend = f"give it the role {grants.VIDEO_ROLE}; a new assignment counts after up to five minutes"
        return failed(part, "access", f"{proves} is refused: {text}", mend, grants.video_role(deployment.endpoint, who))
    if "authenticationtypedisabled" in text.lower().replace(" ", "") or "key based authentication" in text.lower():
        return failed(part, "access", f"the resource takes no keys: {text}", "write auth: {entra: true}")
    line = f"az cognitiveservices account keys list --name {account} --resource-group RESOURCE_GROUP"
    mend = "copy the key again, and see that it is of this resource"
    return failed(part, "access", f"the key is refused: {text}", mend, *([line] if account != "RESOURCE" else []))


def _no_list(deployment: Deployment, error: ApiError) -> Finding:
    part = deployment.name
    if "api version" in error.message.lower() or "api-version" in error.message.lower():
        other = "jobs" if deployment.api == "videos" else "videos"
        says = f"the endpoint does not speak api: {deployment.api}: {error}"
        return failed(part, "access", says, f"try api: {other}")
    mend = "check the endpoint's path; without a list nobody can tell what became of a create whose answer was lost"
    return warning(part, "access", f"the server has no list of videos: {error}", mend)


def _version(deployment: Deployment) -> str:
    return "v1, api-version=preview" if deployment.api == "jobs" else "v1, which has no api-version"


def _ends(deployment: Deployment, models: list[dict[str, Any]] | None, now: float) -> list[Finding]:
    """When the model retires: by the server's own word, else by the shipped table."""
    part = deployment.name
    kind = model_table.base(deployment.model)[0]
    told = [each.get("deprecation") for each in models or () if model_table.base(each["id"])[0] == kind]
    instants = [each.get("inference") for each in told if isinstance(each, dict)]
    known = model_table.retirement(deployment.model, deployment.endpoint)
    if days := [value for value in instants if isinstance(value, int | float)]:
        day, source = dt.datetime.fromtimestamp(max(days), dt.UTC).date(), "the endpoint's own list"
    elif known is not None:
        day, source = known.date, known.source
    else:
        return []
    left = (day - dt.datetime.fromtimestamp(now, dt.UTC).date()).days
    if left > AHEAD_DAYS:
        return [fine(part, "model", f"{deployment.model} is served until {day}")]
    says = f"{deployment.model} {'was to be' if left <= 0 else 'is to be'} retired on {day} ({source})"
    return [warning(part, "model", says, "creates from then on may be refused (410), which costs nothing")]


async def _entries(base: str, path: str, params: dict[str, str], credential: Credential) -> list[dict[str, Any]] | None:
    """What a list of models or deployments holds; None where there is no such list."""
    wire = Wire(base, credential, create_timeout_s=ASK_S, read_timeout_s=ASK_S)
    try:
        answer = await wire.ask("GET", path, params, limit=PAGE_LIMIT)
    except ApiError:
        return None
    finally:
        await wire.aclose()
    page = answer.document.get("data") if answer.ok and isinstance(answer.document, dict) else None
    if not isinstance(page, list):
        return None
    return [each for each in page if isinstance(each, dict) and isinstance(each.get("id"), str)]


def _some(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:_SHOWN])
    return f"{shown}, …" if len(names) > _SHOWN else shown
