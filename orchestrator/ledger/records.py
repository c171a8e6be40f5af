"""What the ledger holds, as typed records: items, attempts and batches read back from their hashes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.items.states import BatchState, State
from orchestrator.ledger.keys import Ref

#: A Redis hash as redis-py returns it, decoded.
Fields = Mapping[str, str]


def decode(raw: Mapping[bytes, bytes]) -> dict[str, str]:
    """A hash's fields as text."""
    return {k.decode(): v.decode() for k, v in raw.items()}


def _int(fields: Fields, name: str) -> int:
    return int(float(fields.get(name) or 0))


def instant(fields: Fields, name: str) -> float | None:
    """Milliseconds in the ledger, Unix seconds outside of it."""
    return float(fields[name]) / 1000 if fields.get(name) else None


@dataclass(frozen=True, slots=True)
class Spec:
    """What was ordered: one item of a manifest as it was accepted."""

    key: str
    prompt: str
    model: str
    size: str
    seconds: int
    fingerprint: str
    labels: Mapping[str, str]
    input_reference: str | None = None
    image_sha256: str | None = None
    remix_of: str | None = None
    deployment: str | None = None  # the only one that may make it

    @classmethod
    def parse(cls, text: str | bytes) -> Spec:
        """From the JSON that `dump` wrote; fields of a newer version are passed over."""
        data = json.loads(text)
        return cls(**{name: data[name] for name in cls.__slots__ if name in data})

    def dump(self) -> str:
        """As JSON, with what is absent left out."""
        values = ((name, getattr(self, name)) for name in self.__slots__)
        return json.dumps({k: v for k, v in values if v is not None}, ensure_ascii=False, sort_keys=True)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One create call of an item. Instants are Unix seconds; `price` is micro-dollars, None if unknown;
    `money` says where that stands: reserved, unknown, confirmed or none."""

    number: int
    deployment: str
    scope: str
    price: int | None
    money: str
    remote_id: str | None
    adopted: str | None
    intent_at: float | None
    fields: Fields

    @classmethod
    def parse(cls, number: int, fields: Fields) -> Attempt:
        """From the attempt's hash."""
        return cls(
            number,
            fields.get("deployment", ""),
            fields.get("scope", ""),
            int(fields["price"]) if fields.get("price") else None,
            fields.get("money", "none"),
            fields.get("remote_id"),
            fields.get("adopted"),
            instant(fields, "intent_at"),
            fields,
        )


@dataclass(frozen=True, slots=True)
class Item:
    """One item as it stands. `version` fences decisions; `attempt`, number `attempts`, is the one that counts: None and
    0 before the first admission. Where `views.items` reads it, `calls` says how many creates were sent for it, and
    `replaced_by` which item is wanted in its place."""

    ref: Ref
    state: State
    version: int
    spec: Spec
    attempts: int
    attempt: Attempt | None
    reason: str | None
    message: str | None
    deployment: str | None
    fields: Fields
    calls: int | None = None
    replaced_by: str | None = None

    @classmethod
    def parse(cls, ref: Ref, fields: Fields, spec: bytes, attempt: Fields) -> Item:
        """From the item's hash, its spec and its newest attempt's hash."""
        number = _int(fields, "attempt")
        return cls(
            ref,
            State(fields["state"]),
            int(fields["v"]),
            Spec.parse(spec),
            number,
            Attempt.parse(number, attempt) if number else None,
            fields.get("reason") or None,
            fields.get("message") or None,
            fields.get("deployment"),
            fields,
        )

    @property
    def made(self) -> int:
        """The highest number of its attempts: more than `attempts` says when late evidence brought an earlier one back,
        and more than its `calls` where some were handed back unsent."""
        return _int(self.fields, "made")

    @property
    def remote_id(self) -> str | None:
        """The provider's id of its remote job, where one is known."""
        return self.attempt.remote_id if self.attempt else None

    @property
    def revision(self) -> int:
        """Counted from 1: which content of its key this is."""
        return int(self.ref.item.removeprefix(self.spec.key).removeprefix("~") or 1)

    @property
    def reused(self) -> str | None:
        """The video of another batch that it takes as its own: the name of its file in the archive."""
        return self.fields.get("reused") or None

    @property
    def expires_at(self) -> float | None:
        """When the provider deletes the finished video (Unix seconds)."""
        return instant(self.fields, "expires_at")


@dataclass(frozen=True, slots=True)
class Batch:
    """One accepted manifest. Money is in micro-dollars; instants are Unix seconds."""

    name: str
    state: BatchState
    counts: Mapping[State, int]
    total: int
    estimated: int
    reserved: int
    unknown: int
    confirmed: int
    budget: int | None
    columns: tuple[str, ...]
    created_at: float
    started_at: float | None
    final_at: float | None
    reported_at: float | None
    fields: Fields

    @classmethod
    def parse(cls, name: str, fields: Fields) -> Batch:
        """From the batch's hash."""
        return cls(
            name,
            BatchState(fields["state"]),
            {state: _int(fields, f"n:{state}") for state in State},
            _int(fields, "total"),
            _int(fields, "estimated"),
            _int(fields, "reserved"),
            _int(fields, "unknown"),
            _int(fields, "confirmed"),
            int(fields["budget"]) if fields.get("budget") else None,
            tuple(json.loads(fields.get("columns", "[]"))),
            instant(fields, "created_at") or 0.0,
            instant(fields, "started_at"),
            instant(fields, "final_at"),
            instant(fields, "reported_at"),
            fields,
        )

    def moving(self, *states: State) -> int:
        """How many of its items are in one of these states."""
        return sum(self.counts[state] for state in states)


@dataclass(frozen=True, slots=True)
class Claim:
    """A step that this worker has taken on, until its due time passes again.

    A report's `ref` names only a batch, and a probe's the deployment in its place, with the probe's number as version.
    """

    step: str
    ref: Ref
    version: int
    attempt: int

    @classmethod
    def parse(cls, raw: list[Any]) -> Claim:
        """From a row of `claim.lua` or, with the step in front, of `admit.lua`."""
        step, batch, item, version, attempt = raw
        return cls(step.decode(), Ref(batch.decode(), item.decode()), int(version), int(attempt))
