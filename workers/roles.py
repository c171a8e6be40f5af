"""What a worker is asked to run: all steps, or a part of them, by name."""

from __future__ import annotations

from difflib import get_close_matches

from orchestrator.admission.attendance import STEPS


class NoSuchSteps(ValueError):
    """What was asked for is no list of steps; the text says what to write."""


def steps_of(asked: str) -> tuple[str, ...]:
    """The steps that `create, archive` names, each once and in their own order; case and spaces do not matter.

    Raises NoSuchSteps.
    """
    words = [word.strip().lower() for word in asked.split(",") if word.strip()]
    for word in words:
        if word not in STEPS:
            near = get_close_matches(word, STEPS, 1)
            meant = f"did you mean {near[0]}?" if near else f"choose from {', '.join(STEPS)}"
            raise NoSuchSteps(f"there is no step {word}: {meant}")
    if not words:
        raise NoSuchSteps(f"no step is named: leave --only out for all of them, or choose from {', '.join(STEPS)}")
    return tuple(step for step in STEPS if step in words)
