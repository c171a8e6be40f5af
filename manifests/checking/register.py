"""What holds only for all items together: keys are unique, and remixes lead to a source."""

from __future__ import annotations

from typing import NamedTuple

from manifests.checking.order import Order
from manifests.draft import Draft
from manifests.key import is_remote_id
from manifests.key_hashes import KeyHashes
from manifests.problem import Problems, Spot, excerpt
from manifests.vocabulary.fields import nearest

_MOST_COMPARED = 10_000


Kind = tuple[str, str, int]  # model, size, seconds


class _Remix(NamedTuple):
    source: str
    kind: Kind
    spot: Spot
    pin: str | None
    pin_spot: Spot


class Register:
    """Sees each item, and keeps eight bytes of it, so that memory stays nearly flat.

    Where a key may stand twice, or an item is a remix, it needs to see all items again: then it keeps the key, the
    place and the kind of those that matter. Nearly every manifest is read only once, and one with problems twice.
    """

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._hashes = KeyHashes()
        self._repeated: frozenset[int] = frozenset()
        self._sources: frozenset[str] = frozenset()
        self._few = False
        self._first: dict[str, tuple[str, int, str]] = {}  # key without case → file, line, key as it is
        self._made: dict[str, Kind] = {}
        self._pins: dict[str, str] = {}
        self._left_out: set[str] = set()
        self._remixes: dict[str, _Remix] = {}
        self._complete = True

    def note(self, key: str | None, order: Order | None, draft: Draft) -> None:
        """One item. `key` or `order` is None where it has problems."""
        if key is None:
            self._complete = False
            return
        self._hashes.add(key.casefold())
        if order is not None and order.remix_of is not None and key not in self._remixes:
            kind, spots = order.kind, (draft.spot("remix_of"), draft.spot("deployment"))
            self._remixes[key] = _Remix(order.remix_of, kind.named, spots[0], kind.deployment, spots[1])

    def must_look_again(self) -> bool:
        """After the last item: whether all of them have to be shown once more, by `note_again`."""
        self._problems.begin_row()
        self._repeated = self._hashes.repeated()
        self._sources = frozenset(remix.source.casefold() for remix in self._remixes.values())
        self._few = bool(self._remixes) and self._hashes.count <= _MOST_COMPARED
        return bool(self._repeated or self._remixes)

    def note_again(self, key: str | None, order: Order | None, draft: Draft) -> None:
        """The same item again: a key that was taken before is told now, with both places."""
        if key is None:
            return
        folded = key.casefold()
        if not self._few and folded not in self._sources and hash(folded) not in self._repeated:
            return
        if (first := self._first.get(folded)) is not None:
            self._problems.add(draft.row_spot("key"), draft.fields.get("key", ""), *_taken(key, first, draft))
            return
        self._first[folded] = (draft.row.places.file, draft.row.line, key)
        if order is not None:
            self._made[key] = order.kind.named
            if order.kind.deployment is not None:
                self._pins[key] = order.kind.deployment

    def note_any(self, key: str | None) -> None:
        """The key of any row, shown again, also of one that is left out."""
        if key is not None and (folded := key.casefold()) in self._sources:
            self._left_out.add(folded)

    def finish(self) -> None:
        """At the very end: every remix needs a source, and no chain of remixes may close."""
        for key, remix in self._remixes.items():
            self._check_source(key, remix)
        self._check_cycles()

    def _check_source(self, key: str, remix: _Remix) -> None:
        source, spot = remix.source, remix.spot
        known = self._first.get(source.casefold())
        if known is None:
            if source.casefold() in self._left_out:
                message = f"it is a remix of {source}, which --where leaves out"
                self._problems.add(spot, source, message, "leave this row out as well, or let --where keep both")
            elif not is_remote_id(source) and self._complete:
                near = nearest(source, self._first) if len(self._first) <= _MOST_COMPARED else None
                hint = f"did you mean {self._first[near][2]}?" if near else "write an item's key, or video_… or task_…"
                self._problems.add(spot, source, f"no item has the key {excerpt(source)}", hint)
        elif known[2] != source:
            self._problems.add(spot, source, f"no item has the key {source}", f"did you mean {known[2]}?")
        elif is_remote_id(source):
            message = f"{source} is the key of an item and could be the id of a remote video"
            hint = "give that item a key that does not begin with video_ or task_"
            self._problems.add(spot, source, message, hint)
        elif source == key:
            self._problems.add(spot, source, "an item cannot be a remix of itself", "write the key of another item")
        else:
            self._check_kept(remix)
            self._check_pin(key, remix)

    def _check_kept(self, remix: _Remix) -> None:
        """A remix is made by its source's deployment, at its source's size and length: nothing else can be ordered."""
        made = self._made.get(remix.source)
        if made is None or made == remix.kind:
            return
        model, size, seconds = made
        message = f"a remix is made like its source, and {remix.source} is {model}, {size}, {seconds} seconds"
        hint = f"give this item model: {model}, size: {size} and seconds: {seconds} too"
        self._problems.add(remix.spot, remix.source, message, hint)

    def _check_pin(self, key: str, remix: _Remix) -> None:
        """A remix is made where its source was: pinned elsewhere, it could never be. The source's own source counts
        where it names no deployment itself; where nobody does, the source decides."""
        source, seen = remix.source, {key}
        while source not in self._pins and source in self._remixes and source not in seen:
            seen.add(source)
            source = self._remixes[source].source
        pin = self._pins.get(source)
        if remix.pin is not None and pin is not None and pin != remix.pin:
            message = f"a remix is made by its source's deployment, and {source} is made by {pin}"
            self._problems.add(remix.pin_spot, remix.pin, message, f"write deployment: {pin}, or leave it out here")

    def _check_cycles(self) -> None:
        settled: set[str] = set()
        for start in self._remixes:
            chain: dict[str, None] = {}
            key = start
            while key in self._remixes and key not in settled and key not in chain:
                chain[key] = None
                key = self._remixes[key].source
            if key in chain:
                members = list(chain)[list(chain).index(key) :]
                if len(members) > 1:
                    first = self._remixes[members[0]]
                    shown = [*members[:6], *(["…"] if len(members) > 6 else []), members[0]]
                    message = f"these remixes go round in a circle: {' → '.join(shown)}"
                    self._problems.add(first.spot, first.source, message, "let one of them begin anew: no remix_of")
            settled.update(chain)


def _taken(key: str, first: tuple[str, int, str], draft: Draft) -> tuple[str, str]:
    """(message, hint) for a key that an item before has already."""
    file, line, same = first
    here, written = draft.row.places.file, draft.fields.get("key")
    if (file, line) == (here, draft.row.line) and draft.axes:
        hint = f'let the key name what differs: write key: "{excerpt(key)}-{{{next(iter(draft.axes))}}}"'
        return f"the matrix of this item makes the key {key} more than once", hint
    where = f"line {line}" if file == here else f"{file}, line {line}"
    if written is None:
        hint = "take one of them out, give them keys, or write variants for several takes of one prompt"
        return f"this item is the same as the one on {where}", hint
    also = f", written {same}" if same != key else ""
    becomes = f"the key {key}"
    if draft.take > 1:
        becomes = f"take {draft.take} of {excerpt(written)} has the key {key}, which"
    elif written != key:
        becomes = f"{excerpt(written)} becomes {key} as the name of a file, which"
    message = f"{becomes} is taken by the item on {where}{also}"
    if draft.forced is not None and (template := draft.forced.fields.get("key")):
        option = draft.forced.spot("key").path
        return message, f'let {option} tell them apart by one more column: {option} "{excerpt(template)}-{{COLUMN}}"'
    return message, "give one of them another key; for several takes of one prompt write variants"
