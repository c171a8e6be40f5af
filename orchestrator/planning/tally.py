"""What a simulated night came to, counted as it goes: of each batch, and of what held creates back."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter, defaultdict


class BatchTally:
    """One batch. Instants in milliseconds."""

    def __init__(self, start: float) -> None:
        self._start = start
        #: Seconds after the start at which a video was archived, rounded up, in order: four bytes a video.
        self._archived = array("I")
        self.first_create: float | None = None
        self.last_create: float | None = None
        self.first_archived: float | None = None
        self.last_archived: float | None = None
        #: (deployment, number of the kind) → creates there, and what they cost in micro-dollars where that is known.
        self.creates: Counter[tuple[str, int]] = Counter()
        self.cost: Counter[tuple[str, int]] = Counter()
        #: Deployment → its last create.
        self.last_at: dict[str, float] = {}
        #: Finished, but deleted by the provider before its turn came to be archived.
        self.expired = 0

    def create(self, deployment: str, kind: int, price: int, at: float) -> None:
        """One more create has left."""
        if self.first_create is None:
            self.first_create = at
        self.last_create = self.last_at[deployment] = at
        self.creates[deployment, kind] += 1
        self.cost[deployment, kind] += price

    def archive(self, at: float) -> None:
        """One more video is archived; none was later than this."""
        if self.first_archived is None:
            self.first_archived = at
        self.last_archived = at
        self._archived.append(-int((self._start - at) // 1000))

    def archived_by(self, instant: float) -> int:
        """How many videos are archived at an instant (Unix seconds)."""
        return bisect_right(self._archived, instant - self._start / 1000)

    def creates_by_deployment(self) -> Counter[str]:
        """How many creates left at each deployment."""
        found: Counter[str] = Counter()
        for (name, _), count in self.creates.items():
            found[name] += count
        return found

    @property
    def archived(self) -> int:
        """How many videos are archived in the end."""
        return len(self._archived)


class Holds:
    """How long each gate of each deployment kept creates waiting, in milliseconds, while anything waited."""

    def __init__(self) -> None:
        self.total: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._since: dict[str, tuple[str, float]] = {}

    def begin(self, deployment: str, gate: str, at: float) -> None:
        """From now on it is this gate."""
        self.end(deployment, at)
        self._since[deployment] = (gate, at)

    def end(self, deployment: str, at: float) -> None:
        """Asked again, or nothing waits any more."""
        if deployment in self._since:
            gate, since = self._since.pop(deployment)
            self.total[deployment, gate] += at - since
