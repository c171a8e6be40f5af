"""A batch to look at: a folder with a contact sheet, films that play and posters, as an archive has it."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from orchestrator.items.states import State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Attempt, Batch, Item, Spec
from orchestrator.reports.contact_sheet import contact_sheet
from sandbox.films.encoder import FilmSpec, encode

WRITTEN_AT = 1_790_000_000.0
_HUES = ((34, 58, 78), (120, 74, 40), (28, 82, 68), (104, 40, 58), (66, 60, 104), (142, 104, 38))


def item(key: str, prompt: str = "", state: State = State.ARCHIVED, **more: Any) -> Item:
    """An item as the ledger has it; what is not said is ordinary."""
    spec = Spec(
        more.pop("stem", key), prompt or f"A take of {key}, soft light", more.pop("model", "sora-2"),
        more.pop("size", "1280x720"), more.pop("seconds", 8), "v1:x", more.pop("labels", {}),
    )  # fmt: skip
    fields: dict[str, str] = {}
    if state is State.ARCHIVED:
        fields = {"file": f"{key}.mp4", "duration_s": str(float(spec.seconds)), "bytes": "3123456",
                  "archived_at": "2026-09-21T06:12:00Z", "poster": f"{key}.jpg"}  # fmt: skip
    fields |= more.pop("fields", {})
    made = Attempt.parse(1, {"deployment": "east", "price": str(more.pop("price", 800_000)), "money": "confirmed"})
    attempt = None if state is State.WAITING else made
    reason, message = more.pop("reason", None), more.pop("message", None)
    assert not more, more
    return Item(Ref("spring", key), state, 3, spec, 1, attempt, reason, message, "east", fields)


def batch(items: list[Item], name: str = "spring", **more: str) -> Batch:
    """A batch of these items, final unless told otherwise."""
    counts = {f"n:{state}": str(sum(each.state is state for each in items)) for state in State}
    spent = sum(each.attempt.price or 0 for each in items if each.attempt)
    facts = {"state": "final", "total": str(len(items)), "confirmed": str(spent), "started_at": "1789994600000",
             "final_at": "1790000000000"}  # fmt: skip
    return Batch.parse(name, {**facts, **counts, **more})


async def page(items: list[Item], name: str = "spring", **more: str) -> str:
    """The contact sheet as text."""

    async def each() -> AsyncIterator[Item]:
        for one in items:
            yield one

    return "".join([piece async for piece in contact_sheet(batch(items, name, **more), each(), now=WRITTEN_AT)])


async def lay_out(
    folder: Path, items: list[Item], *, films: Iterable[str] = (), posters: bool = True, **more: str
) -> Path:
    """A folder as the archive has it: the page (its path), a poster for each video, and real films for some."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    path.write_text(await page(items, **more), "utf-8")
    for number, each in enumerate(items):
        if posters and each.fields.get("poster"):
            (folder / each.fields["poster"]).write_bytes(poster(number % 48, each.spec.size))
    for key in films:
        (folder / f"{key}.mp4").write_bytes(film())
    return path


_POSTERS: dict[tuple[int, str], bytes] = {}


def poster(number: int, size: str = "1280x720") -> bytes:
    """A still that is told from others: a sky, a light and a hill."""
    if (number, size) not in _POSTERS:
        width, height = (int(part) // 2 for part in size.split("x"))
        red, green, blue = _HUES[number % len(_HUES)]
        picture = Image.linear_gradient("L").resize((width, height)).point(lambda v: 255 - v // 2)
        still = Image.merge("RGB", [picture.point(lambda v, c=c: int(v * c / 160)) for c in (red, green, blue)])
        draw = ImageDraw.Draw(still)
        x, r = (number * 97 % width), height // 6
        draw.ellipse((x - r, height // 2 - 2 * r, x + r, height // 2), fill=(244, 224, 190))
        draw.polygon([(0, height), (0, int(height * 0.7)), (width // 2, int(height * (0.55 + number % 5 / 20))),
                      (width, int(height * 0.8)), (width, height)], fill=(red // 3, green // 3, blue // 3))  # fmt: skip
        file = io.BytesIO()
        still.save(file, "JPEG", quality=82)
        _POSTERS[number, size] = file.getvalue()
    return _POSTERS[number, size]


def film() -> bytes:
    """A real H.264 film of two seconds."""
    return encode(FilmSpec(320, 176, 2, audio=True))
