"""The states of an item, the events that move it, and the one table that says which is allowed where.

Nothing else in the program names a next state: the Lua scripts that move an item are loaded with `TABLE` and refuse
what is not in it. The diagram in `docs/states.md` is drawn from here.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where an item is in its life; the text says what it means and who moves it on."""

    WAITING = "waiting"  # queued, not admitted; admission moves it on, or a cancel
    ADMITTED = "admitted"  # holds token, slot and money; the create step moves it on
    CREATING = "creating"  # the intent is durable, the POST may be out; create, or reconcile once due again
    RENDERING = "rendering"  # the remote id is known; the poller moves it on
    ARCHIVING = "archiving"  # finished remotely, not yet proven in the archive; the archive step moves it on
    ARCHIVED = "archived"  # final: proven, receipt written
    FAILED = "failed"  # final, with a reason and whether it was billed; `retry` by a person
    CANCELLED = "cancelled"  # final; `retry` by a person
    EXPIRED = "expired"  # final: finished remotely, gone before it was archived
    HELD = "held"  # final until somebody acts: the outcome is unknown and reconcile could not tell


class BatchState(StrEnum):
    """`loading → running ⇄ paused → final`; final means that nothing moves without a person."""

    LOADING = "loading"
    RUNNING = "running"
    PAUSED = "paused"
    FINAL = "final"


class Event(StrEnum):
    """What happened to an item; the value completes the log line `item.<value>`."""

    ADMITTED = "admitted"  # admission gave it token, slot and money
    DEFERRED = "deferred"  # it would be sent too soon after the one before: stays admitted, due later
    INTENDED = "intended"  # the intent is written
    RETURNED = "returned"  # back to the queue with nothing sent (or refused for no fault of the item)
    REFUSED = "refused"  # the provider refused this item itself, unbilled
    UNCERTAIN = "uncertain"  # the outcome of the create is unknown: only reconcile moves it
    ACCEPTED = "accepted"  # a remote id is known, by the answer
    ADOPTED = "adopted"  # a remote id is known, by the provider's listing
    ATTACHED = "attached"  # a remote id is known, by a person's word
    DISOWNED = "disowned"  # its remote job, adopted by a guess, turned out to be another item's
    RESENT = "resent"  # the listing proves that no remote job came of the create
    HELD = "held"  # nobody can tell what came of the create
    OBSERVED = "observed"  # a look at the remote job that changed nothing
    SUCCEEDED = "succeeded"  # the remote job is finished and has a video
    FAILED = "failed"  # the remote job ended without a video
    ARCHIVED = "archived"  # the video is proven in the archive and its receipt written
    POSTPONED = "postponed"  # this try at archiving failed; another is due later
    LOST = "lost"  # the finished video is gone from the provider, and not archived
    CANCELLED = "cancelled"  # a person took it back, and nothing is rendered for it
    DISCARDED = "discarded"  # a person took it back, and does not want the video that was made all the same
    RETRIED = "retried"  # the remote job came to nothing, and a new attempt is begun by itself, after a pause
    REVIVED = "revived"  # a person wants it made after all
    ABANDONED = "abandoned"  # it was to be made from an item that ended without a video
    FOUND = "found"  # its receipt stands in the archive: it was rendered, and the ledger does not know it
    PRESUMED = "presumed"  # Redis began anew, and a job of its prompt is listed: it may have been sent before
    LINKED = "linked"  # the same video is archived in another batch: only a receipt is left to write
    UNLINKED = "unlinked"  # the archive has no receipt of the video that was to be used again


S, E = State, Event

TABLE: dict[Event, dict[State, State]] = {
    E.ADMITTED: {S.WAITING: S.ADMITTED},
    E.DEFERRED: {S.ADMITTED: S.ADMITTED},
    E.INTENDED: {S.ADMITTED: S.CREATING},
    E.RETURNED: {S.ADMITTED: S.WAITING, S.CREATING: S.WAITING},
    E.REFUSED: {S.ADMITTED: S.FAILED, S.CREATING: S.FAILED},
    E.UNCERTAIN: {S.CREATING: S.CREATING},
    # An answer that names a remote id is believed whatever was decided meanwhile (`lua/accept.lua`).
    E.ACCEPTED: {
        S.CREATING: S.RENDERING,
        S.HELD: S.RENDERING,
        S.WAITING: S.RENDERING,
        S.ADMITTED: S.RENDERING,
        S.CANCELLED: S.RENDERING,
        # It had another job, which was only guessed to be its own.
        S.RENDERING: S.RENDERING,
        S.ARCHIVING: S.RENDERING,
    },
    E.ADOPTED: {S.CREATING: S.RENDERING, S.HELD: S.RENDERING},
    E.ATTACHED: {
        S.WAITING: S.RENDERING,
        S.CREATING: S.RENDERING,
        S.HELD: S.RENDERING,
        S.FAILED: S.RENDERING,
        S.CANCELLED: S.RENDERING,
        S.EXPIRED: S.RENDERING,
    },
    E.DISOWNED: {S.RENDERING: S.CREATING, S.ARCHIVING: S.CREATING},
    E.RESENT: {S.CREATING: S.WAITING},
    # Looked into again, it may be held for other jobs than before.
    E.HELD: {S.CREATING: S.HELD, S.HELD: S.HELD},
    E.OBSERVED: {S.RENDERING: S.RENDERING},
    E.SUCCEEDED: {S.RENDERING: S.ARCHIVING},
    E.FAILED: {S.RENDERING: S.FAILED},
    E.ARCHIVED: {S.ARCHIVING: S.ARCHIVED},
    E.POSTPONED: {S.ARCHIVING: S.ARCHIVING},
    E.LOST: {S.ARCHIVING: S.EXPIRED},
    # Sent, it is only called off where nothing came of it; otherwise it is polled to its end (`lua/transition.lua`).
    E.CANCELLED: {S.WAITING: S.CANCELLED, S.ADMITTED: S.CANCELLED, S.CREATING: S.CANCELLED},
    E.DISCARDED: {S.RENDERING: S.CANCELLED, S.ARCHIVING: S.CANCELLED},
    E.RETRIED: {S.RENDERING: S.WAITING, S.ARCHIVING: S.WAITING},
    E.REVIVED: {S.FAILED: S.WAITING, S.CANCELLED: S.WAITING, S.EXPIRED: S.WAITING, S.HELD: S.WAITING},
    E.ABANDONED: {S.WAITING: S.FAILED},
    E.FOUND: {S.WAITING: S.ARCHIVED, S.CREATING: S.ARCHIVED, S.RENDERING: S.ARCHIVED, S.HELD: S.ARCHIVED},
    E.PRESUMED: {S.WAITING: S.CREATING},
    E.LINKED: {S.WAITING: S.ARCHIVING},
    E.UNLINKED: {S.ARCHIVING: S.FAILED},
}

#: States in which an item still moves by itself; a batch with none of them left is final.
MOVING = (S.WAITING, S.ADMITTED, S.CREATING, S.RENDERING, S.ARCHIVING)
#: States whose attempt occupies a slot of its deployment.
OPEN = (S.ADMITTED, S.CREATING, S.RENDERING)


def lua_constants() -> str:
    """The table and its groups as Lua locals, for `lua/shared/ledger.lua`: the scripts know no states of their own.

    `ADMITS` is the row of admission by itself: the script that runs most often makes no other move.
    """

    def row(event: Event) -> str:
        return f"{{{', '.join(f'{a} = {b.value!r}' for a, b in TABLE[event].items())}}}"

    def group(states: tuple[State, ...]) -> str:
        return f"{{{', '.join(f'{state} = true' for state in states)}}}"

    moving = ", ".join(repr(state.value) for state in MOVING)
    return (
        f"local TABLE = {{{', '.join(f'{event} = {row(event)}' for event in TABLE)}}}\n"
        f"local ADMITS = {row(Event.ADMITTED)}\n"
        f"local MOVING, STILL_MOVES = {{{moving}}}, {group(MOVING)}\n"
        f"local OPEN = {group(OPEN)}\n"
    )


def mermaid() -> str:
    """The table as a Mermaid state diagram (text), one labelled edge for each entry."""
    lines = ["stateDiagram-v2", "    [*] --> waiting: submitted"]
    lines += [f"    {a} --> {b}: {event}" for event, row in TABLE.items() for a, b in row.items()]
    lines += [f"    {state} --> [*]" for state in State if state not in MOVING]
    return "\n".join(lines) + "\n"
