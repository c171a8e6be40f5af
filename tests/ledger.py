"""A ledger to try things on: deployments, items and a store, with as few words as possible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from manifests import Item
from manifests.window import Window
from orchestrator.admission.controller import Admission, Answer
from orchestrator.batches.submission import Submission, Submitted
from orchestrator.items.states import State
from orchestrator.ledger import views
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Batch, Claim
from orchestrator.ledger.store import Store
from orchestrator.settings import NO_BUDGETS, Auth, Budgets, Deployment, Quota

ALLOWANCE_S = 30.0


def deployment(
    name: str = "east", *, per_minute: int | None = None, concurrent: int | Literal["auto"] | None = None, **more: Any
) -> Deployment:
    """A deployment of sora-2 without limits, unless told otherwise."""
    reserve = more.pop("reserve", {})
    quota = Quota(per_minute=per_minute, burst=more.pop("burst", 1), concurrent=concurrent, reserve=reserve)
    quota._shared_as = more.pop("shared_as", "")
    facts = {"api": "videos", "endpoint": "http://127.0.0.1:1", "model": "sora-2", "auth": Auth.with_key("k")}
    return Deployment(name=name, quota=quota, **{**facts, **more})


def item(key: str, **more: Any) -> Item:
    """An item with a prompt of its own."""
    facts: dict[str, Any] = {
        "key": key,
        "prompt": f"prompt of {key}",
        "model": "sora-2",
        "size": "1280x720",
        "seconds": 4,
        "input_reference": None,
        "image_sha256": None,
        "remix_of": None,
        "priority": 0,
        "labels": {},
        "line": 1,
    }
    return Item(**{**facts, **more})


async def submit(
    store: Store,
    items: Iterable[Item],
    *,
    batch: str = "spring",
    deployments: Iterable[Deployment] = (),
    budget_usd: str | None = None,
    budgets: Budgets = NO_BUDGETS,
    window: Window | None = None,
) -> Submitted:
    """Queue items as the batch."""
    serving = tuple(deployments) or (deployment(),)
    submission = Submission(store, batch, deployments=serving, progress=lambda _: None, budgets=budgets)
    budget = None if budget_usd is None else Decimal(budget_usd)
    found = items if isinstance(items, Iterator) else list(items)
    kinds = () if isinstance(found, Iterator) else {(i.model, i.size, i.seconds, *_pin(i)) for i in found}
    return await submission.submit(
        found, kinds=kinds, columns=("prompt",), budget_usd=budget, template=batch, window=window
    )


def _pin(item: Item) -> list[str]:
    return [item.deployment] if item.deployment else []


async def admit(
    store: Store,
    at: Deployment,
    most: int = 100,
    batches: list[str] | None = None,
    budgets: Budgets = NO_BUDGETS,
) -> Answer:
    """Ask admission once."""
    asker = Admission(store, [at], batches=batches, budgets=budgets)
    return (await asker.ask(most, allowance_s=ALLOWANCE_S))[at.name]


def keys(answer: Answer) -> list[str]:
    """The items admitted, in order."""
    return [claim.ref.item for claim in answer.admitted]


async def intend(store: Store, claim: Claim, *, due_in_s: float = 60.0) -> int:
    """Write the intent of an admitted item; its version."""
    word, version, _ = await store.intend(claim.ref, claim.version, {}, pace=NO_PACE, due_in_s=due_in_s)
    assert word == "intended"
    return version


async def accept(store: Store, claim: Claim, remote_id: str, **more: Any) -> tuple[str, int | str]:
    """The provider's answer to the claim's create."""
    facts: dict[str, Any] = {"how": "answer", "fields": {"created_at": 1_790_000_000}, "due_in_s": 20.0}
    return await store.accept(claim.ref, claim.attempt, remote_id, **{**facts, **more})


async def state(store: Store, key: str, batch: str = "spring") -> State:
    """An item's state."""
    found = await store.load(Ref(batch, key))
    assert found is not None
    return found.state


async def batch_of(store: Store, name: str = "spring") -> Batch:
    """A batch that is there."""
    found = await views.batch(store, name)
    assert found is not None
    return found


NO_PACE = {"interval_ms": 0, "burst": 1, "slack_ms": 0, "margin": 1}
HOUSE = Path(__file__).resolve().parents[1]
