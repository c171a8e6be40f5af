"""What a chaos run happens on: a Redis, a sandbox and workers, each a process, with a proxy before the first two.

Nothing here breaks anything: `mischief.py` does, through the few handles that each part has.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
from arq.connections import ArqRedis

from orchestrator.ledger.store import Store
from orchestrator.redis.connection import connect
from tests.chaos.ear import Ear
from tests.chaos.night import Night
from tests.chaos.proxy import Proxy
from tests.main_job.night import Witness, config, deployment, environment
from tests.servers import Container, free_port, redis_process

NAMESPACE = "chaos"
#: How many may render at once at each deployment.
SLOTS = {"two": 4, "one": 2, "other": 1}
#: As configured; `deployment` is the name on the wire, and prices are the sandbox's. Two of them share a list.
DEPLOYMENTS: dict[str, dict[str, Any]] = {
    "two": {"api": "videos", "model": "sora-2", "deployment": "sora-2", "price_per_second_usd": 0.1},
    "one": {"api": "jobs", "model": "sora", "deployment": "sora", "price_per_second_usd": 0.2},
    "other": {"api": "videos", "model": "sora-2", "deployment": "other-sora-2", "price_per_second_usd": 0.1},
}
#: Scaled to a run: an item is settled within seconds of whatever happened to it.
_TIMES: dict[str, Any] = {
    "create_timeout_s": 1.5,
    "settle_s": 1.0,
    "max_render_s": 30,
    "poll": {"first_s": 0.3, "every_s": 0.3, "min_s": 0.1, "most_per_s": 50},
}
CLAIM_S = 2.0
#: Bytes that are added to each large video: it is more than a block (`workers.sinks.blob`).
LARGE = 5 << 20
START_S = 150.0


class RedisUnit:
    """A real redis-server that syncs each write; it can be killed, and goes on from what it had written."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._stack, self.port = folder, ExitStack(), free_port()
        self.pid = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        server = await asyncio.to_thread(self._stack.enter_context, redis_process(self._folder, self.port))
        self.pid = server.pid

    async def stop(self) -> None:
        await asyncio.to_thread(self._stack.close)

    async def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        await self.stop()

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def copied(self) -> Path:
        """A backup of what it has written so far."""
        backup = self._folder.with_name("redis-backup")
        shutil.rmtree(backup, ignore_errors=True)
        shutil.copytree(self._folder, backup)
        return backup

    def restore(self, backup: Path) -> None:
        """Put a backup in the place of what it has written, while it is down."""
        shutil.rmtree(self._folder)
        shutil.copytree(backup, self._folder)


class Program:
    """A Python program of ours in a process of its own, its output in a file."""

    def __init__(self, log: Path, *arguments: str, **environ: str) -> None:
        self.log, self._arguments, self._environ = log, arguments, environ
        self.process: asyncio.subprocess.Process | None = None

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    async def start(self) -> None:
        with self.log.open("ab") as out:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=environment(**self._environ),
            )

    def send(self, number: signal.Signals) -> None:
        if self.process is not None and self.alive:
            with suppress(ProcessLookupError):
                # Not its own `send_signal`: that looks whether it has ended, and asyncio never learns its exit code.
                os.kill(self.process.pid, number)

    async def end(self) -> int:
        assert self.process is not None
        return await self.process.wait()

    async def asleep(self) -> None:
        """Wait until it is stopped (SIGSTOP)."""

        async def stopped() -> bool:
            assert self.process is not None
            return Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"

        assert await until(stopped, START_S), f"{self.log} is not stopped: {self.log.read_text()[-2000:]}"

    async def saw(self, event: str, **fields: Any) -> None:
        """Wait until its log has a line of this event with these fields."""
        wanted = {"event": event, **fields}

        async def logged() -> bool:
            lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
            return any(wanted.items() <= json.loads(line).items() for line in lines if line.startswith("{"))

        assert await until(logged, START_S), f"{self.log} has no {wanted}: {self.log.read_text()[-2000:]}"

    async def kill(self) -> None:
        self.send(signal.SIGKILL)
        if self.process is not None:
            await self.process.wait()


class SandboxUnit(Program):
    """The pretend provider, which keeps its jobs over a restart; `witness` asks it directly, past any proxy."""

    def __init__(self, folder: Path, seed: int, *options: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.witness = Witness(self.url)
        told = ("--port", str(self.port), "--state", str(folder / "sandbox.db"), "--seed", str(seed), *options)
        super().__init__(folder / "sandbox.log", "-m", "sandbox", *told)

    async def start(self) -> None:
        await super().start()
        async with asyncio.timeout(START_S), httpx.AsyncClient() as web:
            while True:
                with suppress(httpx.HTTPError):
                    await web.get(f"{self.url}/_sandbox/stats")
                    return
                assert self.alive, self.log.read_text()[-2000:]
                await asyncio.sleep(0.05)

    async def calm(self) -> None:
        async with httpx.AsyncClient() as web:
            await web.delete(f"{self.url}/_sandbox/faults")


@dataclass
class Crew:
    """Workers that are started again whenever they end, as a cluster does it."""

    start: Callable[[int], Program]
    size: int
    programs: list[Program] = field(default_factory=list)
    #: Exit codes of those that nobody asked to end.
    ended: list[int] = field(default_factory=list)
    _keepers: list[asyncio.Task[None]] = field(default_factory=list)

    def begin(self) -> None:
        self.programs = [self.start(number) for number in range(self.size)]
        self._keepers = [asyncio.create_task(self._keep(program)) for program in self.programs]

    async def _keep(self, program: Program) -> None:
        while True:
            await program.start()
            self.ended.append(await program.end())
            await asyncio.sleep(0.2)

    async def stop(self, within_s: float) -> list[int | None]:
        """Ask all to end in good order; their exit codes, None for one that had to be killed."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._keepers = []
        for program in self.programs:
            program.send(signal.SIGTERM)
        return list(await asyncio.gather(*(self._end(program, within_s) for program in self.programs)))

    async def kill(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(program.kill() for program in self.programs))

    async def _end(self, program: Program, within_s: float) -> int | None:
        if program.process is None:
            return 0
        try:
            async with asyncio.timeout(within_s):
                return await program.end()
        except TimeoutError:
            await program.kill()
            return None


class Stage:
    """`async with Stage(folder) as stage:` starts Redis, sandbox and proxies; `stage.crew.begin()` the workers."""

    def __init__(
        self,
        folder: Path,
        *,
        seed: int = 0,
        workers: int = 3,
        container: Container | None = None,
        night: Night | None = None,
        render_s: str = "0.2:1.0",
        slots: Mapping[str, int] = SLOTS,
        claim_s: float = CLAIM_S,
        more: dict[str, Any] | None = None,
    ) -> None:
        """`container`: an Azurite's, in place of a folder. `slots`: the deployments that are configured, and how many
        may render there at once; `more`: other settings of theirs."""
        self.folder, self.container = folder, container
        self.redis = RedisUnit(folder / "redis")
        served = [
            f"--deployment=name={facts['deployment']},api={facts['api']},model={facts['model']}"
            for facts in DEPLOYMENTS.values()
        ]
        self.slots, self._claim_s = slots, claim_s
        self.night = night or Night(0)
        if self.night.hidden:
            served.append("--hide-prompts")
        if self.night.large:
            served += ["--pad-bytes", str(LARGE)]
        times = ("--queue-s", "0.1", "--render-s", render_s, "--retention-s", "3600")
        self.sandbox = SandboxUnit(folder, seed, *served, *times)
        self.to_redis, self.to_sandbox = Proxy(self.redis.port), Proxy(self.sandbox.port)
        self.ear = Ear()
        self.crew = Crew(self.member, workers)
        self._more, self._stack = {"shared": self.night.shared} | (more or {}), AsyncExitStack()
        #: Held by whoever takes Redis or the sandbox away: one at a time.
        self.turn = asyncio.Lock()

    async def __aenter__(self) -> Stage:
        await self._stack.enter_async_context(self.to_redis)
        await self._stack.enter_async_context(self.to_sandbox)
        await self._stack.enter_async_context(self.ear)
        self._stack.push_async_callback(self.redis.stop)
        self._stack.push_async_callback(self.sandbox.kill)
        self._stack.push_async_callback(self.crew.kill)
        await asyncio.gather(self.redis.start(), self.sandbox.start())
        self.client: ArqRedis = connect(self.redis.url, queue_name=f"{{{NAMESPACE}}}:arq")
        self._stack.push_async_callback(self.client.aclose)
        self.store = Store(self.client, NAMESPACE)
        self.config = self._configured()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wake()
        await self._stack.aclose()

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    def worker(self, number: int, *options: str) -> Program:
        log = self.folder / f"worker-{number}.log"
        return Program(log, "-m", "tests.chaos.worker", str(self.config), *options, **self.secrets())

    def member(self, number: int) -> Program:
        """One of the crew; in some nights the first of three archives, and the others do all else."""
        if not self.night.parted:
            return self.worker(number)
        return self.worker(number, "--only", "create,poll,reconcile" if number % 3 else "archive")

    async def start(self, *options: str) -> Program:
        """One more worker, which nobody starts again."""
        program = self.worker(len(self.crew.programs), *options)
        self.crew.programs.append(program)
        await program.start()
        return program

    async def order(self, *batches: str) -> None:
        """Submit batches of the night, or submit them again, as a person does: until it is taken."""
        manifests = [self.folder / f"{batch}.jsonl" for batch in batches]
        for batch, manifest in zip(batches, manifests, strict=True):
            manifest.write_text(self.night.manifest(batch))
        command = ("-m", "tests.chaos.worker", str(self.config), "--submit", *map(str, manifests))
        log = self.folder / "submit.log"
        for _ in range(20):
            program = Program(log, *command, **self.secrets())
            await program.start()
            try:
                if await program.end() == 0:
                    return
            finally:
                await program.kill()
            await asyncio.sleep(0.2)
        raise AssertionError(f"nothing could be submitted: {log.read_text(errors='replace')[-2000:]}")

    def secrets(self) -> dict[str, str]:
        hook = {"EAR": f"http://127.0.0.1:{self.ear.port}/"}
        return hook | ({"BLOBS": self.container.connection_string} if self.container else {})

    def wake(self) -> None:
        """Whoever was stopped goes on."""
        for program in (*self.crew.programs, self.sandbox):
            program.send(signal.SIGCONT)
        with suppress(ProcessLookupError):
            if self.redis.pid:
                self.redis.send(signal.SIGCONT)

    async def calm(self) -> None:
        """No more faults: everything is there and well connected."""
        self.wake()
        for proxy in (self.to_redis, self.to_sandbox):
            proxy.calm()
            proxy.reset()
        self.ear.calm()
        await self.sandbox.calm()

    def _configured(self) -> Path:
        archive: dict[str, Any] = {"url": str(self.archive)}
        if self.container is not None:
            archive = {"url": f"{self.container.url}/chaos", "auth": {"connection_string_env": "BLOBS"}}
        archive["delete_remote"] = self.night.cleared
        return config(
            self.folder / "dailies.yaml",
            redis_url=f"redis://127.0.0.1:{self.to_redis.port}/0",
            namespace=NAMESPACE,
            archive=archive,
            claim_s=self._claim_s,
            notify=[{"name": "ear", "url_env": "EAR", "allow": ["127.0.0.1"]}],
            deployments=[
                deployment(
                    name,
                    f"http://127.0.0.1:{self.to_sandbox.port}",
                    quota={"per_minute": None, "burst": 1, "concurrent": most},
                    **(DEPLOYMENTS[name] | _TIMES | self._more),
                )
                for name, most in self.slots.items()
            ],
        )


async def until(met: Callable[[], Awaitable[bool]], within_s: float) -> bool:
    """Look every 100 ms; whether it was so in time. A look that loses its cancel (`workers.cancelling`) is the last."""
    clock = asyncio.get_running_loop().time
    last = clock() + within_s
    with suppress(TimeoutError):
        async with asyncio.timeout_at(last):
            while not (found := await met()) and clock() < last:
                await asyncio.sleep(0.1)
            return found
    return False
