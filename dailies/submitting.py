"""Manifests in: loaded all together, each then queued as a batch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import partial
from itertools import count
from pathlib import Path

from dailies.exits import UsageError, say
from dailies.session import Session
from manifests import Manifest, ManifestError, Problem, load
from orchestrator import views
from orchestrator.prices import dearest, usd
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
            manifest = load(path, models=settings.model_rules() or None)
        except ManifestError as error:
            problems += error.problems
            found += error.problem_count
            continue
        manifests.append(manifest)
        unpriced = _unpriced(manifest, settings)
        problems += unpriced
        found += len(unpriced)
    if problems:
        raise ManifestError(problems, found)
    names = [m.name for m in manifests]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"two manifests are named {sorted(twice)[0]}: give one of them another name")
    return manifests


def _unpriced(manifest: Manifest, settings: Settings) -> list[Problem]:
    """A budget cannot be kept for what nobody knows the price of."""
    if manifest.budget_usd is None:
        return []
    hint = "set price_per_second_usd on the model's deployment, or leave budget_usd out"
    file = str(manifest.path)
    return [
        Problem(file, None, None, "budget_usd", model, f"the price of {model} at {size} is not known", hint)
        for model, size, seconds in sorted(manifest.kinds)
        if dearest(settings.deployments, model, size, seconds) is None
    ]


async def submit_all(session: Session, manifests: Sequence[Manifest], *, new: bool) -> list[Submitted]:
    """Queue every manifest; what became of its rows, and what they may cost, said and returned.

    Every image of all of them is in the archive before the first row is queued.
    """
    names = [await _name(session, manifest.name, new=new) for manifest in manifests]
    images = [await store_images(m.images, session.archive(), n) for m, n in zip(manifests, names, strict=True)]
    done = []
    for manifest, name, hashes in zip(manifests, names, images, strict=True):
        submission = Submission(
            session.store,
            name,
            deployments=session.settings.deployments,
            progress=partial(_rows_in, name),
        )
        result = await submission.submit(
            with_images(manifest.items(), hashes),
            kinds=manifest.kinds,
            columns=manifest.columns,
            budget_usd=manifest.budget_usd,
            template=manifest.name,
        )
        batch = await views.batch(session.store, name)
        left = usd(max(batch.estimated - batch.confirmed - batch.unknown, 0)) if batch else 0.0
        say(
            f"{name}: {result.new} new, {result.changed} changed, {result.updated} relabelled, "
            f"{result.unchanged} unchanged; still to spend: at most ${left:.2f} where prices are known"
        )
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
