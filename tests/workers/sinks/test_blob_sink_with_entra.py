"""A container opened with a token of Entra ID, over TLS: a real Azurite that checks the token's audience and times."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import jwt
import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.storage.blob.aio import BlobServiceClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.servers import AZURITE, AZURITE_ACCOUNT, free_port, running
from tests.workers.sinks.streams import MIB, stream
from workers.sinks import ArchiveUnavailable, Saved
from workers.sinks.blob import BlobSink
from workers.sinks.blob_address import address_of
from workers.sinks.opening import client_options

VIDEO: dict[str, Any] = {"content_type": "video/mp4", "metadata": {}, "claim": "c"}


@dataclass
class Identity:
    """Gives a token for `audience`, or none."""

    audience: str = "https://storage.azure.com"
    closed: bool = False

    async def get_token(self, *_: Any, **__: Any) -> AccessToken:
        if not self.audience:
            raise ClientAuthenticationError("DefaultAzureCredential failed to retrieve a token")
        now = int(time.time())
        claims = {
            "iss": "https://sts.windows.net/t/",
            "aud": self.audience,
            "iat": now,
            "nbf": now - 60,
            "exp": now + 600,
        }
        return AccessToken(jwt.encode(claims, "k" * 32, algorithm="HS256"), now + 600)

    async def close(self) -> None:
        self.closed = True

    async def __aenter__(self) -> Identity:
        return self

    async def __aexit__(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """(URL of the account, certificate) of an Azurite with OAuth."""
    node = shutil.which("node")
    if node is None or not AZURITE.is_file():
        pytest.skip("Azurite is not installed: run sh scripts/install-azurite (it needs Node.js and npm)")
    folder, port = tmp_path_factory.mktemp("azurite-oauth"), free_port()
    certificate, key = certificate_in(folder)
    command = [node, str(AZURITE), "--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence"]
    command += ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    command += ["--oauth", "basic", "--cert", str(certificate), "--key", str(key)]

    def ready() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True

    with running(command, folder / "log", ready):
        yield f"https://127.0.0.1:{port}/{AZURITE_ACCOUNT}", certificate


def certificate_in(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, pkcs8, plain))
    return pem, secret


def sink_of(store: tuple[str, Path], identity: Identity, container: str) -> BlobSink:
    account, certificate = store
    service = BlobServiceClient(account, identity, connection_verify=str(certificate), **client_options())
    return BlobSink(service, address_of(f"{account}/{container}/p"), identity)


async def test_a_token_opens_the_container_and_the_identity_is_closed_with_the_sink(store: tuple[str, Path]) -> None:
    identity = Identity()
    async with sink_of(store, identity, "videos") as sink:
        await sink.probe()
        assert isinstance(await sink.save("a.mp4", stream(b"abc"), **VIDEO), Saved)
        assert await sink.read("a.mp4") == b"abc"
        blocks = [bytes([number]) * MIB for number in range(9)]
        assert isinstance(await sink.save("large.mp4", stream(*blocks), **VIDEO), Saved)
        assert await sink.read("large.mp4") == b"".join(blocks)
    assert identity.closed


async def test_a_token_that_the_store_refuses_says_which_role_is_missing(store: tuple[str, Path]) -> None:
    async with sink_of(store, Identity("https://elsewhere.example"), "refused") as sink:
        with pytest.raises(ArchiveUnavailable, match="Storage Blob Data Contributor"):
            await sink.probe()


async def test_without_a_token_it_says_to_log_in(store: tuple[str, Path]) -> None:
    async with sink_of(store, Identity(""), "refused") as sink:
        with pytest.raises(ArchiveUnavailable, match="az login"):
            await sink.save("a.mp4", stream(b"abc"), **VIDEO)
