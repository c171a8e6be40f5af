"""How much may stand in a log: a long text is cut, and a warning that comes again and again is held back."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass

#: Of one text, in characters; of one traceback; of the entries of a list or map.
TEXT_LIMIT, TRACE_LIMIT, ENTRY_LIMIT = 2_000, 20_000, 50
#: A warning or error about one deployment comes at most so often in so many seconds.
MOST, WINDOW_S = 20, 60.0
_MOST_KINDS = 1_000


def cut(text: str) -> str:
    """The beginning of a long text, and how much of it was left out."""
    return text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}… ({len(text) - TEXT_LIMIT} more characters)"


def cut_trace(text: str) -> str:
    """A traceback without its middle: where it began, and what it came to."""
    if len(text) <= TRACE_LIMIT:
        return text
    half = TRACE_LIMIT // 2
    return f"{text[:half]}\n… ({len(text) - 2 * half} more characters)\n{text[-half:]}"


@dataclass(slots=True)
class _Window:
    since: float
    passed: int = 0
    held: int = 0


class Restraint(logging.Filter):
    """Lets each kind of warning pass a few times a minute; the first one of a later minute says how many were held back
    (`held_back`). What is below a warning is one line for each thing that was done, and passes."""

    def __init__(self) -> None:
        super().__init__()
        self._windows: OrderedDict[tuple[str, str, str], _Window] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record goes to the log; its own time counts."""
        if record.levelno < logging.WARNING:
            return True
        event = record.msg if isinstance(record.msg, dict) else {"event": record.msg}
        kind = (record.name, str(event.get("event"))[:200], str(event.get("deployment", "")))
        window = self._windows.pop(kind, None)
        held = 0
        if window is None or not 0 <= record.created - window.since < WINDOW_S:
            held = window.held if window else 0
            window = _Window(record.created)
        self._windows[kind] = window  # the last one that was used, so that the oldest is forgotten first
        if len(self._windows) > _MOST_KINDS:
            self._windows.popitem(last=False)
        if window.passed >= MOST:
            window.held += 1
            return False
        window.passed += 1
        if held and isinstance(record.msg, dict):
            record.msg = {**record.msg, "held_back": held}
        elif held:
            record.msg, record.args = f"{record.getMessage()} ({held} like it were held back)", ()
        return True
