"""Commands for a ledger that was lost, or that has done its work."""

from __future__ import annotations

from typing import Annotated

import typer

from dailies.changing import forgetting
from dailies.mending import recovering
from dailies.options import Config, Json, Name, Sandboxed
from dailies.rendering.running import sandboxed
from dailies.session import Session, open_all
from dailies.terminal.exits import Exit, need_deployments, say
from dailies.terminal.printing import end, print_document, read_settings, settings_for, tell


def recover(
    batch: Annotated[
        str, typer.Argument(help="Only this batch of the archive; else all.", metavar="BATCH", show_default=False)
    ] = "",
    trust: Annotated[
        bool, typer.Option("--trust", help="Send again without looking through lists: nothing was lost, or so be it.")
    ] = False,
    config: Config = None,
    sandbox: Sandboxed = False,
    as_json: Json = False,
) -> None:
    """Rebuild what receipts and the providers' lists tell of a ledger that was lost. Ends with 1 where a list could not
    be looked through."""

    async def work() -> int:
        settings = read_settings(config, sandbox=sandbox)
        if sandbox:
            async with sandboxed(settings) as pretend, open_all(pretend) as session:
                return await _recover(session, batch, trust=trust, as_json=as_json)
        need_deployments(settings)
        async with open_all(settings) as session:
            return await _recover(session, batch, trust=trust, as_json=as_json)

    end(work)


async def _recover(session: Session, batch: str, *, trust: bool, as_json: bool) -> int:
    done = await recovering.recover_all(session, batch, trust=trust, progress=say)
    if as_json:
        print_document(recovering.document(done))
    else:
        tell("\n".join(recovering.words(done)))
    failed = any(place.looked is not None and place.looked.error for place in done.endpoints)
    return Exit.INCOMPLETE if failed else Exit.DONE


def forget(
    batch: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: Config = None,
    sandbox: Sandboxed = False,
    as_json: Json = False,
) -> None:
    """Drop a final batch from Redis. The archive keeps it, receipts, results and contact sheet included."""

    async def work() -> int:
        document = await forgetting.forget(settings_for(config, sandbox=sandbox), batch, yes=yes)
        print_document(document) if as_json else tell(forgetting.words(document))
        return Exit.DONE

    end(work)
