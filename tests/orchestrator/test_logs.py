"""Logs: one line an event, JSON where nobody watches, and no secret in any of them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from orchestrator.logs.redaction import MASK, remember
from orchestrator.logs.writer import configure

SECRET = "hunter2-of-the-night"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Put the process's logging back, so that no other test is touched."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:], root.level = handlers, level


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_outside_a_terminal_each_event_is_one_json_line_with_what_is_bound() -> None:
    stream = io.StringIO()
    configure(stream=stream)
    structlog.contextvars.bind_contextvars(batch="spring", key="hero", attempt=1)
    structlog.get_logger().info("item.admitted", deployment="eastus2")
    [event] = lines(stream)
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "item.admitted",
        "level": "info",
        "batch": "spring",
        "key": "hero",
        "attempt": 1,
        "deployment": "eastus2",
    }


def test_in_a_terminal_it_is_for_reading() -> None:
    stream = Terminal()
    configure(stream=stream)
    structlog.get_logger().info("item.admitted", key="hero")
    assert "item.admitted" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_a_secret_is_blanked_wherever_it_stands() -> None:
    """In a value, nested, in a SecretStr, in an exception's traceback, and in a library's own message."""
    remember(SECRET)
    stream = io.StringIO()
    configure(stream=stream)
    log = structlog.get_logger()
    log.info("step.failed", url=f"redis://:{SECRET}@host", detail={"key": [SECRET]}, held=SecretStr("abcdef"))
    try:
        int(SECRET)
    except ValueError:
        log.exception("step.failed")
    logging.getLogger("azure").warning("refused %s", SECRET)
    assert SECRET not in stream.getvalue()
    first, second, third = lines(stream)
    assert (first["url"], first["detail"], first["held"]) == (f"redis://:{MASK}@host", {"key": [MASK]}, MASK)
    assert f"ValueError: invalid literal for int() with base 10: '{MASK}'" in second["exception"]
    assert (third["event"], third["logger"]) == (f"refused {MASK}", "azure")


def test_libraries_speak_from_warning_on() -> None:
    """httpx logs every request at INFO, with its URL; arq every job."""
    stream = io.StringIO()
    configure(stream=stream, level="debug")
    for name in ("httpx", "arq.worker"):
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).warning("trouble")
    structlog.get_logger("orchestrator").debug("poller.looked")
    assert [event["event"] for event in lines(stream)] == ["trouble", "trouble", "poller.looked"]


def test_the_level_holds_and_an_unknown_one_is_named() -> None:
    stream = io.StringIO()
    configure(stream=stream, level="warning")
    structlog.get_logger().info("item.admitted")
    assert stream.getvalue() == ""
    with pytest.raises(ValueError, match="unknown log level loud"):
        configure(level="loud")
