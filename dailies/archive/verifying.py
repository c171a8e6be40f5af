"""`dailies verify`: the verdict on an archived batch, for scripts and for people."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from rich.console import Console
from rich.filesize import decimal
from rich.status import Status

from dailies.terminal.exits import UsageError, counted
from orchestrator.settings import Settings
from workers.archiving.verification import Verification
from workers.identity.entra import Identities
from workers.sinks import open_sink

#: Names of one kind that people are shown; `--json` has them all.
SHOWN = 20
#: Without a terminal, a plain line of progress comes at most this often (seconds).
LINE_EVERY_S = 10.0
_MEND = {
    "missing": "Bring them back from a backup, or by the container's soft delete; docs/verifying.md has the ways, also "
    "to render them anew.",
    "changed": "Somebody or something wrote to them after they were archived. Keep them as evidence, and bring the "
    "archived ones back as if they were missing.",
    "extra": "No receipt names them: look whose they are. (In a batch that still runs, a video may be waiting for its "
    "receipt: verify again.)",
}


async def verify(settings: Settings, batch: str, *, quick: bool, console: Console) -> dict[str, Any]:
    """What was found, as `verify --json` prints it. Raises UsageError where the archive has no such batch, ArchiveError
    where it cannot be read."""
    identities = Identities()
    with Progress(console, batch) as progress:
        async with aclosing(identities), open_sink(settings.archive, os.environ, identities) as sink:
            found = await Verification(sink, batch, quick=quick, progress=progress.update).run()
    if found is None:
        raise UsageError(f"there is no batch {batch} in {sink.url} (--sandbox: in the sandbox's archive)")
    kinds = {"missing": found.missing, "changed": found.changed, "extra": found.extra}
    return {
        "batch": batch,
        "archive": f"{sink.url}{batch}/",
        "quick": quick,
        "ok": found.sound,
        "checked": found.checked,
        "bytes": found.read,
        "by_length_alone": found.by_length,
        **{kind: sorted(names) for kind, names in kinds.items()},
        "why": {name: why for names in kinds.values() for name, why in sorted(names.items())},
    }


def words(document: Mapping[str, Any]) -> str:
    """The same for people, with what to do."""
    how = "compared by their properties" if document["quick"] else f"read back, {decimal(document['bytes'])}"
    lines = [f"{document['batch']}: {counted(document['checked'], 'video')} {how}"]
    if document["ok"]:
        lines[0] += "; everything is there, as its receipts say"
    if alone := document["by_length_alone"]:
        lines.append(
            f"  of {alone:,} only the length could be compared, since no checksum is recorded with them: "
            "verify without --quick reads them"
        )
    for kind, mend in _MEND.items():
        names = document[kind]
        if names:
            lines.append(f"{kind}: {counted(len(names), 'file')}")
            lines += [f"  {name}: {document['why'][name]}" for name in names[:SHOWN]]
            lines += [f"  … and {len(names) - SHOWN:,} more (--json lists them)"] * (len(names) > SHOWN)
            lines.append(f"  {mend}")
    return "\n".join(lines)


class Progress:
    """How far it is: a line that changes on a terminal, a plain one now and then elsewhere."""

    def __init__(self, console: Console, batch: str) -> None:
        self._console, self._batch = console, batch
        self._status = Status(f"{batch}: listing", console=console) if console.is_terminal else None
        self._said_at = time.monotonic()

    def __enter__(self) -> Progress:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    def update(self, looked: int, receipts: int, read: int) -> None:
        """So many receipts of so many were looked at, and so many bytes read."""
        line = f"{self._batch}: {looked:,} of {counted(receipts, 'receipt')}, {decimal(read)} read"
        if self._status:
            self._status.update(line)
        elif time.monotonic() - self._said_at >= LINE_EVERY_S:
            self._said_at = time.monotonic()
            self._console.print(line, highlight=False, soft_wrap=True)
