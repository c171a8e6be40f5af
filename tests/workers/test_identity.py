"""Tokens of Entra ID: kept, renewed ahead of their end and when refused, one renewal at a time, for all who share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError, ClientAuthenticationError, ServiceRequestError

from orchestrator.settings.entra import ApiEntra, Entra
from workers.identity.credentials import OPENAI_SCOPE, entra_token
from workers.identity.entra import Identities, Identity
from workers.identity.words import NoIdentity

SCOPE = "https://cognitiveservices.azure.com/.default"
HOUR = 3600


@dataclass
class Provider:
    """An identity provider by hand: `now` is its clock and ours."""

    now: float = 1_000_000.0
    life_s: int = HOUR
    asked: list[str] = field(default_factory=list)
    demands: list[dict[str, object]] = field(default_factory=list)
    error: Exception | None = None
    gate: asyncio.Event | None = None
    same: bool = False

    def identity(self) -> Identity:
        return Identity(lambda: self, lambda: self.now)  # type: ignore[arg-type,return-value]

    async def get_token(self, scope: str, **demands: object) -> AccessToken:
        self.asked.append(scope)
        self.demands.append(demands)
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        number = 1 if self.same else len(self.asked)
        return AccessToken(f"token-{number}", int(self.now) + self.life_s)

    async def __aenter__(self) -> Provider:
        return self

    async def __aexit__(self, *_: object) -> None: ...


async def told(identity: Identity) -> str:
    return (await identity.get_token(SCOPE)).token


async def until_asked(provider: Provider, times: int) -> None:
    while len(provider.asked) < times:
        await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_a_token_serves_everybody_until_five_minutes_before_its_end() -> None:
    provider = Provider()
    identity = provider.identity()
    assert {await told(identity) for _ in range(3)} == {"token-1"}
    provider.now += HOUR - 301
    assert await told(identity) == "token-1"
    assert provider.asked == [SCOPE]


async def test_many_who_need_a_token_at_once_ask_for_one() -> None:
    provider = Provider(gate=asyncio.Event())
    identity = provider.identity()
    waiting = [asyncio.create_task(told(identity)) for _ in range(50)]
    await until_asked(provider, 1)
    assert provider.gate is not None
    provider.gate.set()
    assert set(await asyncio.gather(*waiting)) == {"token-1"}
    assert len(provider.asked) == 1


async def test_one_who_gives_up_waiting_does_not_end_the_renewal_of_the_others() -> None:
    provider = Provider(gate=asyncio.Event())
    identity = provider.identity()
    hasty, patient = asyncio.create_task(told(identity)), asyncio.create_task(told(identity))
    await until_asked(provider, 1)
    hasty.cancel()
    await asyncio.gather(hasty, return_exceptions=True)
    assert provider.gate is not None
    provider.gate.set()
    assert await patient == "token-1"


async def test_nobody_waits_for_a_renewal_while_the_old_token_is_good() -> None:
    provider = Provider()
    identity = provider.identity()
    await told(identity)
    provider.now += HOUR - 299
    provider.gate = asyncio.Event()
    assert [await told(identity), await told(identity)] == ["token-1", "token-1"]
    await until_asked(provider, 2)
    provider.gate.set()
    while await told(identity) == "token-1":
        await asyncio.sleep(0)
    assert len(provider.asked) == 2


async def test_while_no_new_token_can_be_had_the_old_one_is_used_as_long_as_it_lasts() -> None:
    provider = Provider()
    identity = provider.identity()
    await told(identity)
    provider.error = ServiceRequestError("down")
    provider.now += HOUR - 10
    assert [await told(identity), await told(identity)] == ["token-1", "token-1"]
    assert len(provider.asked) == 2  # not with every request
    provider.now += 11
    with pytest.raises(AzureError, match="down"):
        await told(identity)
    provider.error = None
    provider.now += 11
    assert await told(identity) == "token-4"


async def test_a_failure_is_told_to_everybody_and_asked_about_again_only_after_ten_seconds() -> None:
    provider = Provider(error=ClientAuthenticationError("AADSTS700016: Application with identifier 'x' was not found"))
    identity = provider.identity()
    for _ in range(5):
        with pytest.raises(NoIdentity, match="AADSTS700016.*check client_id"):
            await told(identity)
    assert len(provider.asked) == 1
    provider.error, provider.now = None, provider.now + 11
    assert await told(identity) == "token-2"


async def test_a_token_that_was_refused_is_renewed_once_for_all_whom_it_was_refused() -> None:
    provider = Provider()
    identity = provider.identity()
    await told(identity)
    provider.now += 120
    assert all(await asyncio.gather(*(identity.renewed(SCOPE, "token-1") for _ in range(10))))
    assert len(provider.asked) == 2
    assert await told(identity) == "token-2"


async def test_a_fresh_token_that_is_refused_is_not_renewed_since_rights_are_missing() -> None:
    provider = Provider()
    identity = provider.identity()
    await told(identity)
    provider.now += 59
    assert not await identity.renewed(SCOPE, "token-1")
    assert len(provider.asked) == 1


async def test_a_new_token_that_is_refused_as_well_is_not_asked_for_again_and_again() -> None:
    provider = Provider()
    identity = provider.identity()
    await told(identity)
    provider.now += 120
    assert await identity.renewed(SCOPE, "token-1")
    assert not any([await identity.renewed(SCOPE, "token-2") for _ in range(5)])
    assert len(provider.asked) == 2


async def test_creates_that_are_minutes_apart_do_not_renew_for_ever_where_rights_are_missing() -> None:
    """A quota of one a minute: the second refusal says so, and the deployment stops."""
    provider = Provider()
    identity = provider.identity()
    refused = await told(identity)
    provider.now += 1000
    assert await identity.renewed(SCOPE, refused)
    for _ in range(4):
        provider.now += 70
        assert not await identity.renewed(SCOPE, await told(identity))
    assert len(provider.asked) == 2


async def test_a_provider_that_gives_the_same_token_again_has_renewed_nothing() -> None:
    """The metadata service of a machine keeps its tokens for hours."""
    provider = Provider(same=True)
    identity = provider.identity()
    await told(identity)
    provider.now += 120
    assert not await identity.renewed(SCOPE, "token-1")


async def test_what_a_server_demands_reaches_the_provider() -> None:
    provider = Provider()
    identity = provider.identity()
    await told(identity)
    provider.now += 120
    token = await identity.get_token(SCOPE, claims="{}", tenant_id="t")
    assert (token.token, provider.demands[-1]) == ("token-2", {"claims": "{}", "tenant_id": "t"})


async def test_short_tokens_are_renewed_at_half_their_life() -> None:
    provider = Provider(life_s=20)
    identity = provider.identity()
    await told(identity)
    provider.now += 9
    assert await told(identity) == "token-1"
    provider.now += 10
    assert await told(identity) == "token-2"


def test_deployments_and_archive_of_one_identity_share_it() -> None:
    identities = Identities()
    one, other = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
    assert identities.of(Entra(client_id=one)) is identities.of(ApiEntra(client_id=one, scope="api://x/.default"))
    assert identities.of(Entra(client_id=one)) is not identities.of(Entra(client_id=other))
    assert identities.of(Entra()) is not identities.of(Entra(tenant_id="contoso.example"))


@pytest.mark.parametrize(
    ("endpoint", "scope"),
    [
        ("https://r.openai.azure.com", OPENAI_SCOPE),
        ("https://r.services.ai.azure.com", OPENAI_SCOPE),
        ("https://gateway.example.com/v1", OPENAI_SCOPE),
        ("https://r.openai.azure.us", "https://cognitiveservices.azure.us/.default"),
        ("https://r.openai.azure.cn", "https://cognitiveservices.azure.cn/.default"),
    ],
)
def test_tokens_are_asked_for_azures_own_scope_unless_another_is_written(endpoint: str, scope: str) -> None:
    assert entra_token(ApiEntra(), endpoint, Identities()).scope == scope
    own = "https://ai.azure.com/.default"
    assert entra_token(ApiEntra(scope=own), endpoint, Identities()).scope == own
