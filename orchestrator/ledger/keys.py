"""The names of the Redis keys, and nothing else; those that only the scripts touch are in `docs/architecture.md`.

All of them start with `{NAMESPACE}:`, a hash tag: on a clustered Redis every key lives in one slot, so a
script may touch several, and other programs may share the server. `lua/shared/ledger.lua` builds the same names.
"""

from __future__ import annotations

from typing import NamedTuple


class Ref(NamedTuple):
    """Names an item in the store: its batch and its id there (the key, or `KEY~2` for its second content)."""

    batch: str
    item: str

    def __str__(self) -> str:
        return f"{self.batch}/{self.item}"


#: Of arq's queues, by the step that names them: it grows with what is put there, be it a function or its arguments, so
#: that no worker takes from a queue what it does not know. `tests/workers/test_rolling_update.py` knows what that is.
QUEUE_VERSIONS = {"archive": 2}


class Keys:
    """Key names under one namespace. What may stand in Redis when all is settled is listed in `LASTING`."""

    #: Suffix patterns (fnmatch) of what outlives a settled run: the ledger itself, until it is forgotten.
    LASTING = (
        "meta",
        "batches",
        "reports",
        "sweep:*",
        "batch:*",
        "item:*",
        "attempt:*",
        "specs:*",
        "order:*",
        "deployments",
        "deployment:*",
        "quota:*",
        "members:*",
        "remote:*",
        "known:*",
        "asked:*",
        "listing:*",
        "virtual:*",
        "timings:*",
        "turns",
        "creates:*",
        "settling:*",
        "window:*",
        "budget:*",
        "orphans",
        "deletions",
        "recovery:*",
        "recover",
        "strays",
        "forgotten",
        "abandoned:*",
        "spend:*",
        "booked",
        "archivists",
        "crew",
        "prints",
        "same:*",
    )

    def __init__(self, namespace: str) -> None:
        self.prefix = f"{{{namespace}}}:"
        self.meta = f"{self.prefix}meta"  # hash: schema, archive's closing time, what `lua/shared/recovery.lua` says
        self.batches = f"{self.prefix}batches"  # zset: batch name → created_at, ms
        self.archive_due = f"{self.prefix}archive:due"  # zset: item ref → when its claim or pause ends, ms
        self.deployments = f"{self.prefix}deployments"  # set: every deployment ever admitted to
        self.orphans = f"{self.prefix}orphans"  # hash: "SCOPE remote id" → attempt

    def batch(self, name: str) -> str:
        """Hash: the batch's state, counters, money in micro-dollars, settings."""
        return f"{self.prefix}batch:{name}"

    def specs(self, batch: str) -> str:
        """Hash: item id → what was ordered, as JSON."""
        return f"{self.prefix}specs:{batch}"

    def order(self, batch: str) -> str:
        """Sorted set: item id → its place in the manifest."""
        return f"{self.prefix}order:{batch}"

    def item(self, ref: Ref) -> str:
        """Hash: state, version, attempt and what the archive said."""
        return f"{self.prefix}item:{ref.batch}/{ref.item}"

    def attempt(self, ref: Ref, number: int) -> str:
        """Hash: one create call's life."""
        return f"{self.prefix}attempt:{ref.batch}/{ref.item}#{number}"

    def deployment(self, name: str) -> str:
        """Hash: bucket, cooling, stop, scope."""
        return f"{self.prefix}deployment:{name}"

    def quota(self, name: str) -> str:
        """Hash of a quota that several deployments share: bucket, cooling, and what refusals taught of it."""
        return f"{self.prefix}quota:{name}"

    def members(self, quota: str) -> str:
        """Set: the deployments that share a quota."""
        return f"{self.prefix}members:{quota}"

    def timings(self, deployment: str) -> str:
        """Hash: create, archive or `render SIZE SECONDS` → the mean of what it took, ms, of how many, and the last."""
        return f"{self.prefix}timings:{deployment}"

    def open(self, deployment: str) -> str:
        """Sorted set: open attempt → when it is next due, ms. Its size is the number of slots in use."""
        return f"{self.prefix}open:{deployment}"

    def remote(self, scope: str) -> str:
        """Hash: remote id → the one attempt it belongs to, for one endpoint and key."""
        return f"{self.prefix}remote:{scope}"

    def known(self, scope: str) -> str:
        """Sorted set: the newest remote ids known there → created_at, Unix seconds."""
        return f"{self.prefix}known:{scope}"

    def recovery(self, scope: str) -> str:
        """Hash: whether what is listed there was looked through since Redis began anew."""
        return f"{self.prefix}recovery:{scope}"

    def asked(self, scope: str) -> str:
        """Sorted set: attempts whose create was not answered, held ones too → when their intent was written, ms."""
        return f"{self.prefix}asked:{scope}"

    def listing(self, scope: str) -> str:
        """Hash: what is known of a place's list: whether there is one, and whether jobs show their prompts."""
        return f"{self.prefix}listing:{scope}"

    def fetch(self, deployment: str) -> str:
        """Set: items whose finished video is still to be fetched from a deployment."""
        return f"{self.prefix}fetch:{deployment}"

    def remixes(self, ref: Ref) -> str:
        """Set: items to be made from this one, until they are."""
        return f"{self.prefix}remixes:{ref.batch}/{ref.item}"

    def budget(self, period: str) -> str:
        """Hash: what of the budget of a day or month is reserved, unknown and confirmed, in micro-dollars."""
        return f"{self.prefix}budget:{period}"

    def spend(self, day: int) -> str:
        """Hash: what of the creates of a day (days since 1970, UTC) is confirmed and unknown, in micro-dollars, by
        deployment, batch and model; kept for 800 days, whatever becomes of the batches."""
        return f"{self.prefix}spend:{day}"

    def parked(self, batch: str) -> str:
        """Hash: item id → the item of another batch whose video it waits for."""
        return f"{self.prefix}parked:{batch}"

    def queue(self, name: str) -> str:
        """arq's queue of a step (a report is on the archive's). Each has its own, so that a worker takes only steps
        that it runs, and a version, so that two releases do not take each other's."""
        return f"{self.prefix}arq:v{QUEUE_VERSIONS.get(name, 1)}:{name}"

    def job(self, step: str, ref: Ref, version: int) -> str:
        """The arq job id of a step at a version: enqueued twice, it runs once."""
        return f"{self.prefix}{step}:{ref.batch}/{ref.item}:{version}"

    def heartbeat(self, worker: str) -> str:
        """arq's health key of one worker."""
        return f"{self.prefix}arq:health:{worker}"

    def submit_lock(self, batch: str) -> str:
        """Held by the one submit of a batch that is under way."""
        return f"{self.prefix}submit:{batch}"
