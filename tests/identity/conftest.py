"""A whole Azure of a test's own, over TLS: Entra ID, a door before the sandbox, and Azurite that checks tokens."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

from tests.identity.authority import CLIENT, TENANT, Authority
from tests.identity.door import Door
from tests.identity.https import Https, tls_of
from tests.servers import AZURITE_ACCOUNT, AZURITE_API_VERSION, AZURITE_KEY, Azurite, azurite_process
from tests.workers.tls import certificate


@pytest.fixture(scope="session")
def authority_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Certificate and key that all servers here show, for `localhost`."""
    return certificate(tmp_path_factory.mktemp("tls"), "localhost", days=30)


@pytest.fixture(scope="session")
def azurite_oauth(tmp_path_factory: pytest.TempPathFactory, authority_files: tuple[Path, Path]) -> Iterator[Azurite]:
    """An Azurite over TLS that takes tokens of Entra ID for Azure Storage."""
    with azurite_process(tmp_path_factory.mktemp("azurite-oauth"), tls=authority_files) as server:
        yield server


@dataclass
class Ended:
    """A command that ended."""

    exit: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass
class Cloud:
    """Where everything is, and how a command is given there: `folder` is its working directory."""

    folder: Path
    authority: Authority
    door: Door
    sandbox: Any
    url: str
    authority_url: str
    machine_url: str
    store: str
    certificate: Path
    environ: dict[str, str] = field(default_factory=dict)

    def configure(
        self, auth: object, archive: object | None = None, redis: object | None = None, **deployment: Any
    ) -> None:
        """`dailies.yaml` with one deployment behind the door; archive and Redis are in the folder unless told
        otherwise."""
        poll = {"first_s": 0.2, "every_s": 0.2, "min_s": 0.1, "most_per_s": 100}
        quota = {"per_minute": 600, "burst": 2, "concurrent": 2}
        facts = {"name": "east", "endpoint": self.url, "model": "sora-2", "auth": auth, "poll": poll, "quota": quota}
        settings = {"deployments": [facts | deployment], "archive": archive or {"url": "./archive"}}
        settings |= {"redis": redis} if redis else {}
        (self.folder / "dailies.yaml").write_text(json.dumps(settings))

    def manifest(self, count: int) -> None:
        items = [{"key": f"boat-{n}", "prompt": f"A paper boat, take {n}"} for n in range(count)]
        document = {"version": 1, "name": "night", "defaults": {"model": "sora-2", "seconds": 4}, "items": items}
        (self.folder / "night.yaml").write_text(json.dumps(document))

    def as_pod(self) -> None:
        """Workload identity, as AKS's webhook prepares it."""
        (self.folder / "federated").write_text("of-the-pod")
        self.environ |= {
            "AZURE_AUTHORITY_HOST": self.authority_url,
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": CLIENT,
            "AZURE_FEDERATED_TOKEN_FILE": str(self.folder / "federated"),
        }

    def as_machine(self) -> None:
        """The managed identity of a machine, which is asked over plain HTTP."""
        self.environ |= {"IDENTITY_ENDPOINT": f"{self.machine_url}/msi/token", "IDENTITY_HEADER": "of-this-machine"}

    def as_nobody(self) -> None:
        """No identity, without asking the metadata service that a machine of Azure has."""
        self.environ |= {"AZURE_TOKEN_CREDENTIALS": "dev"}

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "IDENTITY_"))}
        environ |= {"SSL_CERT_FILE": str(self.certificate), **self.environ}
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "dailies",
            *words,
            cwd=self.folder,
            env=environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def ended(self, process: asyncio.subprocess.Process) -> Ended:
        out, err = await process.communicate()
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    async def give(self, *words: str) -> Ended:
        """A command, to its end."""
        return await self.ended(await self.start(*words))

    def container(self, name: str) -> str:
        """Make a container, by the account's key; its URL."""
        with BlobServiceClient(
            self.store,
            {"account_name": AZURITE_ACCOUNT, "account_key": AZURITE_KEY},
            connection_verify=str(self.certificate),
            api_version=AZURITE_API_VERSION,
        ) as service:
            service.create_container(name)
        return f"{self.store}/{name}"


@pytest.fixture
async def cloud(
    tmp_path: Path, authority_files: tuple[Path, Path], sandbox: Callable[..., Awaitable[Any]]
) -> AsyncIterator[Callable[..., Awaitable[Cloud]]]:
    """`place = await cloud(life_s=4)`: without Azurite unless its fixture's value is given as `azurite`."""
    async with AsyncExitStack() as stack:

        async def make(
            *, life_s: int = 3600, azurite: Azurite | None = None, provider: Mapping[str, Any] | None = None
        ) -> Cloud:
            server = await sandbox(**({"queue_s": 0, "render_s": (0.3, 0.4)} | dict(provider or {})))
            authority, tls = Authority(life_s), tls_of(authority_files)
            door = await stack.enter_async_context(Door(server.url))
            entra = await stack.enter_async_context(Https(authority.answer, tls))
            machine = await stack.enter_async_context(Https(authority.answer))
            front = await stack.enter_async_context(Https(door.answer, tls))
            store = azurite.blob_url if azurite else ""
            return Cloud(
                tmp_path, authority, door, server, front.url, entra.url, machine.url, store, authority_files[0]
            )

        yield make
