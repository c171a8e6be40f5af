"""A status word that nobody here knows means that the job still renders; that is told once, and shown."""

from __future__ import annotations

from structlog.testing import capture_logs

from dailies.reading.documents import item_document
from orchestrator.items.states import State
from orchestrator.ledger.store import Store
from tests.ledger import deployment, state
from tests.workers.test_rounds_of_looks import POLL, Rounds
from workers.rendering.poller import STRANGE_MOST
from workers.video_api import RemoteJob, RemoteStatus


async def look(rounds: Rounds, word: str) -> None:
    """All jobs say this word."""

    async def get(remote_id: str) -> RemoteJob:
        return RemoteJob(remote_id, RemoteStatus.RUNNING, word)

    rounds.providers["east"].get = get  # type: ignore[method-assign]
    for name in await rounds.store.redis.zrange(rounds.store.keys.open("east"), 0, -1):
        await rounds.store.redis.zadd(rounds.store.keys.open("east"), {name: 0})
    rounds.poller.take_on(await rounds.claim())
    await rounds.looked()


async def test_it_is_told_once_for_a_deployment_and_shown_while_it_lasts(store: Store) -> None:
    rounds = Rounds(store, deployment("east", poll=POLL))
    await rounds.render(3, rounds.deployments[0])
    with capture_logs() as logs:
        await look(rounds, "hovering")
        await look(rounds, "hovering")
    assert [line["status"] for line in logs if line["event"] == "status.is_unknown"] == ["hovering"]
    assert await state(store, "k0") is State.RENDERING
    shown = item_document(await rounds.item("k0"), [])
    assert shown["remote_status"] == "hovering"
    assert shown["warning"].startswith("the provider says 'hovering' since 20")
    await look(rounds, "in_progress")
    assert item_document(await rounds.item("k0"), [])["warning"] is None


async def test_a_server_that_makes_words_up_does_not_fill_the_log(store: Store) -> None:
    rounds = Rounds(store, deployment("east", poll=POLL))
    await rounds.render(1, rounds.deployments[0])
    with capture_logs() as logs:
        for n in range(STRANGE_MOST + 5):
            await look(rounds, f"{n} " + 1000 * "x")
    told = [line["status"] for line in logs if line["event"] == "status.is_unknown"]
    assert len(told) == STRANGE_MOST
    assert max(map(len, told)) <= 60
