"""A night in miniature: a configuration, real worker processes whose log lines are the signals that tests wait for,
and what the sandbox counted."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.servers import ROOT

#: The longest that any wait in these tests may take (seconds); nothing asserts on it.
PATIENCE_S = 200


def config(
    path: Path,
    *,
    redis_url: str | None,
    namespace: str,
    archive: dict[str, Any],
    deployments: list[dict[str, Any]],
    claim_s: float = 2.0,
    **more: Any,
) -> Path:
    """Write a dailies.yaml whose times are scaled to seconds. `more`: other sections."""
    document = {
        "redis": {"namespace": namespace} | ({"url": redis_url} if redis_url else {}),
        "state_dir": str(path.parent / "state"),
        "claim_s": claim_s,
        "archive": archive,
        "deployments": deployments,
        **more,
    }
    path.write_text(yaml.safe_dump(document))
    return path


def deployment(name: str, url: str, **more: Any) -> dict[str, Any]:
    """A deployment of the sandbox's sora-2 with quick looks and short time limits."""
    return {
        "name": name,
        "api": "videos",
        "endpoint": url,
        "model": "sora-2",
        "auth": {"api_key_env": "SANDBOX_KEY"},
        "quota": {"per_minute": None, "burst": 1, "concurrent": 4},
        "poll": {"first_s": 0.2, "every_s": 0.2, "min_s": 0.1},
        "create_timeout_s": 1.5,
        "settle_s": 0.5,
        **more,
    }


def environment(**more: str) -> dict[str, str]:
    """What a process of ours needs, and nothing of the developer's shell."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return kept | {"SANDBOX_KEY": "any", "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | more


class Process:
    """A process of ours whose JSON log is read as it is written."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[dict[str, Any]] = []
        self.text: list[str] = []
        self._grown = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    @property
    def pid(self) -> int:
        return self._process.pid

    async def _read(self) -> None:
        assert self._process.stderr is not None
        async for raw in self._process.stderr:
            async with self._grown:
                try:
                    self.lines.append(json.loads(raw))
                except ValueError:
                    self.text.append(raw.decode())
                self._grown.notify_all()
        async with self._grown:
            self._grown.notify_all()

    async def saw(self, event: str, **fields: Any) -> dict[str, Any]:
        """Wait until the log has a line of this event with these fields; the line."""
        wanted = {"event": event, **fields}

        def found() -> dict[str, Any] | None:
            return next((line for line in self.lines if wanted.items() <= line.items()), None)

        async with asyncio.timeout(PATIENCE_S), self._grown:
            while (line := found()) is None:
                assert not self._reading.done(), f"ended without {wanted}: {self.text} {self.lines[-5:]}"
                await self._grown.wait()
        return line

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    async def end(self) -> int:
        """Its exit code, once it has ended. One that does not end is quoted."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                code = await self._process.wait()
                await self._reading
        except TimeoutError:
            raise AssertionError(f"did not end: {self.text[-20:]} {self.lines[-20:]}") from None
        return code

    async def printed(self) -> str:
        """The next line that it prints on stdout."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            return (await self._process.stdout.readline()).decode().strip()

    async def output(self) -> str:
        """What it printed on stdout, once it has ended."""
        assert self._process.stdout is not None
        return (await self._process.stdout.read()).decode()


@asynccontextmanager
async def running(*arguments: str, **environ: str) -> AsyncIterator[Process]:
    """`python …` until the block ends; stopped by its process id if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(**environ),
        limit=1 << 22,
    )
    ours = Process(process)
    try:
        yield ours
    finally:
        with suppress(ProcessLookupError):
            if process.returncode is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
        await ours.end()


def worker(path: Path, *more: str) -> Any:
    """A `dailies worker` with this configuration."""
    return running("-m", "dailies", "--log-level", "info", "worker", "--config", str(path), *more)


async def any_saw(processes: list[Process], event: str, **fields: Any) -> None:
    """Wait until one of them logged it."""
    waits = [asyncio.create_task(p.saw(event, **fields)) for p in processes]
    done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()


async def until(met: Callable[[], Awaitable[bool]]) -> None:
    """Look every 20 ms until it is so. A look that loses its cancel (`workers.cancelling`) is the last."""
    clock = asyncio.get_running_loop().time
    last = clock() + PATIENCE_S
    async with asyncio.timeout_at(last):
        while not await met():
            assert clock() < last, "it was never so"
            await asyncio.sleep(0.02)


class Witness:
    """What the sandbox saw, in its own words."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def jobs(self) -> list[dict[str, Any]]:
        async with httpx.AsyncClient() as web:
            answer: list[dict[str, Any]] = (await web.get(f"{self.url}/_sandbox/jobs")).json()
        return answer

    async def stats(self) -> dict[str, Any]:
        async with httpx.AsyncClient() as web:
            answer: dict[str, Any] = (await web.get(f"{self.url}/_sandbox/stats")).json()
        return answer

    async def fault(self, **fault: Any) -> None:
        async with httpx.AsyncClient() as web:
            (await web.post(f"{self.url}/_sandbox/faults", json=fault)).raise_for_status()

    async def clear(self) -> None:
        """No more faults."""
        async with httpx.AsyncClient() as web:
            (await web.delete(f"{self.url}/_sandbox/faults")).raise_for_status()

    async def created(self) -> Counter[str]:
        """Prompt → how often it was accepted."""
        return Counter(job["prompt"] for job in await self.jobs())
