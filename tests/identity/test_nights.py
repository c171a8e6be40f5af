"""Whole runs by real processes whose tokens end, are revoked, or whose key is changed, in the middle of the work."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest

from tests.identity.authority import CLIENT
from tests.identity.conftest import Cloud, Ended
from tests.identity.door import AUDIENCE
from tests.main_job.night import Witness
from tests.servers import Azurite

Clouds = Callable[..., Awaitable[Cloud]]
STORAGE = "https://storage.azure.com"


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.02)


async def all_is_archived_and_paid_once(cloud: Cloud, ended: Ended, count: int) -> None:
    assert ended.exit == 0, ended.err
    document = ended.document
    assert (document["items"]["archived"], document["items"]["total"]) == (count, count)
    assert set((await Witness(cloud.sandbox.url).created()).values()) == {1}
    assert len(await Witness(cloud.sandbox.url).jobs()) == count
    assert "eyJ" not in ended.out + ended.err  # no token in any log


async def test_tokens_end_in_the_middle_of_a_run_and_nobody_notices(cloud: Clouds, azurite_oauth: Azurite) -> None:
    """Workload identity, the video API and the archive: each token lives three seconds, and none is refused."""
    place = await cloud(life_s=3, azurite=azurite_oauth)
    place.as_pod()
    archive = place.container("night")
    place.configure({"entra": {"client_id": CLIENT}}, {"url": archive, "auth": {"entra": {"client_id": CLIENT}}})
    place.manifest(8)
    ended = await place.give("run", "night.yaml", "--json")
    await all_is_archived_and_paid_once(place, ended, 8)
    assert not place.door.refused
    assert place.authority.at_once == 1
    assert len(place.authority.of(AUDIENCE)) >= 2
    assert len(place.authority.of(STORAGE)) >= 2
    assert place.authority.assertions == {"of-the-pod"}


@pytest.mark.parametrize("only", ["", "POST"], ids=["everywhere", "for-creates"])
async def test_a_token_is_revoked_in_the_middle_of_a_run_and_the_next_one_serves(cloud: Clouds, only: str) -> None:
    """A create that was refused for it waits again, is paid once, and stops nothing."""
    place = await cloud(life_s=10)
    place.as_pod()
    place.configure({"entra": True})
    place.manifest(8)
    process = await place.start("run", "night.yaml", "--json")
    await until(lambda: place.door.proofs["POST"].total() >= 4)
    place.door.revoke(only=only)
    ended = await place.ended(process)
    await all_is_archived_and_paid_once(place, ended, 8)
    assert place.door.refused.total() >= 1
    assert place.door.refused["POST"] <= 2  # those that were out at the time
    assert place.door.proofs["POST"].total() == 8 + place.door.refused["POST"]
    assert len(place.authority.of(AUDIENCE)) == 2 or not only
    assert "deployment.stopped" not in ended.err


async def test_a_key_is_changed_in_the_middle_of_a_run_and_its_file_is_read_again(cloud: Clouds) -> None:
    place = await cloud()
    place.door.key = "the-first-key-of-two"
    (place.folder / "key").write_text("the-first-key-of-two\n")
    place.configure({"api_key_file": "./key"})
    place.manifest(8)
    process = await place.start("run", "night.yaml", "--json")
    await until(lambda: place.door.proofs["POST"].total() >= 3)
    (place.folder / "new").write_text("the-second-key-of-two\n")
    os.replace(place.folder / "new", place.folder / "key")
    place.door.key = "the-second-key-of-two"
    ended = await place.ended(process)
    await all_is_archived_and_paid_once(place, ended, 8)
    assert set(place.door.proofs["POST"]) == {"the-first-key-of-two", "the-second-key-of-two"}
    assert "deployment.stopped" not in ended.err
    assert "key-of-two" not in ended.out + ended.err


async def test_without_any_identity_a_run_ends_at_once_and_says_what_to_do(cloud: Clouds) -> None:
    place = await cloud()
    place.as_nobody()
    place.configure({"entra": True}, {"url": "https://localhost:1/acme/videos", "auth": {"entra": True}})
    place.manifest(1)
    ended = await place.give("run", "night.yaml")
    assert ended.exit == 3
    last = ended.err.strip().splitlines()[-1]
    assert "No identity was found here" in last
    assert "az login" in last
