"""Manifests in: loaded all together, each then queued as a batch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import partial
from itertools import count
from pathlib import Path

from dailies.exits import UsageError, say
from dailies.session import Session
from manifests import Manifest, ManifestError, load
from orchestrator import views
from orchestrator.settings import Settings
from orchestrator.states import BatchState
from orchestrator.submission import Submission, Submitted, batch_name
from workers.inputs import store_images, with_images

#: After so many rows, progress is said.
SAY_EVERY = 5000


def load_all(paths: Sequence[Path], settings: Settings) -> list[Manifest]:
    """Every manifest, or every problem of all of them. Two of one name are refused."""
    manifests, problems, found = [], [], 0
    for path in paths:
        try:
            manifests.append(load(path, models=settings.model_rules() or None))
        except ManifestError as error:
            problems += error.problems
            found += error.problem_count
    if problems:
        raise ManifestError(problems, found)
    names = [m.name for m in manifests]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"two manifests are named {sorted(twice)[0]}: give one of them another name")
    return manifests


async def submit_all(session: Session, manifests: Sequence[Manifest], *, new: bool) -> list[Submitted]:
    """Queue every manifest; what became of its rows, said and returned."""
    done = []
    for manifest in manifests:
        name = await _name(session, manifest.name, new=new)
        submission = Submission(
            session.store,
            name,
            deployments=session.settings.deployments,
            progress=partial(_rows_in, name),
        )
        hashes = await store_images(manifest.images, session.archive(), name)
        result = await submission.submit(
            with_images(manifest.items(), hashes),
            kinds=manifest.kinds,
            columns=manifest.columns,
            budget_usd=manifest.budget_usd,
            template=manifest.name,
        )
        say(f"{name}: {result.new} new, {result.changed} changed, {result.unchanged + result.updated} unchanged")
        done.append(result)
    return done


def _rows_in(name: str, rows: int) -> None:
    if rows and not rows % SAY_EVERY:
        say(f"{name}: {rows} rows in")


async def _name(session: Session, template: str, *, new: bool) -> str:
    """A name with {date} or {time} is fixed at the first submit: while that batch is unsettled it goes on."""
    name = batch_name(template, dt.datetime.now().astimezone())
    if name == template:
        return name
    known = {b.name: b for b in await views.batches(session.store)}
    if new:
        numbered = (name if n == 1 else f"{name}-{n}" for n in count(1))
        return next(free for free in numbered if free not in known)
    going_on = [b for b in known.values() if b.fields.get("template") == template and b.state is not BatchState.FINAL]
    return going_on[-1].name if going_on else name
