"""An order: what a draft comes to once nothing is wrong with it. Loading looks at orders, and only items are kept."""

from __future__ import annotations

from typing import NamedTuple

from manifests.checking.kind import Kind
from manifests.draft import Draft
from manifests.item import Item
from manifests.key import safe


class Order(NamedTuple):
    """What a draft orders, as an item has it. `image`: its absolute path or URL, and the hash of a local one's bytes.

    Several times quicker made than an item, of which a manifest may have a million to look at.
    """

    prompt: str
    kind: Kind
    image: tuple[str | None, str | None]
    remix_of: str | None
    priority: int

    def item(self, key: str, draft: Draft) -> Item:
        """The item of the draft that this was made of."""
        model, size, seconds = self.kind.named
        labels = draft.labels
        written = draft.fields.get("key")
        if written is not None and written != key and safe(written) != written:
            labels = {**labels, "key": written}
        line = draft.row.line
        pin = self.kind.deployment
        return Item(
            key, self.prompt, model, size, seconds, *self.image, self.remix_of, self.priority, labels, line, pin
        )
