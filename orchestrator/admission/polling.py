"""When to look at a remote job: the schedule that the poller keeps, and that a plan reckons with. Pure.

A look costs a request, and a finished video that nobody looked at costs slot time. What is known bounds the age at
which a job may end: the last renders of its kind, and how far it says it is. The next look comes when a share of what
may happen has happened, so that a wide doubt costs few looks; and it is not nearer than a small part of the age behind
the earliest end, so that a narrow doubt costs one. Whoever has outlived everything known is overdue: the looks then
come ever more seldom with the age, down to the usual gap.

Progress is evidence, not truth. One reading may hide a time in the queue, so it only narrows; two of one job tell its
pace. A round figure may be one step of a coarse scale. A figure that stands still past the end that it foretold says
nothing more, and the learned times count again. Whatever anything says, no job that may be done is unseen for long.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from orchestrator.settings import Poll

#: What of all renders of a kind may end between two looks: seven looks cover any of them, four on average.
SHARE = 1 / 7
#: Two looks are not closer than this part of the age: what a video waits for is half of it, at most.
NARROW = 0.05
#: So many looks cover the ends that progress leaves possible.
DOUBTED = 3
#: Up to this part of an age a job may have waited in a queue, before it began to tell of progress.
QUEUED = 0.15
#: Nor is a job unseen for longer than this part of its age, unless the usual gap is longer.
UNSEEN = 0.5
#: Readings of progress apart by fewer percent tell no pace.
APART = 5
#: The longest gap of all, whatever was learned (seconds); `furthest_s` of a claim is more.
LONGEST_S = 3600.0


class Sight(NamedTuple):
    """A job at a look: its age in seconds since the create's answer, and the percent that it first told then."""

    age_s: float
    progress: int


class Ends(NamedTuple):
    """Between which ages a job is expected to end."""

    first: float
    last: float


#: Nothing says when.
NEVER = Ends(0, 0)


def first_look(poll: Poll, renders: Sequence[float], *, tells_progress: bool) -> float:
    """Seconds from the create's answer to the first look. `renders`: the last ones of its kind, seconds, in ascending
    order; none: nothing is learned yet.

    Where progress is told, a look at the earliest end is not in vain even when it finds the job at work.
    """
    if not renders:
        return _within(poll, poll.first_s)
    at = _scheduled(renders, 0.0)
    return _within(poll, renders[0] if tells_progress and at < renders[-1] else at)


def next_look(poll: Poll, age_s: float, renders: Sequence[float], sights: Sequence[Sight] = ()) -> float:
    """Seconds from now to the next look at a job that still runs at this age. `sights`: its progress, where it tells
    any, as `seen` kept it."""
    told, paced = _told(sights)
    may_be_learned = bool(renders) and renders[-1] > age_s
    if may_be_learned and told.last > age_s:
        both = Ends(max(told.first, renders[0]), min(told.last, renders[-1]))
        if both.first <= both.last:
            told = both
        elif not paced:
            told = NEVER  # one reading against all that was seen
    if told.last > age_s:
        at = _foretold(told, age_s)
        if may_be_learned:
            scheduled = _scheduled(renders, age_s)
            # A look that reads the pace comes before an end far off is believed; close by, a doubt costs few looks.
            at = max(at, scheduled) if paced or told.first <= age_s else min(at, scheduled)
        at = min(at, told.last)
    elif may_be_learned:
        at = _scheduled(renders, age_s)
    elif renders or paced:
        at = age_s + min(NARROW * age_s, poll.every_s)
    else:
        at = age_s + poll.every_s
    unseen = max(poll.every_s, UNSEEN * age_s) if renders or paced else poll.every_s
    return _within(poll, min(at - age_s, unseen))


def seen(sights: Sequence[Sight], age_s: float, progress: int | None) -> tuple[Sight, ...]:
    """What is remembered after one more look: each progress with the age at which it was first told, the last three.

    One that goes back begins anew. `progress` None: the server tells none.
    """
    if not progress or progress < 0:
        return ()
    new = Sight(age_s, min(progress, 99))  # finished is what the status says, not a percentage
    if sights and sights[-1].progress >= new.progress:
        return tuple(sights) if sights[-1].progress == new.progress else (new,)
    return (*sights[-2:], new)


def noticed_after(poll: Poll, render_s: float, *, tells_progress: bool, renders: Sequence[float] = ()) -> float:
    """Seconds from the create's answer to the look that finds the job finished, if it renders evenly for `render_s`.

    With learned `renders`: their mean lag behind it.
    """
    if renders:
        lags = [_noticed(poll, each, tells_progress, renders) - each for each in renders]
        return render_s + sum(lags) / len(lags)
    return _noticed(poll, render_s, tells_progress, ())


def _noticed(poll: Poll, render_s: float, tells_progress: bool, renders: Sequence[float]) -> float:
    sights: tuple[Sight, ...] = ()
    age = first_look(poll, renders, tells_progress=tells_progress)
    while age < render_s:
        sights = seen(sights, age, int(100 * age / render_s)) if tells_progress else ()
        age += next_look(poll, age, renders, sights)
    return age


def _scheduled(renders: Sequence[float], age_s: float) -> float:
    """The age of the next look, by the learned renders alone, at a job that may still be one of them."""
    ended = bisect_right(renders, age_s)
    place = ended - 1 + SHARE * len(renders)
    below = max(math.floor(place), 0)
    if below + 1 >= len(renders):
        return renders[-1]
    by_share = renders[below] + max(place - below, 0.0) * (renders[below + 1] - renders[below])
    return min(max(by_share, renders[ended] * (1 + NARROW)), renders[-1])


def _foretold(told: Ends, age_s: float) -> float:
    first = max(told.first, age_s)
    return max(first + (told.last - first) / DOUBTED, first * (1 + NARROW))


def _told(sights: Sequence[Sight]) -> tuple[Ends, bool]:
    """When the job ends by its own word, if it goes on evenly; and whether two readings say so."""
    if not sights:
        return NEVER, False
    age, progress = sights[-1]
    step = math.gcd(100, *(sight.progress for sight in sights))
    queued, rendered = QUEUED * age, (1 - QUEUED) * age
    told = Ends(queued + rendered * 100 / (progress + step), age * 100 / progress)
    before = next((s for s in reversed(sights[:-1]) if progress - s.progress >= max(APART, 2 * step)), None)
    if before is None:
        return told, False
    rose, took = progress - before.progress, age - before.age_s
    paced = Ends(age + (100 - step - progress) * took / (rose + step), age + (100 - progress) * took / (rose - step))
    first, last = max(told.first, paced.first), min(told.last, paced.last)
    return (Ends(first, last) if first <= last else paced), True


def _within(poll: Poll, gap_s: float) -> float:
    return max(poll.min_s, min(gap_s, LONGEST_S))
