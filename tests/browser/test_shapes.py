"""How the sheet is laid out: pictures of other shapes, takes of which one failed, long prompts, a phone's width."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import expect

from orchestrator.items.states import State
from tests.browser.conftest import Visit
from tests.browser.showing import item, lay_out

pytestmark = pytest.mark.asyncio(loop_scope="package")

Opens = Callable[..., Awaitable[Visit]]
LONG = "A wide shot of a harbour at blue hour, slow dolly-in. " * 60


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def sheet(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a batch of both shapes, in which one revision of a key failed."""
    items = [
        item("boat", "A paper boat in the rain"),
        item("boat~2", "A paper boat in the snow", State.FAILED, stem="boat", reason="moderation_blocked"),
        item("hero", LONG),
        item("story", "The same, upright", size="720x1280"),
        item("mug", "A mug on oak"),
    ]
    return (await lay_out(tmp_path_factory.mktemp("sheet") / "spring", items, films=["hero"])).as_uri()


async def box(visit: Visit, selector: str) -> dict[str, float]:
    found: Any = await visit.page.locator(selector).bounding_box()
    return dict(found)


async def test_an_upright_picture_among_others_lies_whole_on_a_mat(visit: Opens, sheet: str) -> None:
    at = await visit(sheet, height=1400)
    story = 'article[data-key="story"]'
    await expect(at.page.locator(f"{story} .open.developed")).to_have_count(1)
    frame, still = await box(at, f"{story} .frame"), await box(at, f"{story} img.still")
    assert still["width"] / still["height"] == pytest.approx(9 / 16, abs=0.01)
    assert frame["y"] < still["y"]
    assert still["y"] + still["height"] < frame["y"] + frame["height"]
    usual = await box(at, 'article[data-key="mug"] img.still')
    assert (usual["width"], usual["height"]) == pytest.approx((frame["width"], frame["height"]), abs=1)


async def test_only_what_failed_is_counted_as_needing_attention(visit: Opens, sheet: str) -> None:
    """And not the takes that stand beside it."""
    at = await visit(sheet)
    await expect(at.page.locator(".heading.attention")).to_have_text("Needs attention 1")
    await expect(at.page.locator("#totals .attention")).to_have_text("needs attention1")


async def test_beside_a_prompt_of_any_length_its_video_can_be_downloaded_at_once(visit: Opens, sheet: str) -> None:
    at = await visit(f"{sheet}#item=hero", height=700)
    await expect(at.page.get_by_role("link", name="Download", exact=True)).to_be_in_viewport()


async def test_on_a_phone_a_failure_takes_no_more_room_than_its_words(visit: Opens, sheet: str) -> None:
    at = await visit(sheet, width=390, height=844, touch=True)
    failed, made = await box(at, 'article[data-key="boat~2"] .frame'), await box(at, 'article[data-key="boat"] .frame')
    assert failed["height"] < made["height"]
    assert not await at.page.evaluate("document.documentElement.scrollWidth > innerWidth")
    await expect(at.page.locator(".band.more")).to_have_count(1)  # the two takes lie on one band
