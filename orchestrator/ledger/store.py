"""The store: the ledger in Redis, and the only way to write to it. One method, one script, one round trip.

Every decision about an item is a `Decision`, carried out only if the item still has the version that was
claimed. `Stale` answers are values, not errors: somebody else was faster, and that is fine.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import structlog
from arq.connections import ArqRedis

from orchestrator.items.decision import Decision
from orchestrator.items.states import TABLE, Event
from orchestrator.ledger.keys import Keys, Ref
from orchestrator.ledger.records import Claim, Item, decode
from orchestrator.ledger.scripts import Scripts
from orchestrator.metrics import Metrics
from orchestrator.redis.durability import replicated

log = structlog.get_logger("orchestrator.ledger.store")

#: Of looks: no deployment has a ceiling.
NO_CEILINGS: Mapping[str, Mapping[str, float]] = {}

#: How an id is known, the better evidence first: the create's answer, a person's word, the listed prompt, the time.
How = Literal["answer", "hand", "prompt", "time"]
_TELLS: Mapping[How, Event] = {"answer": Event.ACCEPTED, "hand": Event.ATTACHED}


class Store:
    """Reads and writes of the ledger under one namespace. What whoever works with it does is counted in `metrics`."""

    def __init__(self, redis: ArqRedis, namespace: str) -> None:
        self.redis = redis
        self.keys = Keys(namespace)
        self.scripts = Scripts(redis, meta_key=self.keys.meta, prefix=self.keys.prefix)
        self.metrics = Metrics()

    async def load(self, ref: Ref, attempt: int | None = None) -> Item | None:
        """An item with its spec and newest attempt (or the attempt named), or None."""
        pipe = self.redis.pipeline(transaction=False)
        pipe.hgetall(self.keys.item(ref))
        pipe.hget(self.keys.specs(ref.batch), ref.item)
        if attempt is not None:
            pipe.hgetall(self.keys.attempt(ref, attempt))
        fields, spec, *rest = await pipe.execute()
        if not fields or spec is None:
            return None
        text = decode(fields)
        number = int(text["attempt"])
        made = rest[0] if attempt == number else {}
        if number and not made:
            return Item.parse(ref, text, spec, await self.read(self.keys.attempt(ref, number)))
        return Item.parse(ref, text, spec, decode(made))

    async def read(self, key: str) -> dict[str, str]:
        """A hash of the ledger as text; empty where there is none."""
        pipe = self.redis.pipeline(transaction=False)
        pipe.hgetall(key)
        (fields,) = await pipe.execute()
        return decode(fields)

    async def apply(self, ref: Ref, version: int, decision: Decision) -> int | None:
        """Carry out a decision; the item's new version, or None when it is stale. One log line a transition."""
        done, state, now, abandoned, probed_in, event = await self.scripts.run(
            "transition", ref.batch, ref.item, version, str(decision.event), decision.patch()
        )
        if not done:
            log.info("decision.went_stale", batch=ref.batch, key=ref.item, decided=str(decision.event))
            return None
        self._tell(Event(event.decode()), ref, state=state.decode(), **decision.item)
        if probed_in >= 0:
            verdict = decision.deployment or {}  # of which deployment: bound where steps run
            log.error(
                "deployment.stopped",
                reason=verdict.get("stop"),
                message=verdict.get("message"),
                probed_in_s=probed_in / 1000,
            )
        for item in abandoned:
            made_from = {"source": ref.item, "reason": f"source_{state.decode()}"}
            self._tell(Event.ABANDONED, Ref(ref.batch, item.decode()), **made_from)
        return int(now)

    async def intend(
        self,
        ref: Ref,
        version: int,
        attempt: Mapping[str, object],
        *,
        pace: Mapping[str, object],
        due_in_s: float,
    ) -> tuple[str, int, float]:
        """Write the intent to create. Answers (word, version, seconds until a deferred item is due again).

        The word is intended, deferred, returned or stale; or unconfirmed: written, but where Redis has replicas none
        of them had it within a second, so that a failover could forget it.
        """
        request = {
            **pace,
            "due_in_ms": round(due_in_s * 1000),
            "attempt": {"token": secrets.token_hex(8), **attempt},
        }
        # WAIT speaks of the writes of its own connection.
        async with self.redis.client() as connection:
            answer, now, *wait = await self.scripts.run(
                "intend", ref.batch, ref.item, version, request, client=connection
            )
            word = answer.decode()
            confirmed = word != "intended" or await replicated(connection)
        if not confirmed:
            log.warning("intent.was_not_replicated", batch=ref.batch, key=ref.item)
            return "unconfirmed", int(now), 0.0
        if word != "stale":
            self._tell(Event(word), ref)
        return word, int(now), wait[0] / 1000 if wait else 0.0

    async def accept(
        self,
        ref: Ref,
        attempt: int,
        remote_id: str,
        *,
        how: How,
        fields: Mapping[str, object],
        due_in_s: float,
        version: int | None = None,
        hides_prompts: bool | None = None,
        place: Mapping[str, object] | None = None,
        begin: bool = False,
    ) -> tuple[str, int | str]:
        """Record whose a remote id is. Answers ("accepted", version), ("taken", owner), ("stale", version) or
        ("orphan", 0). An answer needs no version: it is evidence, not a decision.

        `hides_prompts`: what the answer says of the server. `place`: {deployment, scope, fingerprint, price} of the
        attempt, for a ledger that has lost it; with `begin` the attempt is a new one, which a person begins.
        """
        event = _TELLS.get(how, Event.ADOPTED)
        told: dict[str, object] = {"attempt": dict(fields), "due_in_ms": round(due_in_s * 1000)}
        if hides_prompts is not None:
            told["hides_prompts"] = hides_prompts
        if place is not None:
            told |= {"place": dict(place), "begin": begin}
        answer, detail = await self.scripts.run(
            "accept",
            ref.batch,
            ref.item,
            attempt,
            remote_id,
            how,
            "" if version is None else version,
            str(event),
            told,
        )
        word = answer.decode()
        if word == "accepted":
            self._tell(event, ref, remote_id=remote_id, how=how, attempt=attempt)
        else:
            log.warning("remote_id.was_not_taken", batch=ref.batch, key=ref.item, remote_id=remote_id, why=word)
        return word, detail.decode() if isinstance(detail, bytes) else int(detail)

    async def claim(
        self,
        free: Mapping[str, int],
        *,
        pools: Mapping[str, str],
        deployments: Sequence[str],
        allowance_s: float,
        furthest_s: float,
        looks: Mapping[str, Mapping[str, float]] = NO_CEILINGS,
        archivist: str = "",
        present: Sequence[str] = (),
    ) -> tuple[list[Claim], float | None]:
        """Claim due items for the steps in `pools` (step → the pool of slots it takes from), at most `free[pool]`; of
        looks, at most `free["polls NAME"]` at a deployment where that is told, and no more a second than its bucket in
        `looks` allows to all workers together. `archivist`: the name of a worker that archives, and `present`: `STEP
        NAME` of each step that a worker runs, so that it is known to be there.

        Also answers in how many seconds something is next due (None: nothing is). A due time beyond `furthest_s`
        can only come of a clock that stepped back: it is due now."""
        request = {
            "pool": dict(pools),
            "free": dict(free),
            "deployments": list(deployments),
            "allowance_ms": round(allowance_s * 1000),
            "furthest_ms": round(furthest_s * 1000),
            "archivist": archivist,
            "present": list(present),
            "looks": {name: dict(bucket) for name, bucket in looks.items()},
        }
        next_due, *claims = await self.scripts.run("claim", request)
        return [Claim.parse(raw) for raw in claims], None if next_due < 0 else next_due / 1000

    async def renew(self, ref: Ref, version: int, due_in_s: float) -> bool:
        """Prolong a claim, of an item or (with no item in `ref`) of a batch's report; 0 hands it back. False: it is
        somebody else's by now, so stop."""
        return bool(await self.scripts.run("renew", ref.batch, ref.item, version, round(due_in_s * 1000)))

    async def judge(self, deployment: str, verdict: Mapping[str, object]) -> tuple[bool, float | None]:
        """Stop, cool, pause or resume a deployment (see `lua/judge.lua`).

        Whether one item is tried there before others, and until when it is paused (Unix seconds), if a time was given.
        """
        careful, until, _ = await self.scripts.run("judge", deployment, dict(verdict))
        return bool(careful), None if until < 0 else until / 1000

    async def end_report(
        self, batch: str, version: int, *, keep_s: float, documents: Mapping[str, str] | None = None
    ) -> bool:
        """The batch's results are out, as these files. False when it moved on meanwhile: still due."""
        return bool(await self.scripts.run("end_report", batch, version, round(keep_s * 1000), dict(documents or {})))

    def _tell(self, event: Event, ref: Ref, **fields: Any) -> None:
        self.metrics.moved(event, fields.get("reason"))
        moved = any(a is not b for a, b in TABLE[event].items())
        (log.info if moved else log.debug)(f"item.{event}", batch=ref.batch, key=ref.item, **fields)
