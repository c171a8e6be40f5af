"""When to look at a remote job: the schedule that the poller keeps, and that a plan reckons with."""

from __future__ import annotations

from orchestrator.settings import Poll

#: From this progress (percent) on, a job is about to be done.
NEARLY_DONE = 80


def next_look(poll: Poll, progress: int | None) -> float:
    """Seconds until a running job is looked at again: closely when it is about to be done."""
    return poll.min_s if (progress or 0) >= NEARLY_DONE else poll.every_s


def noticed_after(poll: Poll, render_s: float, *, tells_progress: bool) -> float:
    """Seconds from the create's answer to the look that finds the job finished, if it renders evenly for `render_s`."""
    looked = poll.first_s
    while looked < render_s:
        looked += next_look(poll, int(100 * looked / render_s) if tells_progress else None)
    return looked
