"""Where input images may be fetched from: whether the hosts that are named are known here."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from workers.checkup.finding import Finding, fine, warning
from workers.reach import is_network, resolve

_PART = "inputs"


async def look(allow: Sequence[str]) -> list[Finding]:
    """One finding for all, or one for each host whose name leads nowhere."""
    hosts = [entry for entry in allow if not is_network(entry) and "*" not in entry]
    found = await asyncio.gather(*map(_lost, hosts))
    lost = [host for host, missing in zip(hosts, found, strict=True) if missing]
    if lost:
        mend = "check inputs.allow, and the name service of this machine"
        return [warning(_PART, "allow", f"{host} is not known here", mend) for host in lost]
    besides = f", and {', '.join(allow)}" if allow else ""
    return [fine(_PART, "allow", f"images may come from public addresses{besides}")]


async def _lost(host: str) -> bool:
    try:
        return not await resolve(host, 443)
    except OSError:
        return True
