"""Creates whose answer nobody knows, at one place (`admission.scope`): any of them may have made a job that is listed
there and belongs to nobody."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.keys import Ref
from orchestrator.records import Item, Spec, decode
from orchestrator.store import Store

#: Loaded at once.
PAGE = 200


@dataclass(frozen=True, slots=True)
class Rival:
    """Another create that may have made a job: what it ordered, and when its intent was written (Unix seconds)."""

    ref: str
    spec: Spec
    intent_at: float


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
        Rival(name, item.spec, item.attempt.intent_at)
        for name, item in await asked(store, scope, since=since, until=until)
        if name != attempt and item.attempt is not None and item.attempt.intent_at is not None
    ]
