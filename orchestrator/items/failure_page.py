"""`docs/failures.md`, drawn from the table of failures: `sh scripts/draw-failures`; a test fails when it is stale."""

from __future__ import annotations

from orchestrator.items.failures import ARCHIVE, CREATE, LOOK, LOOK_OVER_S, RENDER, RERENDER, TABLE, Failure, Tries

_HEAD = """# Failures

Drawn from the table in `orchestrator/items/failures.py` by `sh scripts/draw-failures`; a test fails when it is stale.

`reason` in `status --items`, `show`, `results` and the results files is one of these codes, and they stay as they are.
The provider's own code and words stand beside it, in `message` and in `dailies show`. `billed` says whether what came
to nothing is paid for: no provider says whether failed jobs are, so their money stays *unknown* and counts as spent.

"""
_TRIES = """
## What is tried again by itself

| what | how often | pauses |
|---|---|---|
"""
_TAIL = """
A new attempt is a new create: it takes its place in the queue, a token, a slot and its price out of the same budgets,
besides the price of the attempt before, whose billing is unknown. It does not begin while its item, batch or deployment
is paused, and not at all once the item is cancelled; without money it waits, and `dailies status` says so. The message
of an item that failed in the end says how many attempts there were. Everything else waits for a person: `dailies retry`
([Retrying](retrying.md)).

A status word that nobody here knows means *still rendering*: a client that took it for an end would lose the video. It
is told once in the log (`status.is_unknown`) and in `dailies show`, and believed for `max_render_s` since it was first
seen.

## Before a finished video is lost

Every finished video has a deadline: the provider's own, else `retention_s` from its creation; the earliest is archived
first. No create starts while the archive refuses to take videos, while no worker that archives was seen for a minute,
or while what is finished could not be archived, as fast as that went of late, before the first of it is deleted
([Waiting](waiting.md), gate `archive`). In the log `expiry.is_near` says that six hours, one hour or a quarter of an
hour are left for the next one, and `archive.falls_behind` that no creates start, and why; each once, until it is over.
"""


def page() -> str:
    """The whole page."""
    rows = "".join(map(_row, TABLE.values()))
    head = "| code | ends | billed | tried again | what happened | what you can do |\n|---|---|---|---|---|---|\n"
    return _HEAD + head + rows + _TRIES + "".join(f"| {what} |\n" for what in _tries()) + _TAIL


def _row(failure: Failure) -> str:
    again = f"{failure.tries.most} times" if failure.tries else "`on_expired`" if failure.lost else "no"
    cells = (f"`{failure.code}`", f"`{failure.state}`", str(failure.billed), again, failure.meaning, failure.mend)
    return f"| {' | '.join(cells)} |\n"


def _tries() -> list[str]:
    return [
        f"a create that did not leave, or that the deployment cannot take now | without end | {_pauses(CREATE)}, "
        "or as long as the server asks; a create of unknown outcome is looked for, and not sent again",
        f"a look that fails | without end, until the provider deletes the job | `poll.every_s`; where the job is not "
        f"found, {LOOK.most} looks {LOOK.first_s:.0f} s apart, over {LOOK_OVER_S:.0f} s at least",
        f"an archiving that fails | without end, until the video is proven to be gone or its time is over | "
        f"{_pauses(ARCHIVE)}",
        f"a render that ended with `internal_error` | {RENDER.most} new attempts | {_pauses(RENDER)}",
        f"a video that was lost, with `on_expired: rerender` | {RERENDER.most} new attempt | {_pauses(RERENDER)}",
    ]


def _pauses(tries: Tries) -> str:
    if tries.first_s == tries.longest_s:
        return f"{tries.first_s:.0f} s"
    return f"{tries.first_s:.0f} s, doubled each time up to {tries.longest_s:.0f} s"
