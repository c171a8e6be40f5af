"""What each process does: it asks, claims, creates, looks and archives, as fast as it can, sometimes with claims that
are somebody else's by now. What the provider does, and tells, is the provider's choice (`provider.py`)."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import time
import traceback
from dataclasses import replace
from typing import Any

from orchestrator.admission.controller import Admission, pace
from orchestrator.admission.dispatcher import POOLS
from orchestrator.batches.sweeping import sweep
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event
from orchestrator.ledger.records import Claim, Item
from orchestrator.ledger.store import Store
from orchestrator.redis.connection import connect
from tests.orchestrator.hammer.fleet import BUDGETS, fleet
from workers.rendering.verdict import decide
from workers.video_api import NotSent, RefusalKind, Refused, Unknown

#: A claim that is not acted upon for so long is due again (seconds): it goes stale on purpose.
ALLOWANCE_S = 0.3
#: A create that has not arrived so long after its intent never will; then it is settled what came of it.
SEND_BY_S, SETTLED_S = 0.15, 0.3
#: So many turns are told of at once.
TOLD = 50
#: For so long nothing is created after an archive that refused a write (milliseconds).
ARCHIVE_CLOSED_MS = 40
CLAIMS_MOST = 12
FREELY = {"interval_ms": 0, "burst": 1, "slack_ms": 0, "margin": 0}
HELD = Decision(Event.HELD, {"reason": "outcome_unknown", "billed": "unknown"}, money="unknown")


class Worker:
    """One process: one thing after the other, by dice."""

    def __init__(self, store: Store, provider: socket.socket, dice: random.Random) -> None:
        self.store, self.dice = store, dice
        self._line, self._answers = provider, provider.makefile("rb")
        self.fleet = {d.name: d for d in fleet()}
        self.askers = [
            Admission(store, list(self.fleet.values()), budgets=BUDGETS),
            Admission(store, list(self.fleet.values()), budgets=BUDGETS, batches=["night", "pro", "remixed"]),
        ]
        self.claims: list[Claim] = []
        self.late: list[tuple[Item, str]] = []

    def tell(self, what: str, **facts: Any) -> None:
        """Told at once, so that a kill forgets nothing."""
        self._line.sendall(json.dumps({"do": what, **facts}).encode() + b"\n")

    def ask_provider(self, what: str, **facts: Any) -> dict[str, Any]:
        self.tell(what, **facts)
        answer: dict[str, Any] = json.loads(self._answers.readline())
        return answer

    async def work(self) -> None:
        """Until it is killed."""
        turns = 0
        while True:
            turns += 1
            if turns % TOLD == 0:
                self.tell("turns", count=TOLD)
            throw = self.dice.random()
            if self.late and throw < 0.01:
                await self._tell_late()
            elif self.claims and throw < 0.5:
                claim = self.claims.pop(self.dice.randrange(len(self.claims)))
                await self._step(claim)
                if self.dice.random() < 0.05:
                    self.claims.append(claim)  # by now it decides nothing any more
            elif throw < 0.75 and len(self.claims) < CLAIMS_MOST:
                free = {"steps": self.dice.randint(0, 4), "polls": self.dice.randint(0, 6), "archive": 3}
                found, _ = await self.store.claim(
                    free, pools=POOLS, deployments=list(self.fleet), allowance_s=ALLOWANCE_S, furthest_s=60
                )
                self.claims += found
            elif len(self.claims) < CLAIMS_MOST:
                await self._ask()

    async def _ask(self) -> None:
        asker = self.askers[self.dice.random() < 0.2]
        among = None if self.dice.random() < 0.5 else self.dice.sample(sorted(self.fleet), self.dice.randint(1, 4))
        answers = await asker.ask(self.dice.randint(1, 5), allowance_s=ALLOWANCE_S, among=among)
        found = [claim for answer in answers.values() for claim in answer.admitted]
        self.claims += found
        if found:
            self.tell("admitted", attempts=[_attempt(claim) for claim in found])
        self.tell("gates", gates=[answer.gate for answer in answers.values()])

    async def _step(self, claim: Claim) -> None:
        if claim.step == "report":
            await self.store.end_report(claim.ref.batch, claim.version, keep_s=1000)
            return
        if claim.step == "sweep":
            await sweep(self.store, claim.ref.batch)
            return
        steps = {"create": self._create, "reconcile": self._reconcile, "poll": self._look, "archive": self._archive}
        step, item = steps.get(claim.step), await self.store.load(claim.ref)
        if step and item:
            await step(replace(item, version=claim.version))  # as it was claimed, whatever it is by now

    async def _apply(self, item: Item, decision: Decision) -> bool:
        """Carried out or stale. What is kept closed thereby is told, with when that was asked and done."""
        asked_at = time.time()
        done = await self.store.apply(item.ref, item.version, decision) is not None
        if done and self.dice.random() < 0.1 and await self.store.apply(item.ref, item.version, decision):
            self.tell("fault", text=f"{item.ref} was decided twice at version {item.version}: {decision}")
        if not done:
            self.tell("stale")
        elif decision.deployment or decision.archive_closed_s:
            verdict = dict(decision.deployment or {"archive_ms": round(1000 * (decision.archive_closed_s or 0))})
            name = item.attempt.deployment if item.attempt else ""
            self.tell("closed", deployment=name, verdict=verdict, asked_at=asked_at, done_at=time.time())
        return done

    async def _create(self, item: Item) -> None:
        if item.attempt is None:
            return
        deployment = self.fleet[item.attempt.deployment]
        asked_at, send_by = time.time(), time.monotonic() + SEND_BY_S
        word, version, _ = await self.store.intend(
            item.ref, item.version, {}, pace=pace(deployment), due_in_s=SETTLED_S
        )
        self.tell("intent", word=word)
        if word == "deferred":
            again, *_ = await self.store.intend(item.ref, item.version, {}, pace=FREELY, due_in_s=SETTLED_S)
            if again != "stale":
                self.tell("fault", text=f"{item.ref} was {again} at version {item.version}, after it was deferred")
            self.claims.append(Claim("create", item.ref, version, item.attempts))
        if word != "intended":
            return
        item = replace(item, version=version)
        if self.dice.random() < 0.02:
            self.tell("dawdles", pid=os.getpid())
            os.kill(os.getpid(), signal.SIGSTOP)
        answer = self.ask_provider(
            "create",
            attempt=f"{item.ref}#{item.attempts}",
            deployment=deployment.name,
            seconds=item.spec.seconds,
            asked_at=asked_at,
            told_at=time.time(),
            send_by=send_by,
        )
        if answer["outcome"] == "accepted":
            if answer["late"]:
                self.late.append((item, answer["id"]))
            else:
                await self._accept(item, answer["id"])
            return
        await self._apply(item, self._decide(answer, item))

    def _decide(self, answer: dict[str, Any], item: Item) -> Decision:
        assert item.attempt is not None
        deployment, soon = self.fleet[item.attempt.deployment], answer.get("retry_s", 0.01)
        if answer["outcome"] == "lost":
            return decide(Unknown("no answer", None, None, soon), deployment)
        if answer["outcome"] == "not_sent":
            # It pauses for seconds after this, which are the hammer's whole life.
            return replace(decide(NotSent("no route"), deployment), deployment={"cool_ms": 10, "reason": "unreachable"})
        return decide(Refused(RefusalKind(answer["kind"]), 429, None, "no", None, answer["retry_s"]), deployment)

    async def _accept(self, item: Item, remote_id: str) -> None:
        word, _ = await self.store.accept(
            item.ref, item.attempts, remote_id, how="answer", fields={"created_at": int(time.time())}, due_in_s=0.005
        )
        self.tell("accept", id=remote_id, word=word)

    async def _tell_late(self) -> None:
        """What is known is told, whatever was decided meanwhile."""
        await self._accept(*self.late.pop(0))

    async def _reconcile(self, item: Item) -> None:
        if item.attempt is None:
            return
        answer = self.ask_provider(
            "find",
            attempt=f"{item.ref}#{item.attempts}",
            deployment=item.attempt.deployment,
            seconds=item.spec.seconds,
        )
        found, how = (answer["id"], "prompt") if answer["id"] else (answer["guess"], "time")
        if found:
            word, _ = await self.store.accept(
                item.ref,
                item.attempts,
                found,
                how=how,  # type: ignore[arg-type]
                fields={"created_at": int(time.time())},
                due_in_s=0.005,
                version=item.version,
            )
            self.tell("adopt", id=found, how=how, word=word)
            if word != "taken":
                return
        if answer["id"] or answer["hold"]:
            await self._apply(item, HELD)
        else:
            await self._apply(item, Decision(Event.RESENT, {"resent": 1}, money="none"))

    async def _look(self, item: Item) -> None:
        if item.remote_id is None:
            return
        answer = self.ask_provider("look", id=item.remote_id)
        now = int(time.time() * 1000)
        if answer["status"] == "running":
            await self._apply(item, Decision(Event.OBSERVED, due_in_s=0.003))
        elif answer["status"] == "succeeded":
            done = {"completed_at": now}
            await self._apply(item, Decision(Event.SUCCEEDED, {"expires_at": now + 86_400_000}, done, "confirmed"))
        else:
            money = "unknown" if answer["billed"] else "none"
            await self._apply(item, Decision(Event.FAILED, {"reason": "moderation"}, money=money))  # type: ignore[arg-type]

    async def _archive(self, item: Item) -> None:
        throw = self.dice.random()
        if throw < 0.7:
            await self._apply(item, Decision(Event.ARCHIVED, {"file": f"{item.ref.item}.mp4"}))
        elif throw < 0.73:
            await self._apply(item, Decision(Event.LOST, {"reason": "expired"}))
        else:
            closed_s = ARCHIVE_CLOSED_MS / 1000 if throw > 0.97 else None
            await self._apply(item, Decision(Event.POSTPONED, due_in_s=0.003, archive_closed_s=closed_s))


def _attempt(claim: Claim) -> str:
    return f"{claim.ref}#{claim.attempt}"


async def work(redis_url: str, namespace: str, port: int, name: str, seed: str) -> None:
    """Work until killed. What goes wrong is told to the provider."""
    with socket.create_connection(("127.0.0.1", port)) as provider:
        provider.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with connect(redis_url) as redis:
            worker = Worker(Store(redis, namespace), provider, random.Random(seed))
            worker.tell("began", name=name)
            try:
                await worker.work()
            except Exception:
                worker.tell("fault", text=traceback.format_exc())


def run(*arguments: Any) -> None:
    """In a process of its own."""
    asyncio.run(work(*arguments))
