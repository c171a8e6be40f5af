"""Prompts, labels and servers' words give a terminal no orders, in whatever command they are shown."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import dailies
from dailies.reading.looking import print_item, print_items, print_status
from dailies.reading.why import print_why
from dailies.terminal.exits import say
from dailies.terminal.printing import print_document, tell

ORDERS = "\x1b]0;pwned\x07\x1b[2J\x9b31m\r\u202egnp.exe"
ROW = dict.fromkeys(("key", "state", "reason", "deployment", "attempts", "cost_usd", "url", "asked"), ORDERS)


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    text = out + err
    assert text
    return text


def check(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys)
    assert not {"\x1b", "\x07", "\x9b", "\r", "\u202e"} & set(text)
    assert "pwned" in text


def test_what_is_told_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    for print_it in (tell, say):
        print_it(ORDERS)
        check(capsys)


def test_an_items_life(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("batch", "key", "state", "reason", "message", "remote_status", "warning", "expires_at")
    document = dict.fromkeys(names, ORDERS) | {
        "paused": None,
        "cancel": None,
        "replaced_by": ORDERS,
        "candidates": [],
        "cost_usd": {"confirmed": 0.0, "unknown": 0.0},
        "ordered": {"prompt": ORDERS, "labels": {ORDERS: ORDERS}},
        "attempts": [{"number": 1, "deployment": ORDERS, "sent": True, "remote_id": ORDERS}],
        "archived": {"url": ORDERS},
        "expires_at": None,
    }
    print_item(document)
    check(capsys)


def test_an_items_life_is_told_in_times_and_words(capsys: pytest.CaptureFixture[str]) -> None:
    """Seconds since 1970 and brackets are for scripts: `--json` has them."""
    document: dict[str, object] = dict.fromkeys(
        ("reason", "message", "warning", "paused", "cancel", "replaced_by"), None
    ) | {
        "batch": "spring",
        "key": "hero",
        "state": "archived",
        "candidates": [],
        "ordered": {"seconds": 4, "labels": {"market": "SE", "campaign": "spring"}},
        "attempts": [{"number": 1, "deployment": "east", "sent": False, "accepted_at": 1795272196}],
        "archived": {"archived_at": 1795272198, "mismatch": ["no audio", "3.9 s long"], "bytes": 68382},
    }
    print_item(document)
    told = shown(capsys).splitlines()
    assert "  labels: market: SE, campaign: spring" in told
    assert "    accepted_at: 2026-11-21T14:43:16Z" in told
    assert "  archived_at: 2026-11-21T14:43:18Z" in told
    assert "  mismatch: no audio; 3.9 s long" in told


def test_first_items_of_a_manifest(capsys: pytest.CaptureFixture[str]) -> None:
    print_items([{"key": ORDERS, "prompt": ORDERS, "labels": {ORDERS: ORDERS}}])
    check(capsys)


def test_why_an_item_waits(capsys: pytest.CaptureFixture[str]) -> None:
    why = dict.fromkeys(("summary", "batch", "key", "state", "resume"), ORDERS)
    print_why({**why, "since": None, "deployments": [{"name": ORDERS, "detail": ORDERS}]})
    check(capsys)


def test_a_document_keeps_every_character_and_shows_none_that_is_an_order(capsys: pytest.CaptureFixture[str]) -> None:
    print_document({"prompt": ORDERS})
    out = capsys.readouterr().out
    assert not {"\x1b", "\x9b", "\u202e"} & set(out)
    assert json.loads(out) == {"prompt": ORDERS}


def test_an_empty_house_is_told_too(capsys: pytest.CaptureFixture[str]) -> None:
    print_status({"batches": []})
    assert "no batches" in shown(capsys)


def test_no_command_prints_past_the_guard() -> None:
    """Whatever is printed goes through `tell` or `say`; a table's cells are texts of our own or made harmless."""
    guarded = {"printing.py", "exits.py"}
    for path in Path(dailies.__file__).parent.rglob("*.py"):
        if path.name not in guarded:
            assert not re.findall(r"(?<![\w.])print\(", path.read_text()), f"{path.name} prints by itself: use tell"
