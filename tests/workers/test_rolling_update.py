"""Two releases at once: each queue of arq holds only what all who read it know."""

from __future__ import annotations

import inspect
from pathlib import Path

from orchestrator.ledger.keys import QUEUE_VERSIONS
from orchestrator.ledger.store import Store
from workers.sinks.directory import DirectorySink
from workers.worker import Worker

#: What stands on each queue at its version. Whoever changes that adds one to the version and writes it here: else a
#: worker of the release before takes a step that it does not know, and arq throws it away.
KNOWN = {
    "create": (1, {"create", "probe", "sweep"}),
    "reconcile": (1, {"reconcile", "watch"}),
    "archive": (2, {"archive", "report", "sheet"}),
}
ARGUMENTS = ["ctx", "batch", "item", "version", "attempt"]


async def test_a_queue_has_another_name_when_it_holds_other_steps(store: Store) -> None:
    worker = Worker(store, {}, DirectorySink(Path("unused")), claim_s=30)
    found = {
        name: (QUEUE_VERSIONS.get(name, 1), {function.name for function in queue._functions})
        for name, queue in worker._queues.items()
    }
    assert found == KNOWN
    assert {store.keys.queue(name).rsplit("}:", 1)[1] for name in KNOWN} == {
        f"arq:v{version}:{name}" for name, (version, _) in KNOWN.items()
    }


async def test_a_queue_has_another_name_when_its_steps_take_other_arguments(store: Store) -> None:
    worker = Worker(store, {}, DirectorySink(Path("unused")), claim_s=30)
    for queue in worker._queues.values():
        for function in queue._functions:
            assert list(inspect.signature(function.coroutine).parameters) == ARGUMENTS
