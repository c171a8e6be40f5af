"""What is left when a run is over: the ledger, the provider's own books, and the archive, side by side."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from azure.storage.blob import ContainerClient

from orchestrator.ledger import views
from orchestrator.ledger.records import Attempt, Batch, Item
from tests.chaos.stage import Stage
from tests.main_job.night import running
from tests.servers import AZURITE_API_VERSION, Container

_CONTENT = {"videos": "/openai/v1/videos/{}/content", "jobs": "/openai/v1/video/generations/{}/content/video"}


@dataclass(frozen=True)
class Report:
    """A batch's `results.csv` and `results.jsonl` as they stand in the archive, and what its contact sheet shows; None
    where one is missing, or is not whole."""

    table: list[dict[str, str]] | None
    lines: list[dict[str, Any]] | None
    sheet: dict[str, Any] | None = None


@dataclass(frozen=True)
class Evidence:
    """
    attempts   of each item, oldest first
    orphans    "SCOPE remote id" → attempt
    owners     remote id → attempt, over all scopes
    keys       every key → seconds to live, None: for ever
    sets       members of each sorted set and set among them
    jobs       all that the sandbox ever accepted, in order, with `served_sha256` of those that have a video
    bill       micro-dollars
    files      name in the archive → SHA-256; `papers`: its JSON receipts
    unfinished temporary files
    slots      deployment → the most that were taken at once, as sampled
    exits      codes of workers that ended although nobody killed or asked them
    crashes    log lines that carry an exception
    forgot     whether the ledger was lost, or some seconds of it
    audited    remote ids that `dailies reconcile --audit` names
    heard      notices that the webhook took, in their order
    """

    batches: Sequence[Batch]
    items: Sequence[Item]
    attempts: Mapping[str, Sequence[Attempt]]
    orphans: Mapping[str, str]
    owners: Mapping[str, str]
    keys: Mapping[str, float | None]
    sets: Mapping[str, Sequence[str]]
    jobs: Sequence[Mapping[str, Any]]
    bill: int
    files: Mapping[str, str]
    papers: Mapping[str, Mapping[str, Any]]
    unfinished: Sequence[str]
    reports: Mapping[str, Report]
    slots: Mapping[str, int]
    exits: Sequence[int | None]
    crashes: Sequence[str]
    limits: Mapping[str, int]
    forgot: bool
    audited: frozenset[str]
    heard: Sequence[Mapping[str, Any]]


async def gather(stage: Stage, *, slots: Mapping[str, int] | None = None, exits: Sequence[int | None] = ()) -> Evidence:
    """Read everything, from each part directly: through no proxy, and with no worker at work."""
    store = stage.store
    batches = await views.batches(store)
    items = [item for batch in batches for item in [each async for each in views.items(store, batch.name)]]
    attempts = {str(item.ref): await views.attempts(store, item) for item in items}
    keys, sets = await _keys(stage)
    owners: dict[str, str] = {}
    for key in keys:
        if key.startswith(f"{store.keys.prefix}remote:"):
            owners |= await store.read(key)
    jobs, bill = await _books(stage)
    files = await asyncio.to_thread(_stored, stage.archive, stage.container)
    return Evidence(
        batches=batches,
        items=items,
        attempts=attempts,
        orphans=await store.read(store.keys.orphans),
        owners=owners,
        keys=keys,
        sets=sets,
        jobs=jobs,
        bill=bill,
        files={name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        papers={n: json.loads(d) for n, d in files.items() if n.endswith(".json") and not n.endswith("results.jsonl")},
        unfinished=_unfinished(stage.archive),
        reports={batch.name: _report(files, batch.name) for batch in batches},
        slots=slots or {},
        exits=exits,
        crashes=crashes(stage.folder),
        limits=stage.slots,
        forgot=stage.night.emptied or stage.night.older,
        audited=await _audited(stage, jobs, attempts),
        heard=stage.ear.taken,
    )


async def _keys(stage: Stage) -> tuple[dict[str, float | None], dict[str, list[str]]]:
    redis = stage.client
    keys: dict[str, float | None] = {}
    sets: dict[str, list[str]] = {}
    for key in sorted([raw.decode() async for raw in redis.scan_iter(count=1000)]):
        left_ms = int(await redis.pttl(key))
        keys[key] = None if left_ms < 0 else left_ms / 1000
        kind = (await redis.type(key)).decode()
        if kind == "zset":
            sets[key] = [raw.decode() for raw in await redis.zrange(key, 0, -1)]
        elif kind == "set":
            sets[key] = sorted(raw.decode() for raw in await redis.smembers(key))
    return keys, sets


async def _audited(
    stage: Stage, jobs: Sequence[Mapping[str, Any]], attempts: Mapping[str, Sequence[Attempt]]
) -> frozenset[str]:
    """Asked only where a job is no attempt's: it takes a process of its own."""
    claimed = {attempt.remote_id for made in attempts.values() for attempt in made}
    if all(job["id"] in claimed for job in jobs):
        return frozenset()
    command = ("-m", "dailies", "reconcile", "--audit", "--json", "--config", str(stage.config))
    async with running(*command, **stage.secrets()) as audit:
        said = await audit.output()
        await audit.end()
    assert said, audit.text
    return frozenset(job["id"] for place in json.loads(said)["places"] for job in place["unknown"])


async def _books(stage: Stage) -> tuple[list[dict[str, Any]], int]:
    """The sandbox's jobs and bill. What it serves is asked of it here too: workers may have got something else."""
    jobs = await stage.sandbox.witness.jobs()
    stats = await stage.sandbox.witness.stats()
    async with httpx.AsyncClient(base_url=stage.sandbox.url, timeout=30) as web:
        for job in jobs:
            job["served_sha256"] = job["sha256"] if job["deleted"] else None  # as it was served before
            if job["status"] == "succeeded":
                path = _CONTENT[job["api"]].format(next(iter(job["contents"])))
                answer = await web.get(path, params={"api-version": "preview"}, headers={"api-key": "any"})
                answer.raise_for_status()
                job["served_sha256"] = hashlib.sha256(answer.content).hexdigest()
    return jobs, round(sum(each["bill_usd"] for each in stats["deployments"].values()) * 1_000_000)


def _stored(folder: Path, container: Container | None) -> dict[str, bytes]:
    if container is None:
        found = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
        return {str(path.relative_to(folder)): path.read_bytes() for path in found}
    with ContainerClient.from_connection_string(
        container.connection_string, container.name, api_version=AZURITE_API_VERSION
    ) as client:
        names = list(client.list_blob_names())
        return {name.removeprefix("chaos/"): client.download_blob(name).readall() for name in names}


def _unfinished(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob(".*") if path.is_file())


def _report(files: Mapping[str, bytes], batch: str) -> Report:
    table, lines = files.get(f"{batch}/results.csv"), files.get(f"{batch}/results.jsonl")
    return Report(
        None if table is None else list(csv.DictReader(io.StringIO(table.decode()))),
        None if lines is None else [json.loads(line) for line in lines.decode().splitlines()],
        _sheet(files.get(f"{batch}/index.html", b"").decode()),
    )


def _sheet(page: str) -> dict[str, Any] | None:
    begin, end = '<script type="application/json" id="data">', "</script>"
    if not page.endswith("</html>\n") and not page.endswith("</html>"):
        return None
    shown: dict[str, Any] = json.loads(page.partition(begin)[2].partition(end)[0])
    return shown


def crashes(folder: Path) -> list[str]:
    """What workers logged as a fault of their own, and what they wrote that is no log line at all."""
    found = []
    for log in sorted(folder.glob("worker-*.log")):
        for line in log.read_text(errors="replace").splitlines():
            if line.startswith("{"):
                if '"exception"' in line:
                    found.append(f"{log.name}: {line}")
            elif line.startswith("Traceback"):
                found.append(f"{log.name}: {log.read_text(errors='replace').partition('Traceback')[2][:3000]}")
    return found
