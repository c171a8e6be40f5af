"""What people do, and what becomes of machines, while the processes hammer; and from when to when it holds."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal

from orchestrator import deployments
from orchestrator.batches.lifecycle import Action, Chosen, Word, ask
from orchestrator.batches.live_changes import change
from orchestrator.ledger.store import Store
from tests.orchestrator.hammer.fleet import fleet
from tests.orchestrator.hammer.provider import Closing, Provider, Span

WORD = Word("ann@studio")
BATCHES = ("night", "pro", "small", "pinned", "remixed")
PATTERNS = {"night": "n0?1", "pro": "p*7", "small": "s00*", "remixed": "*-again"}


class Person:
    """One thing after the other, by dice. Whatever is closed is opened again, at the latest by `calm`."""

    def __init__(self, store: Store, provider: Provider, nursery: subprocess.Popen[str], dice: random.Random) -> None:
        self._store, self._provider, self._nursery, self._dice = store, provider, nursery, dice
        self._pids: dict[str, int] = {}
        self._born = 0
        self._stopped: list[int] = []
        self._deck: list[Callable[[], Awaitable[None]]] = []
        self._closed: dict[tuple[str, str], Closing] = {}

    def bear(self) -> None:
        """One more process."""
        self._born += 1
        name = f"w{self._born}"
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        print(name, self._dice.getrandbits(32), file=self._nursery.stdin, flush=True)
        self._pids[name] = int(self._nursery.stdout.readline())

    def kill(self, *, all_: bool = False) -> None:
        """In the middle of whatever it does; all at the end."""
        for name in list(self._pids) if all_ else [self._dice.choice(list(self._pids))]:
            self._provider.expected_to_die.add(name)
            os.kill(self._pids.pop(name), signal.SIGKILL)

    async def act(self) -> None:
        """Something; before anything is done again, all else is."""
        if not self._deck:
            self._deck = [
                self._restart, self._restart, self._stop, self._pause_batch, self._pause_items, self._cancel,
                self._change, self._pause_deployment, self._resume_deployments, self._resume_deployments,
            ]  # fmt: skip
            self._dice.shuffle(self._deck)
        doing = self._deck.pop()
        self._provider.saw[doing.__name__] += 1
        await doing()
        for key in [key for key in self._closed if self._dice.random() < 0.4]:
            await self._open(*key)

    def wake(self) -> None:
        """Those that were stopped, by themselves too, go on: what they had claimed is somebody else's by now, and what
        they were about to send is too late. (One that was killed meanwhile is a zombie, and sleeps on.)"""
        for pid in self._stopped:
            os.kill(pid, signal.SIGCONT)
        self._stopped, self._provider.dawdling = self._provider.dawdling, []

    async def calm(self) -> None:
        """Everything goes on, and nobody makes trouble any more."""
        self._provider.calm = True
        for key in list(self._closed):
            await self._open(*key)
        await self._resume_deployments()
        for batch in BATCHES:
            await change(self._store, batch, budget_usd=Decimal(500))

    async def _restart(self) -> None:
        self.kill()
        self.bear()

    async def _stop(self) -> None:
        """For a while, wherever it is."""
        pid = self._dice.choice(list(self._pids.values()))
        os.kill(pid, signal.SIGSTOP)
        self._provider.dawdling.append(pid)

    async def _close(self, kind: str, name: str, work: Awaitable[object]) -> None:
        asked_at = time.time()
        await work
        closing = Closing(kind, name, Span(asked_at, time.time()), float("inf"))
        self._provider.closings.append(closing)
        self._closed.setdefault((kind, name), closing)

    async def _open(self, kind: str, name: str) -> None:
        del self._closed[kind, name]
        now = time.time()
        for closing in self._provider.closings:
            if (closing.kind, closing.name) == (kind, name):
                closing.until = min(closing.until, now)
        if kind == "deployment":
            await self._resume(name)
        elif kind == "batch":
            await ask(self._store, name, Action.RESUME, WORD)
        else:
            batch, _, pattern = name.partition("/")
            await ask(self._store, batch, Action.RESUME, WORD, Chosen((pattern,)))

    async def _pause_batch(self) -> None:
        batch = self._dice.choice(BATCHES)
        await self._close("batch", batch, ask(self._store, batch, Action.PAUSE, WORD))

    async def _pause_items(self) -> None:
        batch = self._dice.choice(list(PATTERNS))
        chosen = Chosen((PATTERNS[batch],))
        await self._close("items", f"{batch}/{PATTERNS[batch]}", ask(self._store, batch, Action.PAUSE, WORD, chosen))

    async def _cancel(self) -> None:
        """Some items; or all of a batch that is doomed, first with its videos kept."""
        word = Word("ann@studio", "not wanted", self._dice.random() < 0.5)
        if self._dice.random() < 0.3:
            await ask(self._store, "doomed", Action.CANCEL, word)
            self._provider.closings.append(Closing("batch", "doomed", Span(0, time.time()), float("inf")))
            return
        batch, digit = self._dice.choice(("night", "pro")), self._dice.randrange(10)
        pattern = f"{batch[0]}?{digit}{digit}"
        await ask(self._store, batch, Action.CANCEL, word, Chosen((pattern,)))
        self._provider.closings.append(Closing("items", f"{batch}/{pattern}", Span(0, time.time()), float("inf")))

    async def _change(self) -> None:
        batch = self._dice.choice(BATCHES)
        await change(
            self._store,
            batch,
            priority=self._dice.randint(-2, 2),
            weight=self._dice.randint(1, 5),
            budget_usd=Decimal(self._dice.randint(300, 400)) if self._dice.random() < 0.3 else None,
        )

    async def _pause_deployment(self) -> None:
        name = self._dice.choice([d.name for d in fleet()])
        await self._close("deployment", name, deployments.pause(self._store, name))

    async def _resume_deployments(self) -> None:
        """All that nobody keeps paused, so that those that stopped go on; what was learned is forgotten by some."""
        for name in [d.name for d in fleet()]:
            if ("deployment", name) not in self._closed:
                await self._resume(name)

    async def _resume(self, name: str) -> None:
        """It ends whatever kept creates back there, and what its quota's refusals did."""
        asked_at = time.time()
        forget = self._provider.calm or self._dice.random() < 0.5
        await deployments.resume(self._store, name, forget_learned=forget)
        self._provider.resumed.append((name, Span(asked_at, time.time())))
