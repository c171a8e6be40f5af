"""What each name in a manifest means, in a sentence and with examples, as an editor shows it while one writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Meaning(NamedTuple):
    """`what`: the sentence. `absent`: what holds where the name is left out; empty where it cannot be."""

    what: str
    absent: str
    examples: tuple[object, ...] = ()


_BRACES = "{name} stands for a label, an axis of the matrix, or the model, size or seconds; {{ and }} are plain braces."

OF_ITEMS: Mapping[str, Meaning] = {
    "prompt": Meaning(
        f"What shall be seen. {_BRACES}",
        "",
        ("A paper boat crossing a rain-soaked neon street at night, slow dolly-in", "A {product} on {surface}"),
    ),
    "key": Meaning(
        f"Its name in the batch and the name of its files, up to 100 characters. {_BRACES}",
        "made from the first words of the prompt",
        ("hero", "{product}-{market}"),
    ),
    "model": Meaning("Which model makes it: one that a deployment in dailies.yaml serves.", "sora-2"),
    "size": Meaning(
        "Width and height in pixels; a shape such as 16:9 or portrait is the smallest size of that shape.",
        "720x1280; of Sora 1 480x480",
    ),
    "seconds": Meaning("How long it is. 8, 8s and 8.0 are the same.", "4; of Sora 1 5"),
    "variants": Meaning("How many takes of it: KEY, KEY-2, KEY-3 and so on, each ordered and paid for.", "1", (2,)),
    "input_reference": Meaning(
        "An image to begin from: a path relative to this file, or a URL. A whole jpeg, png or webp of the very size "
        "that is ordered, at most 20 MiB.",
        "none",
        ("images/boat.png", "https://example.com/boat.webp"),
    ),
    "remix_of": Meaning(
        "The video that this one is a remix of: the key of an item here, or the provider's id of a video.",
        "none",
        ("hero", "video_68ffa1"),
    ),
    "deployment": Meaning(
        "Which deployment in dailies.yaml makes it, by its name there, and no other.",
        "any that serves the model",
        ("eastus2",),
    ),
    "priority": Meaning("Larger goes first within the batch.", "0", (10,)),
    "labels": Meaning(
        "Your own notes, carried to receipts and results. {name} in a prompt or key stands for one.",
        "none",
        ({"market": "SE", "campaign": "spring"},),
    ),
    "matrix": Meaning(
        "Lists of values: one video for each combination. Use an axis by its name in braces, in prompt or key.",
        "none",
        ({"product": ["mug", "lamp"], "surface": ["oak", "marble"]},),
    ),
}

OF_BATCHES: Mapping[str, Meaning] = {
    "version": Meaning("The version of this format.", "1"),
    "name": Meaning(
        "The batch's name: letters, digits, dots, underscores and hyphens. {date} and {time} are filled in.",
        "the file's name",
        ("spring", "nightly-{date}"),
    ),
    "defaults": Meaning("Fields for every item that does not say otherwise.", "none"),
    "budget_usd": Meaning("The most that the batch may cost, in US dollars.", "no limit", (120, 2.50)),
    "window": Meaning(
        "The hours in which videos may be ordered.",
        "at any time",
        ({"start": "22:00", "end": "06:00", "timezone": "Europe/Stockholm", "days": ["mon-fri"]},),
    ),
    "items": Meaning("The list of items; each begins with - and makes one video or more.", "then items_from is needed"),
    "items_from": Meaning(
        "A table or JSONL file with (more) items; its path is relative to this file.",
        "none",
        ("products.csv", "plan.xlsx"),
    ),
}

OF_WINDOWS: Mapping[str, Meaning] = {
    "start": Meaning("When it opens, by the 24-hour clock and in quotes.", "", ("22:00",)),
    "end": Meaning("When it closes; on the next day if that is not after start.", "", ("06:00",)),
    "timezone": Meaning(
        "Whose clock that is: continent and city.", "UTC", ("Europe/Stockholm", "America/New_York", "Asia/Tokyo")
    ),
    "days": Meaning("The days on which it opens.", "every day", (["mon-fri"], ["mon", "wed", "sat-sun"])),
}
