"""`dailies view`: a batch of a private container, watched in a real browser through the loopback."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import expect

from dailies.archive.screening import Screening, range_of
from dailies.archive.viewing import view
from dailies.terminal.exits import UsageError
from orchestrator.settings import ArchiveSettings, Settings
from tests.browser.showing import film, item, lay_out, page
from tests.browser.test_contact_sheet import PLAYS, Opens, card, until
from tests.main_job.night import config, running
from tests.servers import Container
from workers.sinks import open_sink
from workers.sinks.directory import DirectorySink

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def asked(screening: Screening, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(screening.app)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1") as client:
        return await client.request(method, path, headers=named)


@pytest.fixture
async def room(tmp_path: Path) -> Screening:
    """A batch in a directory; `mug` takes a video of another batch."""
    items = [item("boat"), item("mug", fields={"file": "../winter/cup.mp4", "poster": "../winter/cup.jpg"})]
    await lay_out(tmp_path / "spring", items, posters=False, films=["boat"])
    for name in ("cup.mp4", "cup.jpg", "other.mp4"):
        (tmp_path / "winter").mkdir(exist_ok=True)
        (tmp_path / "winter" / name).write_bytes(b"0123456789")
    (tmp_path / "spring/.boat.mp4.part").write_bytes(b"half")
    (tmp_path / "spring/notes.txt").write_bytes(b"of somebody")
    (tmp_path / "secret.json").write_bytes(b"{}")
    return Screening(DirectorySink(tmp_path), "spring")


async def test_a_video_comes_in_parts(room: Screening) -> None:
    whole = film()
    part = await asked(room, f"{room.path}boat.mp4", Range="bytes=10-19")
    assert (part.status_code, part.content, part.headers["content-type"]) == (206, whole[10:20], "video/mp4")
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole)}"
    assert (await asked(room, f"{room.path}boat.mp4", Range="bytes=-5")).content == whole[-5:]
    everything = await asked(room, f"{room.path}boat.mp4", Range="bytes=0-")
    assert (everything.status_code, everything.content) == (206, whole)
    assert (await asked(room, f"{room.path}boat.mp4", Range="bytes=99999999-")).status_code == 416
    head = await asked(room, f"{room.path}boat.mp4", "HEAD")
    assert (head.headers["content-length"], head.headers["accept-ranges"]) == (str(len(whole)), "bytes")
    changed = await asked(room, f"{room.path}boat.mp4", Range="bytes=10-19", If_Range='"another"')
    assert (changed.status_code, changed.content) == (200, whole)
    same = await asked(room, f"{room.path}boat.mp4", If_None_Match=head.headers["etag"])
    assert (same.status_code, same.content) == (304, b"")


@pytest.mark.parametrize(
    ("header", "found"),
    [(None, None), ("bytes=0-0", (0, 1)), ("bytes=5-", (5, 10)), ("bytes=-3", (7, 10)), ("bytes=2-99", (2, 10)),
     ("bytes=0-1,4-5", None), ("lines=1-2", None), ("bytes=-", None), ("bytes=-99", (0, 10))],
)  # fmt: skip
async def test_a_range_is_read_as_it_is_written(header: str | None, found: tuple[int, int] | None) -> None:
    assert range_of(header, 10) == found


async def test_the_newest_page_is_shown_where_the_archive_rewrites_none(room: Screening, tmp_path: Path) -> None:
    """Such an archive gives each later one a number."""
    assert b"later" not in (await asked(room, room.path)).content
    for number in (2, 3):
        page = f"<!doctype html>\n<title>spring · dailies</title>later, {number}"
        (tmp_path / f"spring/index.{number}.html").write_text(page)
    (tmp_path / "spring/index.4.html").write_text("somebody's own")
    assert (await asked(room, room.path)).text.endswith("later, 3")
    assert (await asked(room, f"{room.path}index.2.html")).text.endswith("later, 2")


@pytest.mark.parametrize("name", ["notes.txt", ".boat.mp4.part", "..%2fsecret.json", "no.mp4", "a%2fb.mp4", "%00.mp4"])
async def test_nothing_else_of_the_folder_is_shown(room: Screening, name: str) -> None:
    assert (await asked(room, room.path + name)).status_code in (404, 502)


async def test_only_that_batch_is_shown_and_what_its_page_takes_from_others(room: Screening) -> None:
    other = room.path.replace("/spring/", "/winter/")
    assert (await asked(room, f"{other}cup.mp4")).content == b"0123456789"
    assert (await asked(room, f"{other}cup.jpg")).headers["content-type"] == "image/jpeg"
    assert (await asked(room, f"{other}other.mp4")).status_code == 404
    assert (await asked(room, f"{other}index.html")).status_code == 404


async def test_whoever_does_not_know_the_word_sees_nothing(room: Screening) -> None:
    """Nor a page elsewhere whose name points here."""
    assert (await asked(room, "/")).status_code == 404
    assert (await asked(room, "/guess/spring/")).status_code == 404
    assert (await asked(room, room.path, Host="evil.example")).status_code == 400
    found = await asked(room, room.path)
    assert found.status_code == 200
    assert "frame-ancestors 'none'" in found.headers["content-security-policy"]
    assert found.headers["x-content-type-options"] == "nosniff"
    assert found.headers["cross-origin-resource-policy"] == "same-origin"


async def test_a_private_container_is_watched_with_ones_own_identity(
    visit: Opens, tmp_path: Path, azurite_container: Container
) -> None:
    """The command prints an address; there the page opens, its poster shows and its video plays, in parts."""
    archive = {"url": f"{azurite_container.url}/night", "auth": {"connection_string_env": "STORE"}}
    settings = ArchiveSettings.model_validate(archive)
    async with open_sink(settings, {**os.environ, "STORE": azurite_container.connection_string}) as sink:
        await sink.write("spring/index.html", (await page([item("boat", fields={"poster": ""})])).encode(), "text/html")
        await sink.write("spring/boat.mp4", film(), "video/mp4")
    path = config(tmp_path / "dailies.yaml", redis_url=None, namespace="v", archive=archive, deployments=[])
    told = ("-m", "dailies", "view", "spring", "--no-browser", "--config", str(path))
    async with running(*told, STORE=azurite_container.connection_string) as process:
        url = await process.printed()
        assert urlsplit(url).hostname == "127.0.0.1"
        at = await visit(url)
        answers: list[tuple[int, str]] = []
        at.page.on("response", lambda answer: answers.append((answer.status, answer.url)))
        await until(at, "document.querySelector('video.still')?.videoWidth > 0")
        await card(at, "boat").locator(".frame").hover()
        await until(at, PLAYS)
        await card(at, "boat").locator(".open").click()
        await expect(at.page.get_by_role("dialog")).to_have_accessible_name("boat")
        await until(at, "document.querySelector('dialog video').currentTime > 0")
        assert 206 in {status for status, asked_for in answers if asked_for.endswith("boat.mp4")}
        assert at.complaints == []
        process.send(signal.SIGINT)
        assert await process.end() == 0


@pytest.mark.parametrize(
    ("batch", "told"), [("summer", "there is no batch summer"), ("spring", "no contact sheet yet")]
)
async def test_a_batch_without_a_page_is_told_of(tmp_path: Path, batch: str, told: str) -> None:
    (tmp_path / "spring").mkdir()
    (tmp_path / "spring/boat.mp4").write_bytes(b"x")
    with pytest.raises(UsageError, match=told):
        await view(Settings.model_validate({"archive": {"url": str(tmp_path)}}), batch, port=0, browser=False)
