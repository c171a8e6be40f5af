"""Where the rows of a manifest stand before anything is queued: known here, changed or new, and made elsewhere already.

Most double payments are human: a sheet that was renamed, a ledger that was lost. So a row is also known by what it
renders, in other batches of the ledger and in the receipts of the archive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from manifests import Item as ManifestItem
from manifests.key import is_remote_id
from orchestrator.items.states import State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Spec
from orchestrator.ledger.store import Store

#: What the receipt of a row says of its item and its attempt, as `lua/submit.lua` takes it.
Found = Mapping[str, Mapping[str, object]]
#: Looks for the receipts of rows in a batch's folder of the archive; by key, those with the row's own fingerprint.
FindReceipts = Callable[[Sequence[ManifestItem]], Awaitable[Mapping[str, Found]]]


class Verdict(StrEnum):
    """What a row is to its batch; submitting it acts on the same."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Standing:
    """One row.

    - `state`: of the item that has the row's content, or that it replaces; None for a new row
    - `restyled`: the item before it is more than queued, and only its model, size or seconds are changed
    - `twin`: an item of another batch that has the same content and is queued or further; each take has its own
    - `alias`: a new or changed row whose content an item of this batch has already, under another key
    - `found`: its receipt stands in the archive, though the ledger does not know it
    """

    item: ManifestItem
    verdict: Verdict
    state: State | None = None
    restyled: bool = False
    twin: Ref | None = None
    alias: bool = False
    found: Found | None = None

    @property
    def renders(self) -> bool:
        """Whether a video is still to be paid for, unless it is taken from elsewhere."""
        if self.found is not None:
            return False
        return self.verdict is not Verdict.UNCHANGED or self.state in (State.WAITING, State.ADMITTED)


class Comparison:
    """Compares a manifest's rows, chunk after chunk, in their order."""

    def __init__(
        self, store: Store | None, batch: str, *, find_receipts: FindReceipts | None = None, writes: bool = False
    ) -> None:
        """`store`: None where nothing was ever submitted. `find_receipts`: None takes no receipt for a video. `writes`:
        each chunk is written before the next one is looked at, so that the ledger knows which twins are taken."""
        self._store, self._batch, self._find_receipts = store, batch, find_receipts
        self._writes = writes
        self._taken: Counter[str] = Counter()  # twins handed out to rows that are not written, by fingerprint

    async def look(self, rows: Sequence[ManifestItem]) -> list[Standing]:
        """Where each of these rows stands: two round trips a chunk at most."""
        standings = [Standing(item, Verdict.NEW) for item in rows]
        if self._store is not None:
            standings = await self._compared(self._store, rows)
        if self._find_receipts is None:
            return standings
        unknown = [s.item for s in standings if s.verdict is not Verdict.UNCHANGED]
        found = await self._find_receipts(unknown) if unknown else {}
        return [
            Standing(s.item, s.verdict, s.state, found=found[s.item.key]) if s.item.key in found else s
            for s in standings
        ]

    async def _compared(self, store: Store, rows: Sequence[ManifestItem]) -> list[Standing]:
        prints = [item.fingerprint for item in rows]
        spoken_for = {each: self._taken[each] for each in prints if each in self._taken}
        pinned = ["1" if item.remix_of and not is_remote_id(item.remix_of) else "" for item in rows]
        arguments = [part for item, *others in zip(rows, prints, pinned, strict=True) for part in (item.key, *others)]
        answers = await store.scripts.run("compare", self._batch, spoken_for, *arguments)
        standings = []
        for item, fingerprint, (verdict, state, spec, twin, alias) in zip(rows, prints, answers, strict=True):
            if twin and not self._writes:
                self._taken[fingerprint] += 1
            standings.append(
                Standing(
                    item,
                    Verdict(verdict.decode()),
                    State(state.decode()) if state else None,
                    bool(spec) and _restyled(Spec.parse(spec), item),
                    Ref(*twin.decode().split("/", 1)) if twin else None,
                    bool(alias),
                )
            )
        return standings


def _restyled(before: Spec, item: ManifestItem) -> bool:
    """The same pictures in another form: what a changed default does to every row at once."""
    was = (before.prompt, before.image_sha256, before.remix_of)
    return was == (item.prompt, item.image_sha256, item.remix_of)
