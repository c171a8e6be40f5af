"""`dailies reconcile`: settle unknown outcomes, look for lost jobs, and give them to items by hand."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from dailies.mending import audit_words, reconciling
from dailies.mending.reconciling import Looked, Progress
from dailies.options import Config, Json, Sandboxed
from dailies.rendering.running import sandboxed
from dailies.session import Session, open_deployments
from dailies.terminal.exits import Exit, counted, need_deployments, say
from dailies.terminal.instants import length
from dailies.terminal.printing import end, print_document, read_settings, tell
from orchestrator.clock import rfc3339
from orchestrator.ledger.records import Item
from orchestrator.settings import Settings
from workers.reconciliation.audit import audit
from workers.reconciliation.candidates import named


def reconcile(
    lost: Annotated[
        bool, typer.Option("--audit", help="List remote jobs that nobody here knows, and items whose job is gone.")
    ] = False,
    adopt: Annotated[
        list[str] | None,
        typer.Option(
            "--adopt", help="Give a remote job to an item: KEY=ID, or BATCH/KEY=ID. Repeatable.", metavar="KEY=ID"
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --adopt: though the job is not as the item was ordered.")
    ] = False,
    since: Annotated[
        str,
        typer.Option(
            "--since", help="With --audit: how far back, 6h or 2d; else as long as videos are kept.", metavar="LENGTH"
        ),
    ] = "",
    config: Config = None,
    sandbox: Sandboxed = False,
    as_json: Json = False,
) -> None:
    """Settle creates of unknown outcome now, by the providers' lists. Ends with 1 while items are held or in doubt."""
    if lost and adopt:
        raise typer.BadParameter("--audit looks and --adopt acts: give one of them")

    async def work() -> int:
        async with _session(read_settings(config, sandbox=sandbox), sandbox=sandbox) as session:
            if adopt:
                return await _adopt(session, adopt, forced=force, as_json=as_json)
            if lost:
                return await _audit(session, length(since, option="--since") if since else None, as_json=as_json)
            return await _settle(session, as_json=as_json)

    end(work)


@asynccontextmanager
async def _session(settings: Settings, *, sandbox: bool) -> AsyncIterator[Session]:
    if sandbox:
        async with sandboxed(settings) as pretend, open_deployments(pretend) as session:
            yield session
        return
    need_deployments(settings)
    async with open_deployments(settings) as session:
        yield session


async def _settle(session: Session, *, as_json: bool) -> int:
    looked = await reconciling.settle(session, Progress(say))
    held = await reconciling.held(session.store)
    undecided = sum(each.outcome == "undecided" for each in looked)
    if as_json:
        print_document(reconciling.document(looked, held))
    else:
        for each in looked:
            tell("\n".join(_words(each)))
        if not looked:
            tell("no create is in doubt, and no item is held")
    return Exit.INCOMPLETE if held or undecided else Exit.DONE


async def _audit(session: Session, reach_s: float | None, *, as_json: bool) -> int:
    places = await audit(session.store, session.lines.values(), reach_s=reach_s, progress=Progress(say))
    held = await reconciling.held(session.store)
    if as_json:
        print_document(audit_words.document(places, held))
    else:
        tell("\n".join(audit_words.lines(places)))
        if held:
            tell(f"{counted(held, 'item')} held: dailies reconcile looks into them again")
    return Exit.DONE if audit_words.clean(places) and not held else Exit.INCOMPLETE


async def _adopt(session: Session, asked: Sequence[str], *, forced: bool, as_json: bool) -> int:
    items = await reconciling.adopt(session, asked, forced=forced)
    if as_json:
        given = [{"batch": i.ref.batch, "key": i.ref.item, "remote_id": i.remote_id} for i in items]
        print_document({"adopted": given})
        return Exit.DONE
    for item in items:
        tell(f"{item.ref} has the job {item.remote_id} now; a worker, or the next dailies run, brings its video home")
    return Exit.DONE


def _words(looked: Looked) -> list[str]:
    item = looked.item
    if looked.outcome == "adopted":
        how = item.attempt.adopted if item.attempt else None
        by = {"prompt": "by its prompt", "time": "by its time alone"}.get(how or "", "by the create's answer")
        return [f"{item.ref}: its job is {item.remote_id}, {by}"]
    if looked.outcome == "resent":
        return [f"{item.ref}: it is sent again: {_why_again(item)}"]
    if looked.outcome == "out":
        return [f"{item.ref}: its create is still on its way"]
    if looked.outcome == "undecided":
        when = f"; it is looked at again in {looked.again_in_s:.0f} s" if looked.again_in_s else ""
        return [f"{item.ref}: it cannot be told yet{when}"]
    return [f"{item.ref}: held, {item.message}", *_ways_out(item)]


def _why_again(item: Item) -> str:
    given_up = item.attempt is not None and item.attempt.fields.get("outcome") == "given_up"
    return "no list can tell what came of it, and on_unknown is retry" if given_up else "nothing was made of it"


def _ways_out(item: Item) -> list[str]:
    told = []
    for each in named(item.fields):
        made = rfc3339(each["created_at"]) or "at an unknown time"
        whose = shlex.quote(f"{item.ref}={each['id']}")
        told.append(f"  {each['id']}, created {made}: dailies reconcile --adopt {whose}")
    batch, key = shlex.quote(item.ref.batch), shlex.quote(item.ref.item)
    again = f"dailies retry {batch} --key {key} --accept-double-charge"
    return [*told, f"  {'none of them' if told else 'not made'}: {again}"]
