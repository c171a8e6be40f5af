"""What a provider's list says about a create whose answer never came (promises 8 to 11). Pure.

Instants are on the provider's clock. The POST leaves at most `create_timeout_s` after the intent and is given up at
most as long after that: if a job was made, it was made in this window. A listing proves that none was only if it shows
no job that could be it, shows the newest job that we know there, and is the second one to do so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.ledger.in_hand import Rival
from orchestrator.ledger.records import Item
from orchestrator.ledger.store import How
from orchestrator.settings import Deployment
from workers.reconciliation.likeness import same_prompt, same_shape
from workers.video_api import RemoteJob

#: Times of creation and Date headers are whole seconds (seconds).
ROUNDING_S = 2.0
#: How far one of the clocks may have been set between intent and listing, and the window still holds (seconds).
STEP_S = 60.0


@dataclass(frozen=True, slots=True)
class Reading:
    """The provider's clock, read between two readings of the ledger's (Unix seconds). None: it does not tell."""

    before: float
    server: float | None
    after: float

    @property
    def now(self) -> float:
        """The provider's clock, or the ledger's in its place."""
        return self.before if self.server is None else self.server

    def span(self, instant: float) -> tuple[float, float]:
        """The earliest and the latest that the provider's clock can have shown at an instant of the ledger's."""
        if self.server is None:
            return instant, instant
        return instant + self.server - self.after, instant + self.server + 1 - self.before


@dataclass(frozen=True, slots=True)
class Listing:
    """The provider's jobs that may matter (`may_matter`); who each belongs to (attempt refs); the newest job that we
    know there, which a whole listing must show; the clocks; what else was asked for then and is not answered; whether
    it was read as far as was asked."""

    jobs: tuple[RemoteJob, ...]
    owners: Mapping[str, str]
    newest_known: str | None
    clock: Reading
    rivals: tuple[Rival, ...] = ()
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Adopt:
    """This remote job is the item's."""

    remote_id: str
    how: How


@dataclass(frozen=True, slots=True)
class LookAgain:
    """It is too early to tell. `absent_since`: this listing was the first to show no such job, at that time."""

    in_s: float
    absent_since: float | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Nobody can tell; `message` says why, `candidates` are the jobs of which it may be one."""

    message: str
    candidates: tuple[RemoteJob, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Resend:
    """Send it again. `proven`: the listings prove that nothing came of the create; else a person chose to pay twice
    rather than to wait (`on_unknown: retry`)."""

    proven: bool = True


Finding = Adopt | LookAgain | Hold | Resend


def decide(item: Item, listing: Listing, deployment: Deployment) -> Finding:
    """What a listing says about an item whose create has an unknown outcome."""
    if item.attempt is None or item.attempt.intent_at is None:
        return Hold("the intent has no time")
    now, (_, latest) = listing.clock.now, listing.clock.span(item.attempt.intent_at)
    patience = 2 * deployment.create_timeout_s + deployment.settle_s
    settled_at = latest + 2 * patience
    free = [job for job in listing.jobs if job.remote_id not in listing.owners]
    same = [job for job in free if same_prompt(job, item.spec)]

    def made_after(intent_at: float, job: RemoteJob, step: float) -> bool:
        earliest, latest = listing.clock.span(intent_at)
        window = earliest - ROUNDING_S - step, latest + 2 * deployment.create_timeout_s + ROUNDING_S + step
        return job.created_at is None or window[0] <= job.created_at <= window[1]

    def rivals_for(job: RemoteJob, step: float) -> list[Rival]:
        return [r for r in listing.rivals if made_after(r.intent_at, job, step) and same_shape(job, r.spec)]

    def contested(job: RemoteJob, step: float) -> bool:
        """Whether another order of the same words, with another picture or source, may have made it."""
        others = (r.spec for r in rivals_for(job, step) if r.spec.fingerprint != item.spec.fingerprint)
        return any(same_prompt(job, spec) for spec in others)

    def sought(job: RemoteJob) -> bool:
        """Whether it is what another order says, and nobody has looked for that yet: both may have waited long, while
        nobody was at work. Whoever looks for it finds a job of its own words, and so waits for nobody."""
        return any(rival.undecided and same_prompt(job, rival.spec) for rival in rivals_for(job, step))

    intent_at, step = item.attempt.intent_at, 0.0 if deployment.shared else STEP_S
    mine = [job for job in same if same_shape(job, item.spec) and made_after(intent_at, job, step)]
    ours = [job for job in mine if not contested(job, step)]
    if ours and not (deployment.shared and len(mine) > 1):
        # Several of one prompt are takes of the same order: any of them is as good, the nearest in time is best.
        return Adopt(min(ours, key=lambda job: abs((job.created_at or latest) - latest)).remote_id, "prompt")

    near = [job for job in free if made_after(intent_at, job, STEP_S)]
    if near or same:
        if not same and len(near) == 1 and not deployment.shared:
            (job,) = near
            told = job.prompt is None and job.created_at is not None and same_shape(job, item.spec)
            if told and made_after(intent_at, job, 0.0) and not rivals_for(job, STEP_S):
                return Adopt(job.remote_id, "time")
        # Another create of ours may still claim it: one that is out, or one that is looked into as this one is.
        claimed_by = max([settled_at, *(job.created_at + 2 * patience for job in near if job.created_at)])
        if later := _later(claimed_by - now, patience):
            return later
        if not same and all(sought(job) for job in near):
            return LookAgain(max(1.0, patience / 2))
        known = {job.remote_id: job for job in [*same, *near]}
        return Hold(
            _doubt(same, near, deployment, rivals=any(rivals_for(job, STEP_S) for job in near)), tuple(known.values())
        )
    if gap := _gap(listing):
        if later := _later(settled_at + patience - now, patience):
            return later
        return _untold(item, deployment, f"no such job is listed, but {gap}")
    seen = item.attempt.fields.get("absent_since")
    if not seen:
        return LookAgain(patience + 1, absent_since=now)
    if again := _later(max(float(seen), latest) + patience - now, patience):
        return again
    if item.fields.get("resent"):
        return Hold("no such job is listed, and the create was already sent again once")
    return Resend()


def without_list(item: Item, deployment: Deployment, now: float, why: str) -> Finding:
    """What becomes of it where the server has no list of its jobs. `now`: the ledger's clock."""
    if item.attempt is None or item.attempt.intent_at is None:
        return Hold("the intent has no time")
    patience = 2 * deployment.create_timeout_s + deployment.settle_s
    return _later(item.attempt.intent_at + patience - now, patience) or _untold(
        item, deployment, f"the server has no list of its jobs: {why}"
    )


def may_matter(job: RemoteJob, item: Item, clock: Reading, deployment: Deployment) -> bool:
    """Whether it could be the item's: of its prompt, or of its time. All others need not be kept."""
    if item.attempt is None or item.attempt.intent_at is None or job.created_at is None or same_prompt(job, item.spec):
        return True
    earliest, latest = clock.span(item.attempt.intent_at)
    around = ROUNDING_S + STEP_S
    return earliest - around <= job.created_at <= latest + 2 * deployment.create_timeout_s + around


def _untold(item: Item, deployment: Deployment, why: str) -> Resend | Hold:
    """The list cannot tell, and never will."""
    if deployment.on_unknown == "retry" and not item.fields.get("resent"):
        return Resend(proven=False)
    return Hold(why)


def _gap(listing: Listing) -> str | None:
    """Why a listing proves nothing by what it does not show."""
    if listing.clock.server is None:
        return "the provider tells no time"
    if not listing.whole:
        return "the list gives its first jobs again instead of the next ones"
    if listing.newest_known is None:
        return "we know of no job there yet that it would have to show"
    if listing.newest_known not in {job.remote_id for job in listing.jobs}:
        return "the newest job that we know there is missing from the list too"
    return None


def _later(left_s: float, patience: float) -> LookAgain | None:
    """Look again while time is left: at its end, or before, since what is in doubt may be clear sooner."""
    return LookAgain(max(1.0, min(left_s + 1, patience / 2))) if left_s > 0 else None


def _doubt(same: list[RemoteJob], near: list[RemoteJob], deployment: Deployment, *, rivals: bool) -> str:
    others = ", and other programs create here too" if deployment.shared else ""
    if rivals:
        others = f", and another create of that time has no answer either{others}"
    if len(same) > 1 and others:
        return f"several jobs have this prompt{others}"
    if same and rivals:
        return f"the job {same[0].remote_id} has this prompt{others}"
    if same:
        return f"the job {same[0].remote_id} has this prompt, but another size, length or time{others}"
    if near[0].prompt is None:
        return f"the job {near[0].remote_id} was made then, and the provider does not show its prompt{others}"
    return f"the job {near[0].remote_id} was made then, and nobody knows whose it is{others}"
