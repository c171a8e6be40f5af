"""What submitting a manifest would do, counted before anything is queued, and what needs a person's word first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from manifests import Item as ManifestItem
from orchestrator.batches.comparison import Standing, Verdict
from orchestrator.items.states import State
from orchestrator.ledger.memory import bytes_of
from orchestrator.settings import Deployment
from orchestrator.video_models.prices import dearest, usd

#: From so many rows on, paying again is more likely a mistake than a wish.
MANY = 10
_MADE = (State.CREATING, State.RENDERING, State.ARCHIVING, State.ARCHIVED)


@dataclass(slots=True)
class Bill:
    """Rows, and what they cost at most in micro-dollars; `unpriced` of them at a price that nobody knows."""

    rows: int = 0
    cost: int = 0
    unpriced: int = 0

    def add(self, price: int | None) -> None:
        """One more row."""
        self.rows += 1
        self.cost += price or 0
        self.unpriced += price is None

    def __str__(self) -> str:
        """What it costs, in words."""
        if self.rows == self.unpriced:
            return "a price that is not known"
        more = f", and {self.unpriced} of them at a price that is not known" if self.unpriced else ""
        return f"up to ${usd(self.cost):,.2f}{more}"


@dataclass(slots=True)
class Survey:
    """One manifest against the ledger and the archive.

    - `renders`: what would be paid for, `again` and `reuse` considered
    - `elsewhere`: rows that are not in this batch, but queued or further in another; `batches` says in which
    - `renamed`: new rows whose content the batch has already, under keys that the manifest may have no longer;
      `reordered`: changed rows whose content it has under another key
    - `restyled`: rows that are more than queued, and would be rendered again only in another form
    - `found`: rows whose receipt stands in the archive; `there`: all that are archived, or certain to be, unpaid
    - `removed`: rows of the batch that the manifest has no longer; they stay
    - `added`: rows that the ledger does not have yet, and what they will take there (`bytes`)
    - `cancelled`: rows that a person cancelled; they stay so. `held_up`: what is paused of the batch, in sentences
    """

    batch: str
    deployments: Sequence[Deployment]
    reuse: bool = False
    again: bool = False
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    renders: Bill = field(default_factory=Bill)
    elsewhere: Bill = field(default_factory=Bill)
    renamed: Bill = field(default_factory=Bill)
    reordered: Bill = field(default_factory=Bill)
    restyled: Bill = field(default_factory=Bill)
    batches: Counter[str] = field(default_factory=Counter)
    found: int = 0
    there: int = 0
    removed: int = 0
    cancelled: int = 0
    held_up: Sequence[str] = ()
    added: int = 0
    bytes: int = 0

    @property
    def items(self) -> int:
        """All rows of the manifest, after expansion."""
        return self.verdicts.total()

    def take(self, standing: Standing, *, also_in: str | None = None) -> bool:
        """Count one row; whether it will be paid for.

        `also_in`: another batch that the same command is about to queue, and that has the same row.
        """
        item = standing.item
        price = dearest(self.deployments, item.model, item.size, item.seconds, item.deployment)
        self.verdicts[standing.verdict] += 1
        self.found += standing.found is not None
        unchanged = standing.verdict is Verdict.UNCHANGED
        if not unchanged:
            self.added, self.bytes = self.added + 1, self.bytes + bytes_of(item)
        self.cancelled += unchanged and standing.state is State.CANCELLED and standing.found is None
        twin = standing.twin.batch if standing.twin else also_in
        if twin is not None and standing.found is None and standing.verdict is not Verdict.UNCHANGED:
            self.elsewhere.add(price)
            self.batches[twin] += 1
        if standing.alias and standing.found is None:
            (self.renamed if standing.verdict is Verdict.NEW else self.reordered).add(price)
        if standing.restyled and standing.found is None:
            self.restyled.add(price)
        reused = self.reuse and twin is not None and standing.verdict is not Verdict.UNCHANGED
        renders = standing.renders and not reused
        if renders:
            self.renders.add(price)
        elif standing.found is not None or standing.verdict is not Verdict.UNCHANGED or standing.state in _MADE:
            self.there += 1
        return renders

    def notes(self) -> list[str]:
        """What a person asked before, and holds: in sentences."""
        if not self.cancelled:
            return list(self.held_up)
        were = "row was cancelled, and stays so" if self.cancelled == 1 else "rows were cancelled, and stay so"
        return [f"{self.cancelled:,} {were}", *self.held_up]

    def refusal(self) -> str | None:
        """Why nothing may be queued without a person's word (promises 13, 17); None where nothing speaks against it."""
        if self.again:
            return None
        many = self.elsewhere.rows > MANY and 2 * self.elsewhere.rows >= self.items
        if many and not self.reuse:
            where = ", ".join(name for name, _ in self.batches.most_common(3))
            return (
                f"{self.batch}: {self.elsewhere.rows} of {self.items} rows are already archived, rendering or queued "
                f"in another batch ({where}), and rendering them again would cost {self.elsewhere}. "
                "Say --reuse to use those videos here, or --again to pay for them again"
            )
        moved = min(self.renamed.rows, self.removed) + self.reordered.rows
        if moved > MANY and 2 * moved >= self.items:
            return (
                f"{self.batch}: {moved} of {self.items} rows are in this batch already under other keys, and rendering "
                "them again would be paid again. Put the keys back as they were (is a key a row's number, or was --key "
                "given before?), or say --again"
            )
        if self.restyled.rows > MANY:
            return (
                f"{self.batch}: {self.restyled.rows} rows that are rendered already, or being rendered, would be "
                "rendered again because their model, size or length changed, though their prompts did not, "
                f"for {self.restyled}. Put the defaults back, or say --again to pay for them again"
            )
        return None


def same_rows(earlier: dict[str, str], item: ManifestItem, batch: str) -> str | None:
    """Which batch of the same command has this row already; `earlier`, by fingerprint, learns that this one has it."""
    has_it = earlier.setdefault(item.fingerprint, batch)
    return has_it if has_it != batch else None
