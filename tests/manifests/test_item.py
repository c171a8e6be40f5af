"""Fingerprints know an archived video again, in every release to come."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from manifests import Item

ITEM = Item(
    key="hero",
    prompt="A paper boat crossing a rain-soaked neon street at night, slow dolly-in – Åre",
    model="sora-2",
    size="1280x720",
    seconds=8,
    input_reference="/images/boat.png",
    image_sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    remix_of=None,
    priority=3,
    labels={"market": "SE"},
    line=7,
)


def test_a_known_item_has_this_fingerprint_for_ever() -> None:
    """If this fails, do not change the value: every archived video would be rendered and paid for again."""
    assert ITEM.fingerprint == "v1:e86bd3e2a1db9b565be521b1397ab08c768d74261db7d756d6934ce940d0d55b"


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "Another"},
        {"model": "sora-2-pro"},
        {"size": "720x1280"},
        {"seconds": 4},
        {"image_sha256": None},
        {"remix_of": "other"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_rendered_changes_the_fingerprint(change: dict[str, Any]) -> None:
    assert dataclasses.replace(ITEM, **change).fingerprint != ITEM.fingerprint


@pytest.mark.parametrize(
    "change",
    [{"key": "other"}, {"priority": 0}, {"labels": {}}, {"line": 1}, {"input_reference": "/elsewhere/boat.png"}],
    ids=lambda change: next(iter(change)),
)
def test_what_is_not_rendered_leaves_the_fingerprint(change: dict[str, Any]) -> None:
    assert dataclasses.replace(ITEM, **change).fingerprint == ITEM.fingerprint
