"""The ledger's Lua: one step, one file under `lua/`, each loaded behind what it uses of `lua/shared/`."""

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

#: What scripts share, in an order in which each stands behind what it uses.
_SHARED = (
    "circuit", "ledger", "queues", "timings", "batches", "moves", "remixes", "money", "hours", "links", "expiry",
    "quota", "recovery", "learning", "desk", "turns", "lanes", "ahead", "notices", "receipts", "revival",
)  # fmt: skip
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
    shared = [(folder / "shared" / f"{name}.lua").read_text("utf-8") for name in _SHARED]
    before = f"local LEDGER_VERSION = {VERSION}\n" + lua_constants() + "".join(shared)
    scripts = {each.name.removesuffix(".lua"): each.read_text("utf-8") for each in folder.iterdir() if each.is_file()}
    return {name: with_parts(before, text) for name, text in sorted(scripts.items())}


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
