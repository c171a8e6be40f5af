"""A log stays readable and a terminal obeys nobody, whatever servers and prompts say, and however often."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.logs.harmless import harmless, harmless_json
from orchestrator.logs.log_volume import ENTRY_LIMIT, MOST, TEXT_LIMIT, TRACE_LIMIT, WINDOW_S, Restraint
from orchestrator.logs.redaction import remember
from orchestrator.logs.writer import configure

ORDERS = "\x1b]0;pwned\x07\x1b[2J\x9b31m\r\nfake line\x00\u202egnp.exe\u2028"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def record(at: float, event: object = "look.was_refused", level: int = logging.WARNING, **more: str) -> Any:
    made = logging.LogRecord("workers", level, "", 0, {"event": event, **more}, (), None)
    made.created = at
    return made


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["a file", "a terminal"])
def test_no_text_gives_the_terminal_orders_or_begins_a_line(stream: io.StringIO) -> None:
    configure(stream=stream)
    structlog.get_logger().warning("look.was_refused", error=ORDERS, deep={ORDERS: [ORDERS]}, odd=ValueError(ORDERS))
    logging.getLogger("azure").warning("refused: %s", ORDERS)
    text = stream.getvalue()
    if isinstance(stream, Terminal):
        for colour in ("\x1b[0m", "\x1b[1m", "\x1b[2m", *(f"\x1b[{n}m" for n in range(30, 38))):
            text = text.replace(colour, "")
    assert not {"\x1b", "\x07", "\x9b", "\x00", "\r", "\u202e", "\u2028"} & set(text)
    assert len(text.splitlines()) == 2
    assert "fake line" in text


def test_a_long_text_is_cut_and_a_long_list_too() -> None:
    stream = io.StringIO()
    configure(stream=stream)
    structlog.get_logger().info("item.failed", message="x" * 1_000_000, many=["y"] * 100_000)
    logging.getLogger("azure").warning("z" * 1_000_000)
    first, second = lines(stream)
    assert first["message"].startswith("x" * TEXT_LIMIT + "… (998000 more")
    assert len(first["many"]) == ENTRY_LIMIT
    assert len(stream.getvalue()) < 3 * TEXT_LIMIT
    assert second["event"].startswith("zzz")


def test_a_secret_across_the_cut_leaves_nothing_of_itself() -> None:
    remember("hunter2-of-the-night")
    stream = io.StringIO()
    configure(stream=stream)
    structlog.get_logger().info("item.failed", message="x" * (TEXT_LIMIT - 7) + "hunter2-of-the-night")
    assert "hunter" not in stream.getvalue()


def test_of_a_long_traceback_the_end_is_kept() -> None:
    stream = io.StringIO()
    configure(stream=stream)
    try:
        raise ValueError("a" * 100_000 + " the very end")
    except ValueError:
        structlog.get_logger().exception("step.failed")
    (event,) = lines(stream)
    assert event["exception"].startswith("Traceback")
    assert event["exception"].endswith("the very end")
    assert len(event["exception"]) < TRACE_LIMIT + 100


def test_a_warning_that_comes_again_and_again_is_held_back_and_counted() -> None:
    """A provider that is down for an hour, with ten thousand jobs to look at."""
    restraint = Restraint()
    passed = [restraint.filter(record(1000 + n / 1000)) for n in range(10_000)]
    assert passed.count(True) == MOST
    later = record(1000 + WINDOW_S)
    assert restraint.filter(later)
    assert later.msg["held_back"] == 10_000 - MOST
    again = record(1001 + WINDOW_S)
    assert restraint.filter(again)
    assert "held_back" not in again.msg


def test_one_deployment_and_one_kind_of_warning_take_no_room_from_others() -> None:
    restraint = Restraint()
    for _ in range(100):
        restraint.filter(record(1000, deployment="east"))
    assert not restraint.filter(record(1000, deployment="east"))
    assert restraint.filter(record(1000, deployment="west"))
    assert restraint.filter(record(1000, "listing.failed", deployment="east"))


def test_what_was_done_is_never_held_back() -> None:
    restraint = Restraint()
    assert all(restraint.filter(record(1000, "item.archived", logging.INFO)) for _ in range(1000))


def test_a_clock_that_is_set_back_silences_nothing_for_long() -> None:
    restraint = Restraint()
    for _ in range(MOST + 1):
        restraint.filter(record(5000))
    assert restraint.filter(record(1000))


def test_warnings_that_are_all_different_fill_no_memory() -> None:
    restraint = Restraint()
    for n in range(5000):
        assert restraint.filter(record(1000, f"kind {n}"))
    assert len(restraint._windows) == 1000


def test_what_libraries_say_is_held_back_too() -> None:
    stream = io.StringIO()
    configure(stream=stream)
    for n in range(100):
        logging.getLogger("azure").warning("retrying %s", n)
    assert len(lines(stream)) == MOST


@given(st.text())
def test_what_can_be_shown_is_shown_as_it_is_and_lines_stay_lines(text: str) -> None:
    shown = harmless(text)
    assert not any(ord(letter) < 32 and letter not in "\t\n" for letter in shown)
    assert harmless(text, lines=False).count("\n") == 0
    if text.isprintable():
        assert shown == text
    document = json.dumps(text, ensure_ascii=False)
    assert json.loads(harmless_json(document)) == text


def test_writing_of_every_script_is_left_alone() -> None:
    for text in ("Åre 42/blå", "日本語のプロンプト", "שלום \u200fעולם", "👩‍🚀 on the moon", "a\tb\nc", "10\u00a0%"):
        assert harmless(text) == text
