"""The fixtures keep their word: isolated, real, and strict about keys."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from azure.storage.blob import BlobServiceClient

from tests.servers import AZURITE_API_VERSION, Container, free_port

ROOT = Path(__file__).resolve().parents[1]
LEAKING = """
async def test_leaks(redis, namespace):
    await redis.set("arq:queue", 1)

async def test_is_clean(redis, namespace):
    assert await redis.keys("*") == []
    await redis.set("{%s}:item" % namespace, 1)
"""


def test_a_test_that_leaves_a_key_without_its_hash_tag_fails_alone(tmp_path: Path) -> None:
    """The key is named, and the next test finds Redis empty."""
    (tmp_path / "test_leaking.py").write_text(LEAKING)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-q"]
    command += ["-o", "asyncio_mode=auto", "--rootdir", str(tmp_path), str(tmp_path / "test_leaking.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "2 passed, 1 error" in done.stdout
    assert "were left: ['arq:queue']" in done.stdout


def test_a_container_of_azurite_is_fresh_and_takes_blobs(azurite_container: Container) -> None:
    with BlobServiceClient.from_connection_string(
        azurite_container.connection_string, api_version=AZURITE_API_VERSION
    ) as client:
        container = client.get_container_client(azurite_container.name)
        assert list(container.list_blob_names()) == []
        container.upload_blob("spring/hero.mp4", b"bytes")
        assert list(container.list_blob_names()) == ["spring/hero.mp4"]
        assert container.url == azurite_container.url


def test_a_free_port_is_lent_to_one_test_and_never_by_the_system() -> None:
    """Whoever connects to a port that is still to be served, or that a test has stopped, could otherwise be lent it."""
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert max(ports) < 32_768, "from there on Linux lends them, unless it is told otherwise"
