"""Who this process is to Entra ID: tokens are kept, and renewed ahead of their end, one renewal at a time.

azure-identity finds the identity and asks for tokens; each renewal begins with a credential of its own, so that no
token comes out of a cache that has just been refused, and a federated token file is read as it stands.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError, ServiceRequestError

from orchestrator.settings.entra import Entra
from workers.identity.words import NoIdentity, in_short

log = structlog.get_logger("workers.identity.entra")
logging.getLogger("azure.identity").setLevel(logging.CRITICAL)  # a page of text for what `in_short` says in a line

#: How long before its end a token is renewed (seconds); of one that lives shortly, half its life.
AHEAD_S = 300.0
#: A token that was refused although it is newer than this (seconds; of one that lives shortly, a tenth of its life)
#: would not be mended by another one; nor would one that came for a refused one already, and may be somewhat older:
#: creates are a minute apart and more, and a missing right must stop a deployment all the same.
FRESH_S, MENDED_S = 60.0, 600.0
#: After a renewal that failed, the next is tried no earlier (seconds).
RETRY_S = 10.0
#: The longest that one renewal may take (seconds): a metadata service may never answer.
RENEWAL_S = 60.0


@dataclass(frozen=True, slots=True)
class _Kept:
    token: AccessToken
    since: float

    @property
    def life_s(self) -> float:
        return max(0.0, self.token.expires_on - self.since)

    @property
    def ahead_s(self) -> float:
        return min(AHEAD_S, self.life_s / 2)


class Identity:
    """An identity as Azure's clients take it. `get_token` raises NoIdentity where nobody can be logged in, and another
    AzureError where the identity provider cannot be reached."""

    def __init__(self, make: Callable[[], AsyncTokenCredential], clock: Callable[[], float] = time.time) -> None:
        """`make` gives a credential for one renewal, which is closed after it; `clock` tells Unix seconds."""
        self._make = make
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._renewals: dict[str, asyncio.Task[None]] = {}
        self._failed: dict[str, tuple[float, AzureError]] = {}
        self._mended: dict[str, str] = {}  # scope → the newest token that came for a refused one

    async def get_token(
        self, *scopes: str, claims: str | None = None, tenant_id: str | None = None, enable_cae: bool = False, **_: Any
    ) -> AccessToken:
        """A token for a scope. `claims` and `tenant_id` are what a server demands that refused the last one: they renew
        it, unless it is fresh."""
        (scope,) = scopes
        if claims or tenant_id:
            demands = {"claims": claims, "tenant_id": tenant_id}
            if not self._fresh(scope):
                await asyncio.shield(self._renewal(scope, {name: each for name, each in demands.items() if each}))
        kept = self._kept.get(scope)
        left = kept.token.expires_on - self._clock() if kept else 0.0
        if kept is not None and left > kept.ahead_s:
            return kept.token
        renewal = self._renewals.get(scope)
        if renewal is None:
            until, error = self._failed.get(scope, (0.0, None))
            if error is not None and self._clock() < until:
                if kept is not None and left > 0:
                    return kept.token
                raise error.with_traceback(None)
            renewal = self._renewal(scope, {})
        if kept is not None and left > kept.ahead_s / 5:
            return kept.token  # it is renewed meanwhile
        try:
            await asyncio.shield(renewal)
        except AzureError:
            if kept is None or kept.token.expires_on <= self._clock():
                raise
            return kept.token
        return self._kept[scope].token

    async def renewed(self, scope: str, refused: str) -> bool:
        """Told that a token was refused: whether there is another one by now. Asks for one, unless that was fresh."""
        kept = self._kept.get(scope)
        if kept is not None and kept.token.token != refused:
            return True
        if self._fresh(scope):
            return False
        try:
            await asyncio.shield(self._renewal(scope, {}))
        except AzureError:
            return False
        self._mended[scope] = self._kept[scope].token.token
        return self._mended[scope] != refused

    async def close(self) -> None:
        """Ends a renewal that is under way; the identity can be asked again."""
        for task in list(self._renewals.values()):
            task.cancel()
        await asyncio.gather(*self._renewals.values(), return_exceptions=True)

    async def __aenter__(self) -> Identity:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _fresh(self, scope: str) -> bool:
        kept = self._kept.get(scope)
        if kept is None:
            return False
        longest_s = MENDED_S if self._mended.get(scope) == kept.token.token else FRESH_S
        return self._clock() - kept.since < min(longest_s, kept.life_s / 10)

    def _renewal(self, scope: str, demands: Mapping[str, Any]) -> asyncio.Task[None]:
        """The renewal that is under way, else a new one."""
        task = self._renewals.get(scope)
        if task is None:
            task = self._renewals[scope] = asyncio.create_task(self._renew(scope, demands))
            task.add_done_callback(lambda done: self._ended(scope, done))
        return task

    def _ended(self, scope: str, task: asyncio.Task[None]) -> None:
        self._renewals.pop(scope, None)
        if not task.cancelled():
            task.exception()  # whoever waited has it, and the next who asks

    async def _renew(self, scope: str, demands: Mapping[str, Any]) -> None:
        try:
            async with asyncio.timeout(RENEWAL_S):
                credential = await asyncio.to_thread(self._make)  # the first time it imports for a third of a second
                async with credential:
                    token = await credential.get_token(scope, **demands)
        except (AzureError, TimeoutError, ValueError) as error:
            said = _said(error)
            self._failed[scope] = self._clock() + RETRY_S, said
            log.warning("identity.not_renewed", scope=scope, error=said.message)
            raise said from None
        self._failed.pop(scope, None)
        self._kept[scope] = _Kept(token, self._clock())
        log.info("identity.renewed", scope=scope, expires_on=token.expires_on)


class Identities:
    """The identities of this process, each of them once, whoever uses it."""

    def __init__(self) -> None:
        self._found: dict[tuple[str | None, str | None], Identity] = {}

    def of(self, entra: Entra) -> Identity:
        """The identity that the settings name."""
        client, tenant = entra.client_id, entra.tenant_id
        return self._found.setdefault((client, tenant), Identity(lambda: found_here(client, tenant)))

    async def aclose(self) -> None:
        for identity in self._found.values():
            await identity.close()


def found_here(client_id: str | None, tenant_id: str | None) -> AsyncTokenCredential:
    """Whoever this process is by azure-identity's DefaultAzureCredential; of several, the one of `client_id`."""
    from azure.identity.aio import DefaultAzureCredential

    options: dict[str, Any] = {}
    if client_id is not None:
        options |= {"managed_identity_client_id": client_id, "workload_identity_client_id": client_id}
        # A service principal of the environment goes first there, whoever it is.
        options["exclude_environment_credential"] = os.environ.get("AZURE_CLIENT_ID", "") != client_id
    if tenant_id is not None:
        options |= {"workload_identity_tenant_id": tenant_id, "additionally_allowed_tenants": [tenant_id]}
    return DefaultAzureCredential(**options)


def _said(error: Exception) -> AzureError:
    if isinstance(error, TimeoutError):
        return ServiceRequestError(f"The identity provider gave no answer within {RENEWAL_S:.0f} seconds.")
    if isinstance(error, ClientAuthenticationError | ValueError):
        return NoIdentity(*in_short(str(error), os.environ))
    return error if isinstance(error, AzureError) else ServiceRequestError(type(error).__name__)
