"""The contact sheet: one page on which a night's videos are watched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cache
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, Template

from orchestrator.records import Batch, Item
from orchestrator.states import State


@cache
def _template() -> Template:
    # Asynchronous, so that the page is written while the items are read, a page of them at a time.
    environment = Environment(
        loader=PackageLoader("orchestrator"), autoescape=True, enable_async=True, trim_blocks=True
    )
    return environment.get_template("contact_sheet.html")


async def contact_sheet(batch: Batch, items: AsyncIterator[Item]) -> AsyncIterator[str]:
    """The page in pieces, as HTML. Videos are linked by their names, relative to the page."""
    entries = (_entry(item) async for item in items)
    pieces = _template().generate_async(
        name=batch.name, total=batch.total, archived=batch.counts[State.ARCHIVED], items=entries
    )
    async for piece in pieces:
        yield piece


def _entry(item: Item) -> dict[str, object]:
    spec, fields = item.spec, item.fields
    facts = [spec.model, spec.size, f"{spec.seconds} s", *(f"{k}: {v}" for k, v in spec.labels.items())]
    if fields.get("mismatch"):
        facts.append(f"not as ordered: {fields['mismatch']}")
    return {
        "key": item.ref.item,
        "prompt": spec.prompt,
        "state": str(item.state),
        "reason": " – ".join(part for part in (item.reason, item.message) if part),
        # With a dot before it, it is a file beside the page, whatever the name.
        "video": f"./{quote(fields['file'])}" if item.state is State.ARCHIVED else None,
        "caption": " · ".join(facts),
    }
