"""Queueing: manifests that were loaded are surveyed all together, and only then is each queued as a batch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count

from dailies.options import Choices
from dailies.ordering.surveying import Surveyed, survey
from dailies.session import Session
from dailies.terminal.exits import UsageError, say
from manifests import Item, Manifest
from orchestrator.batches.comparison import Comparison
from orchestrator.batches.submission import Submission, Submitted, batch_name
from orchestrator.items.states import BatchState
from orchestrator.ledger import views
from orchestrator.ledger.memory import check_room
from orchestrator.ledger.store import Store
from orchestrator.video_models.prices import usd
from workers.archiving.archived import ArchivedRows
from workers.rendering.inputs import store_images, with_images

#: After so many rows, progress is said.
SAY_EVERY = 5000


async def survey_all(session: Session, manifests: Sequence[Manifest], choices: Choices) -> list[Surveyed]:
    """What submitting would do, for every manifest, with its input images stored in the archive.

    Raises UsageError where rows would be paid for twice and nobody said that they shall be.
    """
    names = [await batch_of(session.store, m.name, new=choices.new) for m in manifests]
    allow = session.settings.inputs.allow
    images = [
        await store_images(m.images, session.archive(), n, allow=allow) for m, n in zip(manifests, names, strict=True)
    ]
    earlier: dict[str, str] | None = {} if len(manifests) > 1 else None
    surveyed = [
        await survey(session.settings, session.store, session.archive(), manifest, name, hashes, choices, earlier)
        for manifest, name, hashes in zip(manifests, names, images, strict=True)
    ]
    if refusals := [refusal for each in surveyed if (refusal := each.survey.refusal())]:
        raise UsageError("\n".join([*refusals, "nothing was queued"]))
    return surveyed


async def submit_all(session: Session, surveyed: Sequence[Surveyed], choices: Choices) -> list[Submitted]:
    """Queue what was surveyed; what became of its rows, and what they may cost, said and returned.

    Raises WillNotFit before anything is written.
    """
    surveys = [each.survey for each in surveyed]
    await check_room(session.store, sum(s.added for s in surveys), sum(s.bytes for s in surveys))
    done = []
    for each in surveyed:
        manifest, name, found = each.manifest, each.survey.batch, each.survey
        submission = Submission(
            session.store,
            name,
            deployments=session.settings.deployments,
            progress=partial(_rows_in, name),
            budgets=session.settings.budgets,
        )
        result = await submission.submit(
            rows_of(each),
            kinds=manifest.kinds,
            columns=manifest.columns,
            budget_usd=manifest.budget_usd,
            template=manifest.name,
            # A rehearsal does not wait for the night.
            window=None if any(d.auth.sandbox for d in session.settings.deployments) else manifest.window,
            comparison=_comparison(session, each, choices),
            reuse=choices.reuse,
            again=choices.again,
        )
        batch = await views.batch(session.store, name)
        left = usd(max(batch.estimated - batch.confirmed - batch.unknown, 0)) if batch else 0.0
        counts = {
            "new": result.new,
            "changed": result.changed,
            "relabelled": result.updated,
            "unchanged": result.unchanged,
        }
        taken = {"found in the archive": found.found, "reused": found.elsewhere.rows if choices.reuse else 0}
        said = [f"{n} {what}" for what, n in counts.items()] + [f"{n} {what}" for what, n in taken.items() if n]
        say(f"{name}: {', '.join(said)}; still to spend: at most ${left:.2f} where prices are known")
        for note in found.notes():
            say(f"{name}: {note}")
        done.append(result)
    return done


def rows_of(each: Surveyed) -> Iterator[Item]:
    """A manifest's items, with the hashes of their images."""
    return with_images(each.manifest.items(), each.hashes)


def _comparison(session: Session, each: Surveyed, choices: Choices) -> Comparison | None:
    """What has to be looked up once more while rows are written: only what the survey found is there to be taken."""
    found, elsewhere = each.survey.found, each.survey.elsewhere.rows if choices.reuse else 0
    if not found and not elsewhere:
        return None
    rows = ArchivedRows(session.archive(), each.survey.batch, session.settings.deployments)
    return Comparison(session.store, each.survey.batch, find_receipts=rows.find if found else None, writes=True)


def _rows_in(name: str, rows: int) -> None:
    if rows and not rows % SAY_EVERY:
        say(f"{name}: {rows:,} rows in")


async def batch_of(store: Store | None, template: str, *, new: bool) -> str:
    """A name with {date} or {time} is fixed at the first submit: while that batch is unsettled it goes on."""
    name = batch_name(template, dt.datetime.now().astimezone())
    if name == template or store is None:
        return name
    known = {b.name: b for b in await views.batches(store)}
    if new:
        numbered = (name if n == 1 else f"{name}-{n}" for n in count(1))
        return next(free for free in numbered if free not in known)
    going_on = [b for b in known.values() if b.fields.get("template") == template and b.state is not BatchState.FINAL]
    return going_on[-1].name if going_on else name
