"""The ledger's Lua: one step, one file under `lua/`, each loaded behind what it uses of those that begin with `_`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, ResponseError

from orchestrator.items.states import lua_constants
from orchestrator.ledger.ledger_version import VERSION, TooNew
from orchestrator.ledger.prelude import with_parts

#: Where what a script uses may be, and where some of them look besides.
_SHARED = ("_circuit", "_ledger", "_money", "_hours", "_links", "_expiry")
_QUOTA, _DESK = ("_quota",), ("_quota", "_recovery", "_desk")
_MORE = {
    "accept": (*_QUOTA, "_learning"),
    "admit": (*_DESK, "_lanes"),
    "announce": ("_notices",),
    "claim": (*_QUOTA, "_recovery"),
    "claim_notices": ("_notices",),
    "explain": (*_DESK, "_lanes", "_ahead"),
    "forget": ("_recovery",),
    "intend": _DESK,
    "judge": (*_QUOTA, "_learning", "_recovery"),
    "measure": (*_DESK, "_lanes"),
    "recovery": ("_recovery",),
    "restore": ("_receipts",),
    "seal_batch": ("_recovery",),
    "settle_notice": ("_notices",),
    "submit": ("_receipts",),
    "take_receipts": ("_receipts",),
    "sweep": ("_revival", "_recovery"),
    "transition": (*_QUOTA, "_learning", "_recovery"),
}
_NAMES = (
    "accept",
    "admit",
    "announce",
    "attendance",
    "cancel_batch",
    "choose_items",
    "claim",
    "claim_deletions",
    "claim_notices",
    "compare",
    "end_report",
    "expiry",
    "explain",
    "forget",
    "intend",
    "judge",
    "measure",
    "observe",
    "open_batch",
    "pause_batch",
    "presume",
    "probe",
    "recovery",
    "renew",
    "restore",
    "resume_batch",
    "rights",
    "seal_batch",
    "set_batch",
    "settle_deletion",
    "settle_notice",
    "sheet",
    "shortage",
    "submit",
    "sweep",
    "take_receipts",
    "transition",
    "watch",
)


#: Scripts that begin something: a full server refuses them. All others record what became of it, or give memory back,
#: and work there too. Redis knows such a first line since 7.0; before, it refuses the first write that needs room.
_NEED_ROOM = ("admit", "intend", "open_batch", "restore", "submit")
_REFUSED_WHEN_FULL, _WORKS_WHEN_FULL = "#!lua\n", "#!lua flags=allow-oom\n"
#: How often more a script is given to a server that has lost it.
GIVEN_AGAIN = 3
_COMMAND = re.compile(r"redis\.p?call\('([A-Z]+)'")


@cache
def _texts() -> Mapping[str, str]:
    """Each script, behind what it uses."""
    folder = files("orchestrator.ledger") / "lua"

    def text(name: str) -> str:
        return (folder / f"{name}.lua").read_text("utf-8")

    shared = f"local LEDGER_VERSION = {VERSION}\n" + lua_constants() + "".join(map(text, _SHARED))
    return {name: with_parts(shared + "".join(map(text, _MORE.get(name, ()))), text(name)) for name in _NAMES}


@cache
def _commands() -> frozenset[str]:
    return frozenset(found for each in _texts().values() for found in _COMMAND.findall(each))


class Scripts:
    """Runs the ledger's scripts by their hash; a server that has lost them is given them again."""

    def __init__(self, redis: Redis, *, meta_key: str, prefix: str) -> None:
        texts = _texts()
        #: What the scripts ask of Redis, in capitals.
        self.commands = _commands()
        self._plain = {name: redis.register_script(each) for name, each in texts.items()}
        self._scripts = {
            name: redis.register_script((_REFUSED_WHEN_FULL if name in _NEED_ROOM else _WORKS_WHEN_FULL) + each)
            for name, each in texts.items()
        }
        self._meta_key, self._prefix = meta_key, prefix

    async def run(self, name: str, *arguments: object, client: Redis | None = None) -> Any:
        """Run one script. Dicts and lists go as JSON; the answer comes as Redis gave it (bytes, ints, lists).

        `client`: run it there, for what must follow on the same connection. Raises TooNew where the script begins
        something and the ledger is of a newer release.
        """
        plain: list[Any] = [json.dumps(a) if isinstance(a, dict | list) else a for a in arguments]
        args = [self._prefix, *plain]
        try:
            return await self._call(name, args, client)
        except ResponseError as error:
            if str(error).startswith("TOONEW"):
                raise TooNew(int(str(error).split()[1])) from None
            # A server that does not know such a first line takes it for a mistake in the script: nothing was run.
            if "compiling script" not in str(error) or self._scripts is self._plain:
                raise
            self._scripts = self._plain
            return await self._call(name, args, client)

    async def _call(self, name: str, args: list[Any], client: Redis | None) -> Any:
        """By its hash, and with its text where the server has lost that. One that begins anew between the two has lost
        it once more; then too nothing was run."""
        for _ in range(GIVEN_AGAIN):
            with suppress(NoScriptError):
                return await self._scripts[name](keys=[self._meta_key], args=args, client=client)
        return await self._scripts[name](keys=[self._meta_key], args=args, client=client)
