"""The product's pauses that no setting reaches, as much shorter as a chaos run is than a night; and its Lua, edited.

Only worker processes of these tests change anything, and only in their own memory. What is not where it was any more
fails at once, so that no run believes in haste, or in a guard being off, that is not.
"""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import orchestrator.items.failures
import orchestrator.ledger.scripts
import workers.archiving.clearing

#: Where → what it is in a run.
PAUSES: dict[str, object] = {
    "workers.archiving.archive.AGAIN_S": 1.0,
    "workers.archiving.archive.CLOSED_S": 1.0,
    "workers.rendering.look.AGAIN_S": 1.0,
    "workers.rendering.missing.LOOK_OVER_S": 4.0,
    "workers.recovering.recovery.AGAIN_S": 1.0,
    "workers.archiving.clearing.NEEDED_S": 1.0,
    "orchestrator.ledger.deletions.CLAIM_S": 4.0,
    "workers.video_api.wire.CONNECT_TIMEOUT_S": 1.0,
    "dailies.session.READ_TIMEOUT_S": 1.0,
    "dailies.ledger.REDIS_TIMEOUT_S": 2.0,
    "orchestrator.reports.notices.CLAIM_S": 4.0,
    "orchestrator.reports.sheet_claim.REST_S": 1.0,
    "orchestrator.reports.sheet_claim.REST_TIMES": 2,
    "workers.telling.herald.AGAIN": orchestrator.items.failures.Tries(None, 0.2, 2.0),
    "workers.telling.herald.LOOK_S": 0.5,
    "workers.telling.herald.SEND_S": 0.5,
    "workers.telling.webhook.CONNECT_S": 1.0,
    "workers.telling.webhook.TOTAL_S": 1.5,
}
#: The budgets of tries keep their numbers; their pauses shrink to these (seconds).
TRIES_S = (0.2, 2.0)
#: How long a worker waits for an answer of Redis (seconds).
REDIS_S = 1.0
#: Between two looks at what is to be deleted at the provider (seconds).
CLEAR_EVERY_S = 0.5


def replace(where: str, value: Any) -> Any:
    """Set a module's name; what it was."""
    module, _, name = where.rpartition(".")
    owner = importlib.import_module(module)
    before = getattr(owner, name)
    setattr(owner, name, value)
    return before


def hasten() -> None:
    """Scale this process."""
    for where, value in PAUSES.items():
        replace(where, value)
    for tries in vars(orchestrator.items.failures).values():
        if isinstance(tries, orchestrator.items.failures.Tries):
            # In place: it is known by many names by now.
            object.__setattr__(tries, "first_s", min(tries.first_s, TRIES_S[0]))
            object.__setattr__(tries, "longest_s", min(tries.longest_s, TRIES_S[1]))
    edit("shared/circuit", "FIRST_PROBE, LONGEST_PROBE = 60000, 3600000", "FIRST_PROBE, LONGEST_PROBE = 500, 4000")
    edit("shared/moves", "local SHEET_MS = 60000", "local SHEET_MS = 1000")
    workers.archiving.clearing.clear_again_and_again.__kwdefaults__ = {"every_s": CLEAR_EVERY_S}
    plain = importlib.import_module("dailies.ledger").connect

    def connect(*args: Any, **more: Any) -> Any:
        redis = plain(*args, **more)
        redis.connection_pool.connection_kwargs["socket_timeout"] = REDIS_S
        return redis

    replace("dailies.ledger.connect", connect)


_EDITS: dict[str, list[tuple[str, str]]] = defaultdict(list)


def edit(script: str, old: str, new: str) -> None:
    """Let this process load a script (its path in `lua/`, without `.lua`) with one passage changed."""
    text = (files("orchestrator.ledger") / "lua" / f"{script}.lua").read_text("utf-8")
    if text.count(old) != 1:
        raise LookupError(f"{script}.lua has {old!r} {text.count(old)} times")
    _EDITS[script].append((old, new))
    orchestrator.ledger.scripts.files = lambda name: _Edited(files(name))  # type: ignore[assignment]


class _Edited:
    """A resource of the package `orchestrator.ledger`, with the edits of the script that it is."""

    def __init__(self, resource: Traversable, path: str = "") -> None:
        self._resource, self._path = resource, path

    @property
    def name(self) -> str:
        return self._resource.name

    def is_file(self) -> bool:
        return self._resource.is_file()

    def iterdir(self) -> Iterator[_Edited]:
        return (self / each.name for each in self._resource.iterdir())

    def __truediv__(self, name: str) -> _Edited:
        return _Edited(self._resource / name, f"{self._path}/{name}")

    def read_text(self, encoding: str) -> str:
        text = self._resource.read_text(encoding)
        for old, new in _EDITS[self._path.removeprefix("/lua/").removesuffix(".lua")]:
            text = text.replace(old, new)
        return text
