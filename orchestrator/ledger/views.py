"""Reading the ledger for people: batches, their items in manifest order, and what a deployment is at.

Items come in pages, so that a batch of any size costs the same memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass

from orchestrator.items.states import State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.periods import limits
from orchestrator.ledger.records import Attempt, Batch, Fields, Item, decode, instant
from orchestrator.ledger.replacements import replacements
from orchestrator.ledger.store import Store
from orchestrator.settings import Budgets

PAGE = 500
#: What tells whether an attempt's create was sent.
_SENT = ["intent_at", "remote_id", "orphan_id", "outcome", "status"]


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """A deployment's standing. Instants are Unix seconds.

    stopped, message    why a create was refused, as a word and in the server's words; `probe_at`: when it is asked
                        again, after `probes` times in vain, last with `probe_error`
    probation           one item at a time is tried there, until a create is accepted
    cool_reason         why it rests until `cool_until`; so do others that share its quota
    recovering          Redis is new or began anew, and the list of jobs there is still to be looked through
    first_look          nothing was known of that place; `next_look_at`: when it is looked at again, where one look was
                        too early or told nothing; `recovery_error`: why, `needs_person`: nor will the next one, so a
                        person has to resume the deployment
    strays              jobs that the last look through the list found and nobody here knew
    paused              a person paused it, until `paused_until` or (None) until resumed; a pause may have run out
    """

    stopped: str | None
    stopped_at: float | None
    message: str | None
    probe_at: float | None
    probes: int
    probe_error: str | None
    probation: bool
    cool_until: float | None
    cool_reason: str | None
    paused: bool
    paused_at: float | None
    paused_until: float | None
    paused_reason: str | None
    paused_by: str | None
    recovering: bool
    first_look: bool
    next_look_at: float | None
    recovery_error: str | None
    needs_person: bool
    strays: int

    @classmethod
    def parse(cls, fields: Fields, quota: Fields, recovery: Fields) -> DeploymentView:
        """From the hashes of the deployment, of the quota that it shares (else empty), and of its scope's recovery."""
        cooled = max((fields, quota), key=lambda f: float(f.get("cool_until") or 0))
        return cls(
            fields.get("stopped"),
            instant(fields, "stopped_at"),
            fields.get("message"),
            instant(fields, "probe_at"),
            int(fields.get("probes") or 0),
            fields.get("probe_error"),
            "probation" in fields,
            instant(cooled, "cool_until"),
            cooled.get("cool_reason"),
            "paused" in fields,
            instant(fields, "paused_at"),
            instant(fields, "paused_until"),
            fields.get("paused_reason") or None,
            fields.get("paused_by") or None,
            "noticed_at" in recovery,
            "bare" in recovery,
            instant(recovery, "next_at"),
            recovery.get("error"),
            "person" in recovery,
            int(recovery.get("strays") or 0),
        )

    def is_paused(self, now: float) -> bool:
        """Whether it is paused at this time."""
        return self.paused and (self.paused_until is None or self.paused_until > now)


async def batch(store: Store, name: str) -> Batch | None:
    """One batch, or None."""
    fields = await store.read(store.keys.batch(name))
    return Batch.parse(name, fields) if fields else None


async def batches(store: Store) -> list[Batch]:
    """Every batch, oldest first."""
    names = [raw.decode() for raw in await store.redis.zrange(store.keys.batches, 0, -1)]
    pipe = store.redis.pipeline(transaction=False)
    for name in names:
        pipe.hgetall(store.keys.batch(name))
    return [Batch.parse(n, decode(f)) for n, f in zip(names, await pipe.execute(), strict=True) if f]


async def items(store: Store, name: str, states: Collection[State] = ()) -> AsyncIterator[Item]:
    """A batch's items in the manifest's order (revisions behind their first), of these states or of all."""
    replaced = (await replacements(store, name)).by
    start = 0
    while ids := await store.redis.zrange(store.keys.order(name), start, start + PAGE - 1):
        start += PAGE
        refs = [Ref(name, raw.decode()) for raw in ids]
        pipe = store.redis.pipeline(transaction=False)
        for ref in refs:
            pipe.hgetall(store.keys.item(ref))
        pipe.hmget(store.keys.specs(name), ids)
        *hashes, specs = await pipe.execute()
        fields = [decode(h) for h in hashes]
        for ref, f in zip(refs, fields, strict=True):
            pipe.hgetall(store.keys.attempt(ref, int(f.get("attempt") or 0)))
        made = await pipe.execute()
        found = [
            Item.parse(ref, f, spec, decode(attempt))
            for ref, f, spec, attempt in zip(refs, fields, specs, made, strict=True)
            if f and spec and (not states or State(f["state"]) in states)
        ]
        for item, sent in zip(found, await calls(store, found), strict=True):
            yield dataclasses.replace(item, calls=sent, replaced_by=replaced.get(item.ref.item))


async def calls(store: Store, items: Sequence[Item]) -> list[int]:
    """How many creates were sent for each of these items. One whose answer nobody knows counts; an admission that was
    handed back before anything left counts for nothing, though it has a number."""
    found = [int(item.attempt is not None and was_sent(item.attempt.fields)) for item in items]
    others = [(n, each) for n, item in enumerate(items) for each in range(1, item.made + 1) if each != item.attempts]
    if not others:
        return found
    pipe = store.redis.pipeline(transaction=False)
    for n, number in others:
        pipe.hmget(store.keys.attempt(items[n].ref, number), _SENT)
    for (n, _), told in zip(others, await pipe.execute(), strict=True):
        found[n] += was_sent(
            {name: value.decode() for name, value in zip(_SENT, told, strict=True) if value is not None}
        )
    return found


def was_sent(attempt: Fields) -> bool:
    """Whether an attempt is a create call: a remote job is known of it, or it may have left."""
    if attempt.get("remote_id") or attempt.get("orphan_id"):
        return True
    outcome = attempt.get("outcome")
    # An order that no server would take is refused here, and has no status.
    here = outcome == "not_sent" or (outcome not in (None, "unknown") and attempt.get("status") == "")
    return "intent_at" in attempt and not here


async def attempts(store: Store, item: Item) -> list[Attempt]:
    """All attempts of an item, oldest first."""
    pipe = store.redis.pipeline(transaction=False)
    numbers = range(1, item.made + 1)
    for number in numbers:
        pipe.hgetall(store.keys.attempt(item.ref, number))
    return [Attempt.parse(n, decode(f)) for n, f in zip(numbers, await pipe.execute(), strict=True)]


async def deployment(store: Store, name: str) -> DeploymentView:
    """A deployment as the ledger has it."""
    fields = await store.read(store.keys.deployment(name))
    shared = fields.get("quota")
    quota = await store.read(store.keys.quota(shared)) if shared else {}
    return DeploymentView.parse(fields, quota, await recovery_of(store, fields))


async def recovery_of(store: Store, deployment: Fields) -> Fields:
    """What is noted of the scope of a deployment, whose hash this is (`lua/shared/recovery.lua`)."""
    scope = deployment.get("scope")
    return await store.read(store.keys.recovery(scope)) if scope else {}


async def spent(store: Store, budgets: Budgets, now: float) -> dict[str, int]:
    """What of the budgets of the days and months around `now` (Unix seconds) is spent or bound: id → micro-dollars."""
    found = {}
    for budget in limits(budgets, now):
        for period in budget["periods"]:
            fields = await store.read(store.keys.budget(period[0]))
            found[period[0]] = sum(int(fields.get(name) or 0) for name in ("reserved", "unknown", "confirmed"))
    return found


async def archive_refuses_until(store: Store, now: float) -> float | None:
    """Until when the archive, which refused a video, is given none (Unix seconds); None where it refuses nothing."""
    until = instant(await store.read(store.keys.meta), "archive_closed_until")
    return until if until is not None and until > now else None
