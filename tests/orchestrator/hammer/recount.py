"""What the ledger holds at one instant, counted anew: whatever it keeps as a sum, a set or an owner must come out of
its items and attempts."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.items.states import MOVING, OPEN, State
from orchestrator.ledger.store import Store
from tests.orchestrator.hammer.fleet import BUDGETS, LIMITS, POOL, quota_of

SNAPSHOT = (Path(__file__).parent / "snapshot.lua").read_text()
MONEY = ("reserved", "unknown", "confirmed")

Fields = dict[str, str]


@dataclass
class Snapshot:
    """All hashes, and the members of all sets, by key without the prefix."""

    hashes: dict[str, Fields]
    sets: dict[str, list[str]]

    def named(self, prefix: str) -> dict[str, Fields]:
        """The hashes of one kind, by what follows the prefix."""
        return {key.removeprefix(prefix): value for key, value in self.hashes.items() if key.startswith(prefix)}

    @property
    def moving(self) -> list[str]:
        """Items that are not in a final state."""
        return [ref for ref, item in self.named("item:").items() if item["state"] in MOVING]


async def snapshot(store: Store) -> Snapshot:
    """In one script, so that nothing happens meanwhile."""
    raw: list[tuple[str, str, Any]] = json.loads(await store.redis.register_script(SNAPSHOT)(args=[store.keys.prefix]))
    found = Snapshot({}, {})
    for name, kind, held in raw:
        key = name.removeprefix(store.keys.prefix)
        if kind == "hash":
            found.hashes[key] = dict(zip(held[::2], held[1::2], strict=True))
        else:
            found.sets[key] = list(held)
    return found


class Recount:
    """Every check of one snapshot: call it."""

    def __init__(self, found: Snapshot) -> None:
        self.found = found
        self.items, self.attempts = found.named("item:"), found.named("attempt:")
        self.batches = found.named("batch:")
        self.current = {f"{ref}#{item['attempt']}": ref for ref, item in self.items.items() if item["attempt"] != "0"}

    def __call__(self) -> None:
        self.slots()
        self.counters()
        self.money()
        self.owners()
        self.queues()
        self.learned()

    def slots(self) -> None:
        """Those in use are the open attempts, and no more than there are."""
        open_, late = defaultdict(set), Counter[str]()
        for attempt, ref in self.current.items():
            item, fields = self.items[ref], self.attempts[attempt]
            if item["state"] in OPEN:
                open_[fields["deployment"]].add(attempt)
                # Late evidence may bring back an attempt whose slot somebody else has by now: a job that was finished,
                # or taken for another's.
                late[quota_of(fields["deployment"])] += "completed_at" in fields or item.get("billed") == "unknown"
        told = {k.removeprefix("open:"): set(refs) for k, refs in self.found.sets.items() if k.startswith("open:")}
        assert told == dict(open_), "slots in use are not the open attempts"
        used = Counter({quota: -count for quota, count in late.items()})
        for name, refs in open_.items():
            used[quota_of(name)] += len(refs)
        for quota, count in used.items():
            limit = LIMITS[quota]
            assert not limit.told or limit.slots is None or count <= limit.slots, f"{count} slots in use at {quota}"

    def counters(self) -> None:
        """Of each batch, by state; and it is final when nothing of it moves."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        paused: Counter[str] = Counter()
        for ref, item in self.items.items():
            batch = ref.partition("/")[0]
            counts[batch][item["state"]] += 1
            paused[batch] += item["state"] == "waiting" and "paused" in item
        for name, fields in self.batches.items():
            told = {state: int(fields.get(f"n:{state}", 0)) for state in State}
            assert {s: n for s, n in told.items() if n} == counts[name], f"the counters of {name}"
            assert int(fields["total"]) == sum(counts[name].values())
            assert int(fields.get("paused_items", 0)) == paused[name], f"items of {name} that are paused"
            moving = sum(counts[name][state] for state in MOVING)
            assert (fields["state"] == "final") is (moving == 0), f"{name} is {fields['state']}, and {moving} move"

    def money(self) -> None:
        """Of batches, days and months: what their attempts say, and no more than their budgets."""
        batches: dict[str, Counter[str]] = defaultdict(Counter)
        periods: dict[str, Counter[str]] = defaultdict(Counter)
        for attempt, fields in self.attempts.items():
            money, price = fields["money"], int(fields["price"])
            ref = self.current.get(attempt)
            holds = ref is not None and self.items[ref]["state"] == State.ADMITTED
            assert (money == "reserved") is holds, f"{attempt} has its money {money}"
            doubted = ref is not None and self.items[ref]["state"] in (State.ADMITTED, State.CREATING, State.HELD)
            assert doubted or "remote_id" in fields or money == "none", f"{attempt} made nothing: {money}"
            batches[attempt.partition("/")[0]][money] += price
            for period in fields["budgets"].split():
                periods[period][money] += price
        for name, batch in self.batches.items():
            assert {m: int(batch[m]) for m in MONEY} == {m: batches[name][m] for m in MONEY}, f"the money of {name}"
            spent = sum(int(batch[m]) for m in MONEY)
            assert spent <= int(batch.get("budget", spent)), f"{name} spent {spent}"
        told = self.found.named("budget:")
        assert set(told) == set(periods)
        limits = {"day": BUDGETS.day_usd, "month": BUDGETS.month_usd}
        for period, fields in told.items():
            assert {m: int(fields.get(m, 0)) for m in MONEY} == {m: periods[period][m] for m in MONEY}, period
            limit = limits[period.partition(":")[0]]
            assert limit is not None
            assert sum(int(fields.get(m, 0)) for m in MONEY) <= limit * 1_000_000

    def owners(self) -> None:
        """A remote id belongs to one attempt, which knows it; nothing is an orphan."""
        owners = {job: attempt for scope in self.found.named("remote:").values() for job, attempt in scope.items()}
        known = {attempt: fields["remote_id"] for attempt, fields in self.attempts.items() if "remote_id" in fields}
        assert {attempt: job for job, attempt in owners.items()} == known
        assert len(set(known.values())) == len(known)
        assert "orphans" not in self.found.hashes

    def queues(self) -> None:
        """Whatever waits for admission stands in one queue, and whatever is to be archived in one order."""
        waiting, archiving = Counter[str](), Counter[str]()
        for ref, item in self.items.items():
            batch, _, name = ref.partition("/")
            if item["state"] == "waiting" and item["lane"] and "paused" not in item:
                waiting[f"{item['lane']}:{batch} {name}"] += 1
            archiving[ref] += item["state"] == "archiving"
        queued = Counter(
            f"{key.removeprefix('queue:')} {name}"
            for key, names in self.found.sets.items()
            if key.startswith("queue:")
            for name in names
        )
        assert queued == waiting, "what waits is not what is queued"
        ordered = Counter(ref for key in ("archive:ready", "archive:due") for ref in self.found.sets.get(key, []))
        assert ordered == +archiving, "what is to be archived is not in its order"
        for lane in {key.partition(":")[0] for key in waiting}:
            ready = set(self.found.sets.get(f"ready:{lane}", []))
            wanted = {key.partition(":")[2].partition(" ")[0] for key in waiting if key.startswith(f"{lane}:")}
            open_ = {b for b in wanted if self.batches[b]["state"] == "running" and "cancel" not in self.batches[b]}
            assert ready == open_, f"the index of {lane}"

    def learned(self) -> None:
        """No more than is configured."""
        for quota, limit in LIMITS.items():
            fields = self.found.hashes.get(f"quota:{POOL}" if quota == POOL else f"deployment:{quota}", {})
            if limit.told and limit.slots is not None:
                assert int(fields.get("learned_slots", 1)) <= limit.slots
            if limit.per_minute is not None:
                assert float(fields.get("learned_per_minute", 1)) <= limit.per_minute
