"""Every metric: what this process counts, and what it tells of the ledger, with names, labels and meanings.

Who does a thing says so to the `Metrics` of its store, in one line; a log line does not, since what is counted must not
hang on how much is logged. Labels are bounded: deployments as configured, words of our own, statuses that HTTP knows;
never a key, a prompt or the name of a batch. Each process, and each test, has a registry of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from orchestrator.items.failures import TABLE
from orchestrator.items.states import Event

#: Of the ledger, which all workers share, so that each tells the same: name → labels and meaning.
GAUGES: dict[str, tuple[tuple[str, ...], str]] = {
    "dailies_ledger_up": ((), "1 while Redis answers; 0: nothing else of the ledger is told."),
    "dailies_items": (("state",), "Items of all batches in the ledger."),
    "dailies_batches": (("state",), "Batches in the ledger."),
    "dailies_batches_stopped": (("reason",), "Batches that only a person can move on."),
    "dailies_held_items": ((), "Items of which nobody can tell whether they were made and paid."),
    "dailies_admissible_items": ((), "Creates that quotas, windows and money allow now, and videos to archive."),
    "dailies_admissible_creates": ((), "Creates that quotas, windows and money allow now."),
    "dailies_archive_backlog_items": ((), "Finished videos that are not archived yet."),
    "dailies_archive_oldest_seconds": ((), "For how long the oldest of them has been finished."),
    "dailies_expiry_least_seconds": ((), "Until the provider deletes the next of them; absent where there is none."),
    "dailies_archive_refusing": ((), "1 while the archive refuses writes, so that nothing is created."),
    "dailies_deployment_tokens": (("deployment",), "Creates that the rate of its quota allows at once."),
    "dailies_deployment_slots": (("deployment",), "Jobs at once that its quota allows, as far as is known."),
    "dailies_deployment_slots_used": (("deployment",), "Jobs at once that count against its quota."),
    "dailies_deployment_stopped": (("deployment", "reason"), "1 while it is stopped or paused; 0 without a reason."),
    "dailies_recovering": ((), "Endpoints whose jobs must be listed, since Redis began anew, before creates start."),
    "dailies_spend_usd": (("kind",), "US dollars of the batches in the ledger."),
    "dailies_last_progress_timestamp_seconds": ((), "When an item last changed its state."),
    "dailies_workers": (("step",), "Workers that run a step, seen within the last minute."),
}
STEP_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
LAG_BUCKETS = (1, 5, 15, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600)
#: Why a create was refused, by the word of its outcome; what is not here is `other`.
REFUSALS = {
    "rate_limited": "rate",
    "too_many_running": "slots",
    "quota_exhausted": "quota",
    "auth": "auth",
}


class Sample(NamedTuple):
    """One number of the ledger: the gauge's name, the values of its labels in their order."""

    name: str
    labels: tuple[str, ...]
    value: float


class Metrics:
    """What one process counts. Durations and ages are in seconds."""

    def __init__(self) -> None:
        self._registry = own = CollectorRegistry()
        ProcessCollector(registry=own)
        self._build = Gauge("dailies_build_info", "The release that runs here.", ["version"], registry=own)
        self._build.labels(version("dailies")).set(1)
        self._admissions = Counter("dailies_admissions", "Items admitted.", ["deployment"], registry=own)
        self._refusals = Counter("dailies_refusals", "Creates refused.", ["deployment", "kind"], registry=own)
        self._polls = Counter("dailies_polls", "Looks at remote jobs.", ["deployment", "outcome"], registry=own)
        self._requests = Counter(
            "dailies_api_requests", "Requests to video APIs; status none: no answer came.",
            ["deployment", "method", "status"], registry=own,
        )  # fmt: skip
        self._bytes = Counter("dailies_archived_bytes", "Bytes of videos archived.", registry=own)
        self._videos = Counter("dailies_archived_videos", "Videos archived.", registry=own)
        self._expired = Counter("dailies_expired_videos", "Finished videos lost before that.", registry=own)
        self._reconciled = Counter("dailies_reconciled", "Looks into unknown creates.", ["outcome"], registry=own)
        self._failures = Counter("dailies_failures", "Items that ended without a video.", ["reason"], registry=own)
        for reason in (*TABLE, "other"):
            self._failures.labels(reason)
        self._steps = Histogram(
            "dailies_step_duration_seconds", "How long steps took.", ["step", "outcome"],
            buckets=STEP_BUCKETS, registry=own,
        )  # fmt: skip
        self._lag = Histogram(
            "dailies_archive_lag_seconds", "From a video's end of rendering to its proof in the archive.",
            buckets=LAG_BUCKETS, registry=own,
        )  # fmt: skip

    def expect(self, deployments: Iterable[str]) -> None:
        """Tell of these from the beginning, as 0: whoever reckons a rate needs the number before the first."""
        for name in deployments:
            self._admissions.labels(name)
            for kind in (*REFUSALS.values(), "other"):
                self._refusals.labels(name, kind)

    def admitted(self, deployment: str, count: int) -> None:
        """So many items were."""
        if count:
            self._admissions.labels(deployment).inc(count)

    def refused(self, deployment: str, outcome: str) -> None:
        """A create was, and its attempt's outcome says why."""
        self._refusals.labels(deployment, REFUSALS.get(outcome, "other")).inc()

    def looked(self, deployment: str, outcome: str, seconds: float) -> None:
        """At a remote job: running, succeeded, failed, gone, missing, or error where nothing was learned."""
        self._polls.labels(deployment, outcome).inc()
        self.took("poll", "done", seconds)

    def answered(self, deployment: str, method: str, status: int | None) -> None:
        """A request got this status, or (None) no answer. Statuses that HTTP does not know are told by their class."""
        word = "none" if status is None else _STATUSES.get(status) or f"{min(max(status // 100, 0), 9)}xx"
        self._requests.labels(deployment, method, word).inc()

    def archived(self, size: int, lag_s: float | None) -> None:
        """A video was, of so many bytes; None where nobody knows when it was finished."""
        self._videos.inc()
        self._bytes.inc(size)
        if lag_s is not None:
            self._lag.observe(max(lag_s, 0.0))

    def moved(self, event: Event, reason: object) -> None:
        """An item was, by this event and (where it ended without a video) for this reason of the table of failures."""
        if event is Event.LOST:
            self._expired.inc()
        if event in _ENDS:
            self._failures.labels(reason if reason in TABLE else "other").inc()

    def reconciled(self, outcome: str) -> None:
        """adopted, resent, held, not_yet (looked at again later), or unlisted: no list was to be had."""
        self._reconciled.labels(outcome).inc()

    def took(self, step: str, outcome: str, seconds: float) -> None:
        """A step came to its end: done, overtaken (its claim was lost), lost (Redis was), cut, elsewhere or failed."""
        self._steps.labels(step, outcome).observe(seconds)

    def exposition(self, ledger: Sequence[Sample], accept: str = "") -> tuple[bytes, str]:
        """All of it as Prometheus reads it, and the content type that `accept` asks for."""
        encode, content_type = choose_encoder(accept)
        return encode(_Page(self._registry, ledger)), content_type


_STATUSES = {int(status): str(int(status)) for status in HTTPStatus}
#: Events by which an item ends without a video, though nobody asked for that.
_ENDS = frozenset({Event.REFUSED, Event.FAILED, Event.LOST, Event.HELD, Event.ABANDONED, Event.UNLINKED})


class _Page(CollectorRegistry):
    """What is told at one scrape: of the process without the instants at which counting began, and of the ledger."""

    def __init__(self, own: CollectorRegistry, ledger: Sequence[Sample]) -> None:
        super().__init__(auto_describe=False)
        self._own, self._ledger = own, ledger

    def collect(self) -> Iterator[Metric]:
        for metric in self._own.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric
        for name, (labels, meaning) in GAUGES.items():
            told = [sample for sample in self._ledger if sample.name == name]
            if told:
                family = GaugeMetricFamily(name, meaning, labels=labels)
                for sample in told:
                    family.add_metric(sample.labels, sample.value)
                yield family
