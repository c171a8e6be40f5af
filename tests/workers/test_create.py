"""What each outcome of a create means (promises 3 and 22), and the step around it (promises 1 to 4)."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import pytest
import stamina
import structlog
from redis.exceptions import ConnectionError, TimeoutError  # noqa: A004

import workers.rendering.create
from orchestrator.items.states import Event, State
from orchestrator.ledger import remote_ids, views
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Claim
from tests.ledger import deployment
from tests.main_job.night import until
from tests.workers.creating import Desk
from workers.harness import Harness
from workers.rendering.create import create
from workers.rendering.verdict import decide
from workers.video_api import Accepted, CreateOutcome, Image, NotSent, Order, RefusalKind, Refused, Unknown


def refused(kind: RefusalKind, status: int = 400, retry_after_s: float | None = None) -> Refused:
    return Refused(kind, status, None, "the server's words", "req-1", retry_after_s)


def test_an_unsent_order_waits_again_and_costs_nothing() -> None:
    decision = decide(NotSent("connection refused"), deployment())
    assert (decision.event, decision.money) == (Event.RETURNED, "none")
    assert decision.deployment is not None
    assert decision.deployment["backoff"]


def test_an_unknown_outcome_moves_nothing_and_keeps_its_money_as_spent() -> None:
    decision = decide(Unknown("500 after send", 500, "req-1"), deployment())
    assert (decision.event, decision.money, decision.due_in_s) == (Event.UNCERTAIN, None, None)


@pytest.mark.parametrize(
    "outcome",
    [Unknown("503", 503, None, 30.0), Unknown("a 429 that nobody knows", 429, None, 30.0)],
)
def test_a_server_that_fails_and_says_for_how_long_is_left_alone_for_so_long(outcome: Unknown) -> None:
    decision = decide(outcome, deployment())
    assert decision.deployment is not None
    assert decision.deployment["cool_ms"] == 30_000
    assert "backoff" not in decision.deployment


@pytest.mark.parametrize("retry_after_s", [None, 0.0])
def test_a_server_that_fails_without_a_word_is_left_alone_longer_each_time(retry_after_s: float | None) -> None:
    """Else an outage makes an unknown outcome of every item of the night."""
    decision = decide(Unknown("500 after send", 500, "req-1", retry_after_s), deployment())
    assert decision.deployment is not None
    assert (decision.deployment["cool_ms"], decision.deployment["backoff"]) == (1_000, 60_000)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (RefusalKind.INVALID, "invalid_request"),
        (RefusalKind.MODERATED, "moderation_refused"),
        (RefusalKind.SOURCE_MISSING, "source_missing"),
    ],
)
def test_an_order_refused_for_what_it_is_fails_unbilled_in_the_servers_words(kind: RefusalKind, code: str) -> None:
    decision = decide(refused(kind), deployment())
    assert (decision.event, decision.money) == (Event.REFUSED, "none")
    assert (decision.item["reason"], decision.item["message"]) == (code, "the server's words")
    assert decision.deployment is None


def test_the_field_that_the_server_blames_is_named_first() -> None:
    decision = decide(dataclasses.replace(refused(RefusalKind.INVALID), field="size"), deployment())
    assert decision.item["message"] == "size: the server's words"


@pytest.mark.parametrize("kind", [RefusalKind.AUTH, RefusalKind.DEPLOYMENT_MISSING, RefusalKind.MODEL_RETIRED])
def test_a_wrong_key_a_missing_deployment_and_a_retired_model_stop_the_deployment_not_the_item(
    kind: RefusalKind,
) -> None:
    decision = decide(refused(kind, 401), deployment())
    assert (decision.event, decision.money) == (Event.RETURNED, "none")
    assert decision.deployment == {"stop": str(kind), "message": "the server's words"}


@pytest.mark.parametrize(
    ("kind", "limit"), [(RefusalKind.RATE_LIMITED, "rate"), (RefusalKind.TOO_MANY_RUNNING, "slots")]
)
def test_a_429_says_of_which_limit_it_was_one_too_many_and_until_when(kind: RefusalKind, limit: str) -> None:
    decision = decide(refused(kind, 429, retry_after_s=17.0), deployment())
    assert (decision.event, decision.money) == (Event.RETURNED, "none")
    assert decision.deployment == {"refused": limit, "reason": str(kind), "retry_ms": 17_000}
    decision = decide(refused(kind, 429), deployment())
    assert decision.deployment == {"refused": limit, "reason": str(kind)}


@pytest.mark.parametrize(("told_s", "parked_s"), [(7200.0, 7200), (None, 3600)])
def test_a_quota_that_is_used_up_parks_the_deployment(told_s: float | None, parked_s: int) -> None:
    decision = decide(refused(RefusalKind.QUOTA_EXHAUSTED, 429, retry_after_s=told_s), deployment())
    assert (decision.event, decision.money) == (Event.RETURNED, "none")
    assert decision.deployment == {"cool_ms": 1000 * parked_s, "reason": "quota_exhausted", "whole_quota": True}


def test_a_429_from_a_gateway_is_looked_up_before_anything_is_sent_again() -> None:
    decision = decide(refused(RefusalKind.RATE_LIMITED, 429, retry_after_s=17.0), deployment(gateway=True))
    assert decision.event is Event.UNCERTAIN
    assert decision.deployment is not None
    assert decision.deployment["cool_ms"] == 17_000


async def test_what_is_decided_of_a_forgotten_create_is_not_decided_of_one_that_took_its_version(desk: Desk) -> None:
    """Promise 12: a ledger that came back older counts the same versions once more, while a create of before is out."""
    post = desk.api.create

    async def rolled_back_meanwhile(order: Any, *, send_by: float) -> Any:
        await desk.store.redis.hset(desk.store.keys.attempt(Ref("a", "a"), 1), "token", "another create's")
        await post(order, send_by=send_by)
        return refused(RefusalKind.RATE_LIMITED, 429)

    desk.api.create = rolled_back_meanwhile
    found = await desk.created("a")
    assert (found.state, found.attempt and found.attempt.money) == (State.CREATING, "unknown")


async def test_an_unknown_outcome_closes_its_deployment_for_a_while(desk: Desk) -> None:
    await desk.witness.fault(on="create", do="status", status=503, headers={"Retry-After": "30"})
    assert (await desk.created("a")).state is State.CREATING
    assert ((await views.deployment(desk.store, "east")).cool_until or 0) > desk.station.clock() + 25


async def test_the_first_look_comes_when_a_job_of_its_kind_might_first_be_done(desk: Desk) -> None:
    await desk.created("a")
    assert await desk.due_in_s("a") == pytest.approx(20, abs=2)
    assert desk.woken[-1] == 20
    key = desk.store.keys.timings("east")
    await desk.store.redis.hset(key, "render 1280x720 4", "90000 4 70000,90000,100000,100000")
    desk.station.renders._read_at.clear()
    await desk.created("b")
    assert await desk.due_in_s("b") == pytest.approx(70, abs=2)


@pytest.fixture
def at_once() -> Iterator[None]:
    """Let nothing pause before it is tried again."""
    stamina.set_testing(True, attempts=10, cap=True)
    yield
    stamina.set_testing(False)


@pytest.mark.usefixtures("at_once")
async def test_an_accepted_id_is_recorded_however_long_redis_is_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept, away = desk.store.accept, [ConnectionError("gone"), TimeoutError("slow"), OSError("refused")]

    async def late(*args: Any, **more: Any) -> Any:
        if away:
            raise away.pop()
        return await accept(*args, **more)

    monkeypatch.setattr(desk.store, "accept", late)
    with structlog.testing.capture_logs() as lines:
        found = await desk.created("a")
    (job,) = await desk.witness.jobs()
    assert (found.state, found.remote_id) == (State.RENDERING, job["id"])
    told = [line["remote_id"] for line in lines if line["event"] == "remote_id.not_recorded"]
    assert told == [job["id"]]


async def test_an_order_leaves_within_its_time_limit_on_a_clock_that_goes_on_in_a_machine_that_sleeps(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    async def post(order: Order, *, send_by: float) -> CreateOutcome:
        seen.append(send_by)
        return NotSent("not today")

    desk.api.create = post
    monkeypatch.setattr(workers.rendering.create, "boot_clock", lambda: 1000.0)
    await desk.created("a")
    assert seen == [1000.0 + desk.east.create_timeout_s]


async def test_a_slow_image_costs_the_claim_and_then_no_intent_is_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it was read the item became due, and another worker has it."""
    item = await desk.admitted("a", image_sha256="0" * 64)

    async def slow(*_: Any) -> Image:
        await desk.store.redis.hincrby(desk.store.keys.item(item.ref), "v", 1)
        return Image("a.png", "image/png", b"")

    async def intend(*_: Any, **__: Any) -> Any:
        raise AssertionError("an intent was asked for")

    monkeypatch.setattr(workers.rendering.create, "stored_image", slow)
    monkeypatch.setattr(desk.store, "intend", intend)
    await create(desk.station, item)
    assert (await desk.item("a")).state is State.ADMITTED


async def test_a_claim_is_prolonged_after_its_image_is_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    item = await desk.admitted("a", image_sha256="0" * 64)
    member = f"{item.ref}#{item.attempts}"

    async def slow(*_: Any) -> Image:
        await desk.store.redis.zadd(desk.store.keys.open("east"), {member: 1})  # as if it took that long
        return Image("a.png", "image/png", b"")

    async def intend(*_: Any, **__: Any) -> Any:
        assert await desk.due_in_s("a") > desk.station.claim_s / 2
        return "stale", 0, 0.0

    monkeypatch.setattr(workers.rendering.create, "stored_image", slow)
    monkeypatch.setattr(desk.store, "intend", intend)
    await create(desk.station, item)


async def test_a_row_that_is_no_remix_any_more_goes_out_as_a_plain_create(desk: Desk) -> None:
    item = await desk.admitted("a")
    sent = []

    async def post(order: Order, *, send_by: float) -> CreateOutcome:
        sent.append(order.remix_of)
        return NotSent("not today")

    desk.api.create = post
    await create(desk.station, dataclasses.replace(item, fields={**item.fields, "source_id": "video_0"}))
    assert sent == [None]


async def test_a_job_without_a_time_is_as_old_as_the_answer_that_named_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the provider's clock, in which listings are asked for."""
    post = desk.api.create

    async def timeless(order: Order, *, send_by: float) -> CreateOutcome:
        outcome: Accepted = await post(order, send_by=math.inf)
        return dataclasses.replace(outcome, job=dataclasses.replace(outcome.job, created_at=None))

    desk.api.create = timeless
    desk.clock.off_s = 5000.0
    found = await desk.created("a")
    assert found.attempt is not None
    newest = await remote_ids.newest(desk.store, found.attempt.scope)
    assert newest is not None
    assert newest[1] > desk.station.clock() + 4000


async def test_an_archive_that_never_answers_costs_the_slot_no_longer_than_a_create_may_take(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the claim is renewed for as long as the image is read."""
    item = await desk.admitted("a", image_sha256="0" * 64)

    async def hangs(*_: Any) -> Image:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(workers.rendering.create, "stored_image", hangs)
    short = deployment("east", create_timeout_s=1.0)
    line = dataclasses.replace(desk.station.lines["east"], deployment=short)
    await create(dataclasses.replace(desk.station, lines={"east": line}), item)
    assert (await desk.item("a")).state is State.WAITING
    told = (await desk.store.read(desk.store.keys.deployment("east"))).values()
    assert any("input_reference: the archive did not answer within 1 s" in each for each in told), told
    assert await desk.store.redis.zcard(desk.store.keys.open("east")) == 0


async def test_a_create_that_is_not_answered_renews_its_claim_no_more_once_its_intent_is_written(desk: Desk) -> None:
    """However long it takes and however often its worker asks: reconcile takes it on when it was said to."""
    station = dataclasses.replace(desk.station, claim_s=0.03)
    item = await desk.admitted("a")
    asked: list[bool] = []
    renew = type(desk.store).renew
    answered = asyncio.Event()

    async def counted(self: Any, *arguments: Any) -> bool:
        asked.append(await renew(self, *arguments))
        return asked[-1]

    async def slow(*_: Any, **__: Any) -> CreateOutcome:
        await answered.wait()
        return NotSent("at last")

    desk.api.create = slow
    step = Harness(station).item_step(create, cuts=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(desk.store), "renew", counted)
        working = asyncio.create_task(step(Claim("create", item.ref, item.version, item.attempts)))

        async def refused_once() -> bool:
            return working.done() or asked[-1:] == [False]

        await until(refused_once)
    assert (await desk.item("a")).state is State.CREATING
    assert await desk.due_in_s("a") <= 2 * desk.east.create_timeout_s + desk.east.settle_s
    assert asked.count(False) == 1, "it asked no more"
    answered.set()
    await working
