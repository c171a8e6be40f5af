"""Whether people can be told by webhook: its variables are set, and its host may be connected to. Nothing is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import httpx

from orchestrator.logs.redaction import redact
from orchestrator.settings import Notify, SettingsError
from workers.checkup.finding import Finding, failed, fine, warning
from workers.reach import Forbidden, Reach
from workers.telling.webhook import Webhook

_PART = "notify"


async def look(webhooks: Sequence[Notify], environ: Mapping[str, str]) -> list[Finding]:
    """One finding for each webhook; none where nobody is told. One that cannot be opened lets no worker start."""
    return list(await asyncio.gather(*(_one(each, environ) for each in webhooks)))


async def _one(webhook: Notify, environ: Mapping[str, str]) -> Finding:
    try:
        url = httpx.URL(Webhook.open(webhook, environ).url.get_secret_value())
    except (SettingsError, httpx.InvalidURL) as error:
        return failed(_PART, webhook.name, str(error))
    occasions = f"{webhook.kind}, told of {', '.join(webhook.on)}; nothing was sent"
    reach = Reach(webhook.allow)
    if reach.names(url.host):  # it may be behind a proxy, which resolves it
        return fine(_PART, webhook.name, occasions)
    try:
        await reach.addresses(url.raw_host.decode("ascii"), url.port or {"http": 80}.get(url.scheme, 443))
    except Forbidden as error:
        mend = f"name it, or its network, under notify[].allow of {webhook.name} if it is yours"
        return warning(_PART, webhook.name, redact(str(error)), mend)
    except OSError:
        mend = f"check what {webhook.url_env} holds, and the name service of this machine"
        return warning(_PART, webhook.name, redact(f"{url.host} is not known here"), mend)
    return fine(_PART, webhook.name, occasions)
