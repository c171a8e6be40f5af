"""What can go wrong with an item: the one table of reasons, with a stable code each, and the budgets of tries.

Nothing else in the program invents a reason. `docs/failures.md` is drawn from here (`sh scripts/draw-failures`). What
the provider itself calls a failure is told by `words`; its own words go into the item's message, unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from zlib import crc32

from orchestrator.items.decision import Money
from orchestrator.items.states import State


class Billed(StrEnum):
    """Whether a video that was not archived is paid for, as far as anybody knows."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    @property
    def money(self) -> Money:
        """Where the price of its attempt stands then."""
        bucket: Mapping[Billed, Money] = {Billed.YES: "confirmed", Billed.NO: "none", Billed.UNKNOWN: "unknown"}
        return bucket[self]


@dataclass(frozen=True, slots=True)
class Tries:
    """How often something is done again by itself (`most`; None: until a clock ends it), and the pauses before: the
    first, doubled each time up to the longest (seconds)."""

    most: int | None
    first_s: float
    longest_s: float

    def pause_s(self, before: int, who: str = "") -> float:
        """The pause after so many tries that were made again already. Of those who say who they are each has one of its
        own, up to a quarter longer, so that what failed together is not tried again together."""
        apart = crc32(f"{who} {before}".encode()) / 2**34 if who else 0.0
        return float(min(self.first_s * 2 ** min(before, 16), self.longest_s)) * (1 + apart)

    def left(self, before: int) -> bool:
        """Whether there is another one."""
        return self.most is None or before < self.most


#: A create that did not leave, or has no certain answer: the deployment pauses so long. Only what is proven not to have
#: been made is sent again, and that without end.
CREATE = Tries(None, 1, 60)
#: Looks that do not find the remote job: so many, and over two minutes at least, before it counts as gone (promise 21).
LOOK, LOOK_OVER_S = Tries(3, 60, 60), 120.0
#: An archiving that failed: without end, until the video is proven to be gone, or its deadline is long past.
ARCHIVE = Tries(None, 2, 300)
#: A video that the provider failed to make: another create, which may be paid besides the first.
RENDER = Tries(2, 60, 900)
#: A finished video that was lost, where `on_expired` is `rerender`: once, since it is paid again for certain.
RERENDER = Tries(1, 60, 60)


@dataclass(frozen=True, slots=True)
class Failure:
    """One way in which an item ends without a video, or stays open.

    state    where the item ends
    tries    new attempts that are begun by themselves before that; None: none
    lost     a video was there: a deployment's `on_expired` says whether it is made anew, once
    words    what providers call it, in lower case
    meaning, mend   for people: what happened, and what they can do
    """

    code: str
    state: State
    billed: Billed
    meaning: str
    mend: str
    tries: Tries | None = None
    lost: bool = False
    words: frozenset[str] = frozenset()

    def fields(self, message: str) -> dict[str, object]:
        """As an item's hash has it."""
        return {"reason": self.code, "message": message, "billed": str(self.billed)}


_F, _E, _H, _C = State.FAILED, State.EXPIRED, State.HELD, State.CANCELLED
_YES, _NO, _UNKNOWN = Billed.YES, Billed.NO, Billed.UNKNOWN
_REWORD = "change the prompt or the picture and submit the manifest again; the same one again seldom passes"
_AGAIN = "`dailies retry` makes a new one, which may be paid besides"

MODERATION_INPUT = Failure(
    "moderation_input", _F, _UNKNOWN, "the provider does not allow the prompt or the picture", _REWORD,
    words=frozenset({"input_moderation", "moderation_input"}),
)  # fmt: skip
MODERATION_OUTPUT = Failure(
    "moderation_output", _F, _UNKNOWN, "the provider made a video and does not hand it out", _REWORD,
    words=frozenset({"output_moderation", "moderation_output"}),
)  # fmt: skip
MODERATION = Failure(
    "moderation_blocked", _F, _UNKNOWN, "the provider's moderation blocked it, and does not say at which end", _REWORD,
    words=frozenset({
        "moderation_blocked", "content_policy_violation", "content_filter", "contentfilter",
        "responsibleaipolicyviolation",
    }),
)  # fmt: skip
MODERATION_REFUSED = Failure(
    "moderation_refused", _F, _NO, "the create was refused for its prompt or picture: nothing was made", _REWORD
)
INVALID_REQUEST = Failure(
    "invalid_request", _F, _NO, "the create was refused as it stands; the message begins with the field, where the "
    "server names one", "mend the row and submit the manifest again",
)  # fmt: skip
INPUT_MISSING = Failure(
    "input_missing", _F, _NO, "the row's picture cannot be read, or is not as it was when it was submitted",
    "mend the picture, submit the manifest again, then `dailies retry`",
)  # fmt: skip
SOURCE_MISSING = Failure(
    "source_missing", _F, _NO, "the provider has the video no longer that was to be remixed",
    "make the source again: `dailies retry`, or a new row",
)  # fmt: skip
INTERNAL_ERROR = Failure(
    "internal_error", _F, _UNKNOWN, "the provider failed, by its own word; it was tried again by itself", _AGAIN,
    tries=RENDER,
    words=frozenset({
        "internal_error", "internal_server_error", "internalservererror", "server_error", "service_unavailable",
        "500", "502", "503", "504",
    }),
)  # fmt: skip
RENDER_FAILED = Failure(
    "render_failed", _F, _UNKNOWN, "the provider failed, for a reason that is not known here: its own code and words "
    "are in `dailies show`", _AGAIN,
)  # fmt: skip
NO_VIDEO = Failure("no_video", _F, _UNKNOWN, "the provider says that it succeeded, and shows no video", _AGAIN)
CANCELLED_REMOTELY = Failure(
    "cancelled_remotely", _F, _UNKNOWN, "somebody cancelled the remote job at the provider", _AGAIN,
    words=frozenset({"cancelled", "canceled"}),
)  # fmt: skip
EXPIRED_REMOTELY = Failure(
    "expired_remotely", _F, _UNKNOWN, "the provider says that it is past its time, or has it no longer by then, and "
    "nobody saw it finish", f"{_AGAIN}; `on_expired: rerender` does it by itself", lost=True,
    words=frozenset({"expired"}),
)  # fmt: skip
REMOTE_MISSING = Failure(
    "remote_missing", _F, _UNKNOWN, "the provider knows the remote job no longer: three looks in two minutes say so",
    _AGAIN, words=frozenset({"deleted"}),
)  # fmt: skip
NEVER_FINISHED = Failure(
    "never_finished", _F, _UNKNOWN, "it still rendered when the provider would have deleted it", _AGAIN
)
UNKNOWN_STATUS = Failure(
    "unknown_status", _F, _UNKNOWN, "the provider said a status that nobody here knows, for longer than "
    "`max_render_s`", f"look at the provider what the word means; {_AGAIN}",
)  # fmt: skip
OUT_OF_SIGHT = Failure(
    "out_of_sight", _F, _UNKNOWN, "no look succeeded until the provider deletes it", f"mend key or network; {_AGAIN}"
)
EXPIRED = Failure(
    "expired", _E, _YES, "the video was finished and is gone from the provider, before it was archived",
    "`dailies retry` makes and pays it again; `on_expired: rerender` does it once by itself",
    lost=True,
)  # fmt: skip
UNREADABLE = Failure(
    "unreadable", _E, _YES, "what the provider sent for the finished video was never a whole video, until its time "
    "was over", "`dailies retry` makes and pays it again; `on_expired: rerender` does it once by itself",
    lost=True,
)  # fmt: skip
UNREACHED = Failure(
    "unreached", _E, _YES, "the finished video could not be asked for until long after its time was over",
    "mend key or network; `dailies retry` makes and pays it again",
)  # fmt: skip
OUTCOME_UNKNOWN = Failure(
    "outcome_unknown", _H, _UNKNOWN, "nobody can tell whether the create was taken",
    "look for it at the provider; `dailies retry --accept-double-charge` sends it again",
)  # fmt: skip
REUSE_MISSING = Failure(
    "reuse_missing", _F, _NO, "the archive has the other batch's video no longer that was to be used again",
    "`dailies retry` renders a new one, at its own price",
)  # fmt: skip
CANCELLED = Failure(
    "cancelled", _C, _NO, "a person cancelled it, and nothing was made for it", "`dailies retry` queues it again"
)
DISCARDED = Failure(
    "discarded", _C, _YES, "a person cancelled it and did not want the video that was made all the same",
    "`dailies retry` makes and pays it again",
)  # fmt: skip
SOURCES = tuple(
    Failure(
        f"source_{ended}", _F, _NO, f"it was to be made from an item that ended `{ended}`",
        "`dailies retry` of the source brings it back",
    )
    for ended in (_F, _C, _E, _H)
)  # fmt: skip

TABLE: Mapping[str, Failure] = {
    failure.code: failure
    for failure in (
        MODERATION_INPUT, MODERATION_OUTPUT, MODERATION, MODERATION_REFUSED, INVALID_REQUEST, INPUT_MISSING,
        SOURCE_MISSING, INTERNAL_ERROR, RENDER_FAILED, NO_VIDEO, CANCELLED_REMOTELY, EXPIRED_REMOTELY, REMOTE_MISSING,
        NEVER_FINISHED, UNKNOWN_STATUS, OUT_OF_SIGHT, EXPIRED, UNREADABLE, UNREACHED, OUTCOME_UNKNOWN, REUSE_MISSING,
        CANCELLED, DISCARDED, *SOURCES,
    )
}  # fmt: skip
#: What makes a refused create one of moderation.
MODERATION_WORDS = MODERATION.words | MODERATION_INPUT.words | MODERATION_OUTPUT.words
_BY_WORD = {word: failure for failure in TABLE.values() for word in failure.words}


def of_render(words: Iterable[str | None]) -> Failure:
    """What a remote job's own words (its failure's code, then its status) call its end; `render_failed` where nobody
    knows them."""
    for word in words:
        if word and (known := _BY_WORD.get(word.strip().lower())):
            return known
    return RENDER_FAILED
