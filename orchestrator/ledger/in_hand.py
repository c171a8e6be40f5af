"""Creates whose answer nobody knows, at one place (`admission.scope`): any of them may have made a job that is listed
there and belongs to nobody. And what is in flight there with its id known."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from orchestrator.items.states import State
from orchestrator.ledger import views
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Item, Spec, decode
from orchestrator.ledger.store import Store

#: Loaded at once.
PAGE = 200


@dataclass(frozen=True, slots=True)
class Rival:
    """Another create that may have made a job: what it ordered, and when its intent was written (Unix seconds).
    `undecided`: it is looked into still, not held."""

    ref: str
    spec: Spec
    intent_at: float
    undecided: bool = True


@dataclass(frozen=True, slots=True)
class Flight:
    """An item whose remote job is known, and not archived yet."""

    ref: Ref
    state: State
    deployment: str


def shape(spec: Spec) -> str:
    """What a job shows of an order besides its prompt; of a remix, size and seconds are its source's."""
    return "remix" if spec.remix_of is not None else f"{spec.size} {spec.seconds}"


def split(attempt: str) -> tuple[Ref, int]:
    """An attempt's ref, `BATCH/ITEM#N`, as its parts."""
    ref, _, number = attempt.rpartition("#")
    batch, _, item = ref.partition("/")
    return Ref(batch, item), int(number)


def ref_of(ref: Ref, number: int) -> str:
    """The other way."""
    return f"{ref}#{number}"


async def asked(
    store: Store, scope: str, *, since: float = float("-inf"), until: float = float("inf")
) -> list[tuple[str, Item]]:
    """Attempts without an answer whose intent was written between these instants (Unix seconds), oldest first, with
    their items; those that were held too."""
    low, high = (at if abs(at) == float("inf") else at * 1000 for at in (since, until))
    names = [raw.decode() for raw in await store.redis.zrangebyscore(store.keys.asked(scope), low, high)]
    found = []
    for start in range(0, len(names), PAGE):
        page = names[start : start + PAGE]
        pipe = store.redis.pipeline(transaction=False)
        for name in page:
            ref, number = split(name)
            pipe.hgetall(store.keys.item(ref))
            pipe.hget(store.keys.specs(ref.batch), ref.item)
            pipe.hgetall(store.keys.attempt(ref, number))
        answers = iter(await pipe.execute())
        for name, fields, spec, attempt in zip(page, answers, answers, answers, strict=True):
            if fields and spec and attempt:
                ref, number = split(name)
                found.append((name, Item.parse(ref, decode(fields) | {"attempt": str(number)}, spec, decode(attempt))))
    return found


async def rivals(store: Store, scope: str, attempt: str, *, since: float, until: float) -> list[Rival]:
    """What else was asked for there between these instants of the ledger's clock, and is not answered."""
    return [
        Rival(name, item.spec, item.attempt.intent_at, item.state is State.CREATING)
        for name, item in await asked(store, scope, since=since, until=until)
        if name != attempt and item.attempt is not None and item.attempt.intent_at is not None
    ]


async def in_flight(store: Store, deployments: Sequence[str]) -> dict[str, Flight]:
    """What renders there, or is still to be fetched from there: remote id → its item."""
    found = {}
    for name in deployments:
        async for page in _pages(await _open_at(store, name)):
            pipe = store.redis.pipeline(transaction=False)
            for ref in page:
                pipe.hmget(store.keys.item(ref), ["state", "remote_id", "deployment"])
            for ref, (state, remote_id, where) in zip(page, await pipe.execute(), strict=True):
                if remote_id and where == name.encode() and state in (b"rendering", b"archiving"):
                    found[remote_id.decode()] = Flight(ref, State(state.decode()), name)
    return found


async def doubtful(store: Store) -> AsyncIterator[Item]:
    """Every item whose create is out or in doubt, and every one that is held, in the order of batches and rows."""
    for batch in await views.batches(store):
        if batch.counts[State.CREATING] or batch.counts[State.HELD]:
            async for item in views.items(store, batch.name, {State.CREATING, State.HELD}):
                yield item


async def _open_at(store: Store, deployment: str) -> list[Ref]:
    pipe = store.redis.pipeline(transaction=False)
    pipe.zrange(store.keys.open(deployment), 0, -1)
    pipe.smembers(store.keys.fetch(deployment))
    attempts, items = await pipe.execute()
    batches = [raw.decode().partition("/") for raw in items]
    return [split(raw.decode())[0] for raw in attempts] + [Ref(batch, item) for batch, _, item in batches]


async def _pages(refs: Sequence[Ref]) -> AsyncIterator[Sequence[Ref]]:
    for start in range(0, len(refs), PAGE):
        yield refs[start : start + PAGE]
