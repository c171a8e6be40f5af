"""What the Redis user must be allowed: found out at start, all at once, so that no gap shows in the night.

`docs/redis.md` has an ACL that is enough.
"""

from __future__ import annotations

from redis.exceptions import NoPermissionError, ResponseError

from orchestrator.ledger.keys import Ref
from orchestrator.ledger.store import Store

#: What arq, and this program outside of its scripts, ask of keys; and what they ask without any.
_OF_KEYS = ("ZMSCORE", "PSETEX", "INCR", "EXPIRE", "WATCH", "HVALS", "ZREVRANGEBYSCORE")
_PLAIN = ("PING", "MULTI", "EXEC", "DISCARD", "UNWATCH", "INFO", "DBSIZE", "TIME", "WAIT")


class RightsMissing(Exception):
    """The Redis user may not run what is needed."""

    def __init__(self, refused: list[str]) -> None:
        """`refused`: what, as people read it."""
        super().__init__(f"the Redis user lacks rights: {', '.join(refused)}. docs/redis.md has an ACL that is enough")


async def check_rights(store: Store) -> None:
    """Raises RightsMissing. Nothing is carried out. A server before Redis 7 is believed, as one that will not tell."""
    job = f"arq:job:{store.keys.job('create', Ref('batch', 'item'), 1)}"
    asked = [[name, *([] if name in _PLAIN else [store.keys.meta])] for name in sorted(store.scripts.commands)]
    asked += [[name, key] for name in _OF_KEYS for key in (store.keys.meta, job)] + [[name] for name in _PLAIN]
    asked += [["SCRIPT", "LOAD", "x"], ["GET", job], ["DEL", job]]
    try:
        places = await store.scripts.run("rights", asked)
    except NoPermissionError as error:
        raise RightsMissing([str(error)]) from None
    except ResponseError as error:
        if "run this command" in str(error):
            raise RightsMissing([str(error)]) from None
        return
    if places:
        missing = (asked[place] for place in places)
        raise RightsMissing(sorted({words[0] + _of(words[1:]) for words in missing}))


def _of(arguments: list[str]) -> str:
    return f" on {arguments[0]}" if arguments and ":" in arguments[0] else ""
