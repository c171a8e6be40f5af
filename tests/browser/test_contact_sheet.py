"""The contact sheet in a real Chromium, from a disk: what a person sees, finds, plays and reaches by keys."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import expect

from orchestrator.items.states import State
from tests.browser.conftest import Visit
from tests.browser.showing import film, item, lay_out, page
from tests.orchestrator.test_contact_sheet import HOSTILE

pytestmark = pytest.mark.asyncio(loop_scope="package")

Opens = Callable[..., Awaitable[Visit]]

#: The longest that any wait may take (seconds); nothing asserts on it.
PATIENCE_S = 100
#: Elements of the whole page, and pictures fetched before anybody scrolls, however long the batch is.
MOST_ELEMENTS, MOST_PICTURES = 1500, 24


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def sheet(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a batch with everything in it: takes, revisions, failures, a video that is not as ordered."""
    items = [
        item("boat", "A paper boat in the rain", labels={"market": "SE"}),
        item("boat-2", "A paper boat in the rain", labels={"market": "SE"}),
        item("boat~2", "A paper boat in the snow", stem="boat", labels={"market": "SE"}),
        item("lamp", "A lamp on marble", labels={"market": "DE"}, fields={"mismatch": "no sound"}),
        item("mug", "A mug on oak", labels={"market": "DE"}),
        item("top-10", "Ten tops spinning", labels={"market": "FR"}),
        item("blocked", "Something <em>forbidden</em>", State.FAILED, labels={"market": "FR"},
             reason="moderation_blocked", message="Your request was blocked."),
        item("gone", "A video that expired", State.EXPIRED, reason="expired"),
        item("later", "Rain on a roof", State.RENDERING),
        item("off", "Not wanted", State.CANCELLED, reason="cancelled"),
    ]  # fmt: skip
    films = [each.ref.item for each in items if each.state is State.ARCHIVED]
    path = await lay_out(tmp_path_factory.mktemp("sheet") / "spring", items, films=films)
    return path.as_uri()


def card(visit: Visit, key: str) -> Any:
    return visit.page.locator(f'article[data-key="{key}"]')


async def keys(visit: Visit) -> list[str]:
    """What is shown, in the order of the page."""
    return list(await visit.page.locator("article").evaluate_all("all => all.map(each => each.dataset.key)"))


async def playing(visit: Visit) -> list[str]:
    """Videos on the sheet that really play."""
    script = """() => [...document.querySelectorAll("article .film")]
        .filter(v => !v.paused && v.currentTime > 0 && v.videoWidth).map(v => v.closest("article").dataset.key)"""
    return list(await visit.page.evaluate(script))


async def until(visit: Visit, script: str) -> None:
    """Wait until it is so. (The page's policy forbids the evaluation with which Playwright would wait.)"""
    async with asyncio.timeout(PATIENCE_S):
        await visit.page.evaluate(f"async () => {{ while (!({script})) await new Promise(requestAnimationFrame); }}")


PLAYS = "document.querySelector('article .film')?.currentTime > 0"


async def test_what_failed_comes_first_with_its_reason_in_plain_words(visit: Opens, sheet: str) -> None:
    at = await visit(sheet, height=2400)
    assert (await keys(at))[:2] == ["blocked", "gone"]
    await expect(card(at, "blocked")).to_contain_text("the provider's moderation blocked it")
    assert await at.page.locator("h2").all_inner_texts() == [
        "Needs attention 2", "Ready to watch 6", "Still to come 1", "Cancelled 1",
    ]  # fmt: skip
    await card(at, "blocked").locator(".open").click()
    told = at.page.get_by_role("dialog")
    await expect(told).to_contain_text("What helps: change the prompt or the picture")
    await expect(told).to_contain_text("Your request was blocked.")
    assert at.complaints == []


async def test_a_row_that_was_mended_counts_once_and_leads_to_what_took_its_place(visit: Opens, tmp_path: Path) -> None:
    """It is no failure any more: nothing is to be done about it."""
    blocked = item("mug", "A forbidden mug", State.FAILED, reason="moderation_blocked", message="No.")
    items = [
        dataclasses.replace(blocked, replaced_by="mug~2"), item("mug~2", "A calm mug", stem="mug"), item("boat"),
    ]  # fmt: skip
    path = await lay_out(tmp_path / "spring", items, films=["mug~2", "boat"])
    at = await visit(path.as_uri(), height=2400)
    assert await at.page.locator("h2").all_inner_texts() == ["Ready to watch 2"]
    totals = (await at.page.locator("#totals").inner_text()).split("\n")
    assert totals[:4] == ["of 2 ready", "2 videos", "need attention", "none"]
    await expect(card(at, "mug")).to_contain_text("mug~2 took its place")
    await card(at, "mug").locator(".open").click()
    told = at.page.get_by_role("dialog")
    await expect(told).to_contain_text("Its row was mended, and mug~2 took its place.")
    await expect(told).not_to_contain_text("What helps")
    await told.get_by_role("button", name="mug~2", exact=True).click()
    await expect(told.locator("h2")).to_have_text("mug~2")
    assert at.complaints == []


async def test_totals_say_how_the_night_went(visit: Opens, sheet: str) -> None:
    at = await visit(sheet)
    totals = await at.page.locator("#totals").inner_text()
    assert totals.split("\n") == [
        "of 10 ready", "6 videos", "need attention", "2", "of film", "48 s", "spent", "$8.00", "from first to last",
        "1 h 30 min",
    ]  # fmt: skip
    await expect(at.page.locator("#running")).to_be_hidden()


async def test_takes_and_revisions_of_a_key_stand_side_by_side(visit: Opens, sheet: str) -> None:
    """And a key that only looks like a take is one of its own."""
    at = await visit(sheet)
    boxes = [await card(at, key).bounding_box() for key in ("boat", "boat~2", "boat-2")]
    assert len({box["y"] for box in boxes}) == 1
    assert boxes[0]["x"] < boxes[1]["x"] < boxes[2]["x"]
    assert await card(at, "boat-2").locator("h3").inner_text() == "boat\ntake 2, revision 1"
    assert await card(at, "top-10").locator("h3").inner_text() == "top-10"


async def test_text_state_and_label_filter_together_and_the_address_keeps_them(visit: Opens, sheet: str) -> None:
    at = await visit(sheet)
    await at.page.get_by_role("searchbox", name="Find").fill("boat SNOW")
    await expect(at.page.locator("article")).to_have_count(1)
    assert await keys(at) == ["boat~2"]
    await at.page.get_by_role("searchbox").fill("")
    await at.page.get_by_role("combobox", name="market").select_option("DE")
    await at.page.locator("#states").get_by_role("button", name="Not as ordered").click()
    await expect(at.page.locator("article")).to_have_count(1)
    assert await keys(at) == ["lamp"]
    await expect(at.page.locator("#count")).to_have_text("1 of 10 videos")
    again = await visit(at.page.url, height=2400)
    assert await keys(again) == ["lamp"]
    chosen = again.page.locator("#states").get_by_role("button", name="Not as ordered")
    await expect(chosen).to_have_attribute("aria-pressed", "true")
    await again.page.get_by_role("button", name="Clear filters").click()
    await expect(again.page.locator("article")).to_have_count(10)
    assert "#" not in again.page.url
    nothing = await visit(f"{sheet}#q=zebra")
    await expect(nothing.page.locator("#empty")).to_be_visible()


async def test_an_arrow_is_enough_on_a_page_that_was_just_opened(visit: Opens, sheet: str) -> None:
    at = await visit(sheet)
    await at.page.keyboard.press("ArrowRight")
    await expect(card(at, "blocked").locator(".open")).to_be_focused()
    await at.page.keyboard.press("Enter")
    await expect(at.page.get_by_role("dialog")).to_have_accessible_name("blocked")


async def test_keys_lead_everywhere(visit: Opens, sheet: str) -> None:
    """`/` finds, arrows move, space plays, enter looks closer, escape leads back."""
    at = await visit(sheet)
    press = at.page.keyboard.press
    await press("/")
    await expect(at.page.get_by_role("searchbox")).to_be_focused()
    await press("ArrowDown")
    await expect(card(at, "blocked").locator(".open")).to_be_focused()
    await press("ArrowRight")
    await expect(card(at, "gone").locator(".open")).to_be_focused()
    await press("ArrowDown")
    await expect(card(at, "boat~2").locator(".open")).to_be_focused()
    await press("ArrowLeft")
    await press(" ")
    await until(at, PLAYS)
    assert await playing(at) == ["boat"]
    await press(" ")
    await expect(at.page.locator(".film")).to_have_count(0)
    await press("Enter")
    await expect(at.page.get_by_role("dialog")).to_have_accessible_name("boat")
    assert at.page.url.endswith("#item=boat")
    await until(at, "document.querySelector('dialog video').currentTime > 0")
    await press("ArrowRight")
    await expect(at.page.get_by_role("dialog")).to_have_accessible_name("boat~2")
    await press("Escape")
    await expect(at.page.locator("dialog")).to_be_hidden()
    await expect(card(at, "boat~2").locator(".open")).to_be_focused()
    await press("End")
    await expect(card(at, "off").locator(".open")).to_be_focused()
    assert at.complaints == []


async def test_tab_comes_to_one_card_and_its_tools(visit: Opens, sheet: str) -> None:
    at = await visit(sheet)
    stops = "() => [...document.querySelectorAll('#grid [tabindex=\"0\"]')].map(e => e.closest('article').dataset.key)"
    assert set(await at.page.evaluate(stops)) == {"blocked"}


async def test_pointing_plays_one_video_and_only_while_pointed_at(visit: Opens, sheet: str) -> None:
    at = await visit(sheet)
    assert at.asked_for(".mp4") == []
    await card(at, "boat").locator(".frame").hover()
    await until(at, PLAYS)
    assert await playing(at) == ["boat"]
    await card(at, "boat~2").locator(".frame").hover()
    await until(at, "document.querySelector('article[data-key=\"boat~2\"] .film')?.currentTime > 0")
    assert await playing(at) == ["boat~2"]
    await at.page.mouse.move(2, 2)
    await expect(at.page.locator(".film")).to_have_count(0)
    assert set(at.asked_for(".mp4")) == {"boat.mp4", "boat~2.mp4"}


async def test_whoever_wants_stillness_plays_by_hand(visit: Opens, sheet: str) -> None:
    at = await visit(sheet, reduced_motion="reduce")
    await card(at, "boat").locator(".frame").hover()
    await card(at, "boat").locator(".open").focus()
    assert await at.page.locator(".film").count() == 0
    await at.page.keyboard.press(" ")
    await until(at, PLAYS)


async def test_a_finger_plays_and_stops_and_looks_closer(visit: Opens, sheet: str) -> None:
    at = await visit(sheet, width=390, height=844, touch=True)
    assert await at.page.evaluate("document.documentElement.scrollWidth") == 390
    frame = card(at, "boat").locator(".open")
    await at.page.get_by_role("button", name="Ready").tap()
    await frame.tap()
    await until(at, PLAYS)
    await expect(at.page.locator("dialog")).to_be_hidden()
    await frame.tap()
    await expect(at.page.locator(".film")).to_have_count(0)
    await card(at, "boat").get_by_role("button", name="Look closer at boat").tap()
    await expect(at.page.get_by_role("dialog")).to_be_visible()
    sizes = await at.page.locator("dialog button, dialog a").evaluate_all(
        "all => all.filter(e => !e.closest('dd')).map(e => Math.min(e.offsetWidth, e.offsetHeight))"
    )
    assert min(sizes) >= 24


async def test_a_video_can_be_taken_along_and_its_prompt_too(visit: Opens, sheet: str) -> None:
    at = await visit(f"{sheet}#item=mug", permissions=["clipboard-read", "clipboard-write"])
    link = at.page.get_by_role("dialog").get_by_role("link", name="Download")
    assert await link.get_attribute("href") == "./mug.mp4"
    await at.page.get_by_role("button", name="Copy prompt", exact=True).click()
    await expect(at.page.locator("#said")).to_have_text("Prompt copied")
    assert await at.page.evaluate("navigator.clipboard.readText()") == "A mug on oak"


async def test_light_and_dark_are_the_systems_until_somebody_chooses(visit: Opens, sheet: str) -> None:
    at = await visit(sheet, color_scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = await at.page.evaluate(paper)
    await at.page.get_by_role("button", name="as the system").click()
    assert await at.page.evaluate(paper) != dark
    await at.page.reload()
    await expect(at.page.get_by_role("button", name="Light")).to_be_visible()
    assert await at.page.evaluate(paper) != dark


async def test_hostile_prompts_stay_words(visit: Opens, tmp_path: Path) -> None:
    """Whatever they say, nothing runs, nothing is asked for, and they are read as they were written."""
    items = [item(f"k{n}", text, labels={text or "x": text}, fields={"mismatch": text})
             for n, text in enumerate(HOSTILE)]  # fmt: skip
    items += [item(f"f{n}", text, State.FAILED, reason=text, message=text) for n, text in enumerate(HOSTILE)]
    items.append(item("up", "out", fields={"file": "../../../etc/passwd", "poster": "https://evil.example/x.jpg"}))
    path = await lay_out(tmp_path / "spring", items[:-1], posters=False, name=HOSTILE[0])
    path.write_text(await page(items, HOSTILE[0]), "utf-8")
    at = await visit(path.as_uri(), height=6000)
    await expect(card(at, "up")).to_be_visible()
    for n in range(len(HOSTILE)):
        shown = await card(at, f"k{n}").locator(".prompt").evaluate("e => e.textContent")
        assert shown == HOSTILE[n]
        await at.page.evaluate(f"location.hash = '#item=f{n}'")
        await expect(at.page.get_by_role("dialog")).to_have_accessible_name(f"f{n}")
    assert await at.page.evaluate("document.querySelectorAll('img[src=x], svg[onload], base, iframe').length") == 0
    assert all(url.startswith(path.parent.as_uri()) for url in at.asked)
    assert not [each for each in at.complaints if "ERR_FILE_NOT_FOUND" not in each]


async def test_a_video_without_a_poster_shows_its_own_first_picture(visit: Opens, tmp_path: Path) -> None:
    items = [item("a", fields={"poster": ""}), item("b"), item("c", fields={"poster": ""})]
    path = await lay_out(tmp_path / "spring", items, posters=False)  # that of b is named, and missing
    for key in ("a", "b"):
        (path.parent / f"{key}.mp4").write_bytes(film())
    at = await visit(path.as_uri())
    for key in ("a", "b"):
        await until(at, f"document.querySelector('article[data-key={key}] video.still')?.videoWidth > 0")
    assert await card(at, "a").locator("video").evaluate("v => v.preload") == "metadata"


async def test_a_running_batch_says_so_and_when_the_page_was_written(visit: Opens, tmp_path: Path) -> None:
    items = [item("a"), item("b", state=State.RENDERING)]
    path = await lay_out(tmp_path / "spring", items, state="running", final_at="")
    at = await visit(path.as_uri(), timezone_id="UTC")
    await expect(at.page.locator("#running")).to_contain_text("Still running: 1 video to come")
    await expect(at.page.locator("#running")).to_contain_text("21 Sept 2026, 14:13")


async def test_five_thousand_items_cost_no_more_than_what_is_in_view(visit: Opens, tmp_path: Path) -> None:
    items = [item(f"clip-{n:04d}x", f"Clip {n} of a long night", labels={"market": "SE"}) for n in range(5000)]
    path = await lay_out(tmp_path / "spring", items, films=["mug~2", "boat"])
    at = await visit(path.as_uri())
    await until(at, "[...document.querySelectorAll('img.still')].filter(i => i.naturalWidth).length >= 6")
    count = "document.querySelectorAll('*').length"
    assert await at.page.evaluate(count) <= MOST_ELEMENTS
    assert 6 <= len(at.asked_for(".jpg")) <= MOST_PICTURES
    assert at.asked_for(".mp4") == []
    await at.page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    await expect(card(at, "clip-4999x")).to_be_visible()
    await until(at, "document.querySelector('article[data-key=\"clip-4999x\"] img')?.naturalWidth > 0")
    assert await at.page.evaluate(count) <= MOST_ELEMENTS
    assert len(at.asked_for(".jpg")) <= 2 * MOST_PICTURES + 12
    await at.page.get_by_role("searchbox").fill("clip 4711 ")
    await expect(at.page.locator("article")).to_have_count(1)
    await at.page.keyboard.press("Enter")
    await at.page.keyboard.press("Enter")
    await expect(at.page.get_by_role("dialog")).to_have_accessible_name("clip-4711x")
