"""Logs: structlog on stderr, one line an event, JSON when nobody watches a terminal; never a secret, nor what gives a
terminal orders, nor so much that the rest is not found."""

from __future__ import annotations

import json as jsonlib
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from pydantic import SecretStr

from orchestrator.logs.harmless import harmless
from orchestrator.logs.log_volume import ENTRY_LIMIT, Restraint, cut, cut_trace
from orchestrator.logs.redaction import MASK, redact

QUIET = ("arq", "httpx", "httpcore", "azure", "urllib3", "asyncio")  # their warnings only


def configure(json: bool | None = None, level: str = "info", stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's logging, both through the same steps to `stream` (stderr).

    `json` None: JSON unless the stream is a terminal. What is bound with structlog.contextvars (batch, key,
    deployment, remote_id, attempt) stands in every line. ValueError when the level is unknown.
    """
    stream = sys.stderr if stream is None else stream
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"unknown log level {level}: use debug, info, warning or error")
    as_json = not stream.isatty() if json is None else json
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        tidy,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(serializer=jsonlib.dumps, default=str, ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    )
    handler = logging.StreamHandler(stream)
    handler.addFilter(Restraint())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        )
    )
    logging.basicConfig(handlers=[handler], level=number, force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def tidy(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank every secret that this process has read, wherever the event carries it, tracebacks included; then cut what
    is long, and write out what a terminal would obey."""
    return {
        key: value if key.startswith("_") else _trace(value) if key == "exception" else _tidied(value)
        for key, value in event.items()
    }


def _trace(value: Any) -> Any:
    return harmless(cut_trace(redact(str(value))))


def _tidied(value: Any) -> Any:
    match value:
        case SecretStr():
            return MASK
        case str():
            return harmless(cut(redact(value)), lines=False)
        case bool() | int() | float() | None:
            return value
        case dict():
            return {_tidied(str(key)): _tidied(inner) for key, inner in list(value.items())[:ENTRY_LIMIT]}
        case list() | tuple() | set() | frozenset():
            return [_tidied(inner) for inner in list(value)[:ENTRY_LIMIT]]
        case _:
            return _tidied(str(value))
