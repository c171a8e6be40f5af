"""One night of one entrant: real processes, real sockets, a sandbox and a Redis that nobody used before."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE
from typing import Any

import httpx

from bench.admission.bounds import Limits
from bench.admission.environment import ROOT, peers_python
from bench.admission.figures import Figures, Seen, figures
from bench.admission.neighbour import PROMPT
from bench.admission.plan import make_plan
from bench.admission.scenarios import Scenario
from bench.main_job import sandbox
from orchestrator.redis.embedded import EmbeddedRedis

#: Nobody is waited for longer than so many times the seconds that the quota needs on average, and a little.
PATIENCE, GRACE_S = 2.5, 15.0
LOOK_S = 0.25
DRAIN_S = 30.0


@dataclass(frozen=True)
class Entrant:
    """Who takes part. `command`: the start of a command line, to which plan and index are added."""

    name: str
    title: str
    command: Callable[[], list[str]]
    #: Whether one process, given the plan, starts all others by itself.
    starts_all: bool = False
    product: bool = False


def _peer(script: str, python: Callable[[], str] = peers_python) -> Callable[[], list[str]]:
    return lambda: [python(), str(ROOT / "bench/admission/peers" / script)]


ENTRANTS = (
    Entrant("ours", "dailies", lambda: [sys.executable, "-m", "bench.admission.ours"], product=True),
    Entrant("openai", "openai create_and_poll, semaphore", _peer("openai_client.py")),
    Entrant("bucket", "one token bucket, sleeps on a 429", _peer("token_bucket.py")),
    Entrant("arq", "arq with Retry", _peer("arq_retry.py", lambda: sys.executable)),
    Entrant("celery", "Celery with rate_limit", _peer("celery_rate.py"), starts_all=True),
)


@contextmanager
def crew(commands: list[list[str]], log: Path) -> Iterator[Callable[[], None]]:
    """Start processes and wait until each said that it is ready; the block sends them off. They are ended with it."""
    processes: list[subprocess.Popen[str]] = []
    with log.open("w") as errors:
        try:
            for command in commands:
                process = subprocess.Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, stderr=errors, text=True)
                processes.append(process)
            for process in processes:
                if process.stdout is None or process.stdout.readline() != "ready\n":
                    raise RuntimeError(f"{process.args!r} did not start:\n{log.read_text()[-2000:]}")

            def go() -> None:
                for process in processes:
                    assert process.stdin is not None
                    process.stdin.write("go\n")
                    process.stdin.flush()

            yield go
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                try:
                    process.wait(DRAIN_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


@dataclass
class Watch:
    """What is seen from outside while a night goes on."""

    url: str
    web: httpx.Client
    tally: Path
    counts: list[tuple[int, int]] = field(default_factory=list)

    def look(self) -> None:
        """Count what was accepted and refused so far, without what a neighbour was."""
        stats = self.web.get(f"{self.url}/_sandbox/stats").json()["deployments"].values()
        accepted, refused = (int(n) for n in self.tally.read_text().split()) if self.tally.exists() else (0, 0)
        self.counts.append(
            (
                sum(s["accepted"] for s in stats) - accepted,
                sum(s["refused_rate"] + s["refused_concurrent"] for s in stats) - refused,
            )
        )

    def jobs(self) -> list[dict[str, Any]]:
        return list(self.web.get(f"{self.url}/_sandbox/jobs").json())


def archived(folder: Path, *, product: bool) -> dict[str, float]:
    """Key → when its video was whole. Of ours only with its receipt: that is what archived means."""
    found = {}
    for path in folder.rglob("*.json" if product else "*.mp4"):
        with suppress(FileNotFoundError):  # a file of a moment
            found[path.stem] = path.stat().st_mtime
    return found


def patience_s(scenario: Scenario, count: int) -> float:
    """How long somebody is waited for."""
    mean_s, rate = sum(scenario.render_s) / 2, 0.0
    for quota in scenario.real:
        by_slots = quota.concurrent / mean_s if isinstance(quota.concurrent, int) else float("inf")
        rate += min(by_slots, quota.per_minute / 60 if quota.per_minute else float("inf"))
    return PATIENCE * (count / rate + mean_s) + GRACE_S


def race(scenario: Scenario, entrant: Entrant, count: int, folder: Path) -> Figures:
    """Let one entrant do one night."""
    folder.mkdir(parents=True)
    out, tally, plan_file = folder / "videos", folder / "neighbour", folder / "plan.json"
    out.mkdir()
    with EmbeddedRedis(folder) as redis, sandbox(*scenario.knobs()) as url, httpx.Client() as web:
        plan = make_plan(scenario, count, url, redis.url.removeprefix("unix://"), out)
        plan_file.write_text(json.dumps(plan))
        indexes = range(1 if entrant.starts_all else scenario.processes)
        commands = [[*entrant.command(), str(plan_file), str(index)] for index in indexes]
        if scenario.neighbour_per_minute:
            every_s = 60 / scenario.neighbour_per_minute
            loop = [sys.executable, "-m", "bench.admission.neighbour", plan["url"], scenario.real[0].name]
            commands.append([*loop, str(every_s), str(tally)])
        watch = Watch(url, web, tally)
        with crew(commands, folder / "errors.log") as go:
            go()
            deadline = time.monotonic() + patience_s(scenario, count)
            while len(archived(out, product=entrant.product)) < count and time.monotonic() < deadline:
                time.sleep(LOOK_S)
                watch.look()
            time.sleep(LOOK_S)  # the last file may still be written to
        files = archived(out, product=entrant.product)
        watch.look()
        jobs = watch.jobs()
        (folder / "seen.json").write_text(json.dumps({"jobs": jobs, "archived": files, "counts": watch.counts}))
        return _figures(scenario, plan, jobs, files, watch.counts)


def _figures(
    scenario: Scenario,
    plan: dict[str, Any],
    jobs: list[dict[str, Any]],
    files: dict[str, float],
    counts: list[tuple[int, int]],
) -> Figures:
    prompts = {video["key"]: video["prompt"] for video in plan["videos"]}
    mine = set(prompts.values())
    seen = Seen(
        videos=len(prompts),
        jobs=[job for job in jobs if job["prompt"] in mine],
        others=[job["created_at"] for job in jobs if job["prompt"].startswith(PROMPT)],
        archived={prompts[key]: at for key, at in files.items() if key in prompts},
        refused=counts[-1][1],
        counts=counts,
    )
    limits = [
        Limits(q.per_minute, q.concurrent if isinstance(q.concurrent, int) else None, scenario.window_s)
        for q in scenario.real
    ]
    return figures(seen, limits)
