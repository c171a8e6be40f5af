"""`dailies doctor`, as it is given."""

from __future__ import annotations

from rich.console import Console

from dailies.options import Config, Json, Sandboxed
from dailies.providers.doctor import Diagnosis, diagnose, document
from dailies.providers.doctor_words import print_diagnosis
from dailies.rendering.running import sandboxed
from dailies.terminal.exits import Exit
from dailies.terminal.printing import end, print_document, read_settings

#: Wider than any line: what is not read on a terminal is not wrapped.
WIDE = 10_000


def doctor(config: Config = None, sandbox: Sandboxed = False, as_json: Json = False) -> None:
    """Check Redis, every deployment, the archive and who you are; say what to mend. Costs nothing."""

    async def work() -> int:
        settings = read_settings(config, sandbox=sandbox)
        if sandbox:
            async with sandboxed(settings) as rehearsal:
                found = await diagnose(rehearsal)
        else:
            found = await diagnose(settings)
        _show(found, as_json=as_json)
        return Exit.DONE if found.well else Exit.UNUSABLE

    end(work)


def _show(found: Diagnosis, *, as_json: bool) -> None:
    if as_json:
        print_document(document(found))
        return
    console = Console()
    print_diagnosis(found, console if console.is_terminal else Console(width=WIDE))
