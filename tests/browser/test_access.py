"""The contact sheet for everybody: names, roles and contrast, computed in a real Chromium, light and dark, large and
small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.items.states import State
from tests.browser.showing import item, lay_out
from tests.browser.test_contact_sheet import Opens

pytestmark = pytest.mark.asyncio(loop_scope="package")

# Every text that is seen, with its contrast to what lies behind it (WCAG 2.2, 1.4.3): large text needs 3, other 4.5.
# Texts over pictures have a plate of their own colour; what is disabled is exempt.
CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => top.slice(0, 3).map((c, n) => c * top[3] + below[n] * (1 - top[3])).concat(1);
  const ground = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      const colour = rgba(getComputedStyle(each).backgroundColor);
      layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
  const found = [];
  const scope = document.querySelector("dialog[open]") || document.body;
  const walk = document.createTreeWalker(scope, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || element.closest("script, style, noscript, :disabled")) continue;
    if (!element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })) continue;
    const style = getComputedStyle(element);
    let opacity = 1;
    for (let each = element; each; each = each.parentElement) opacity *= getComputedStyle(each).opacity;
    const below = ground(element);
    const ink = rgba(style.color);
    const [a, b] = [light(over([...ink.slice(0, 3), ink[3] * opacity], below)), light(below)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const share = (a + 0.05) / (b + 0.05) / (large ? 3 : 4.5);
    found.push([share, walk.currentNode.data.trim().slice(0, 40), element.className]);
  }
  return found.sort((x, y) => x[0] - y[0]);
}"""


@pytest.fixture
async def items() -> list[Any]:
    return [
        item("boat", "A paper boat", labels={"market": "SE"}, fields={"mismatch": "no sound"}),
        item("boat-2", "A paper boat", labels={"market": "DE"}),
        item("blocked", "No", State.FAILED, reason="moderation_blocked", message="Your request was blocked."),
        item("later", "Rain", State.RENDERING),
        item("off", "Not wanted", State.CANCELLED, reason="cancelled"),
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_every_text_stands_out_from_its_ground(
    visit: Opens, items: list[Any], tmp_path: Path, scheme: str, width: int
) -> None:
    path = await lay_out(tmp_path / "spring", items, films=["boat"], state="running", final_at="")
    at = await visit(path.as_uri(), width=width, height=3000, color_scheme=scheme, reduced_motion="reduce")
    seen = await at.page.evaluate(CONTRASTS)
    for key in ("boat", "blocked"):
        await at.page.evaluate(f"location.hash = '#item={key}'")
        await at.page.get_by_role("dialog", name=key).wait_for()
        seen += await at.page.evaluate(CONTRASTS)
    assert len(seen) > 60
    assert [each for each in seen if each[0] < 1] == []


async def test_all_that_can_be_used_has_a_name_and_a_role(visit: Opens, items: list[Any], tmp_path: Path) -> None:
    path = await lay_out(tmp_path / "spring", items, films=["boat"])
    at = await visit(path.as_uri(), height=3000)
    tree = await at.page.locator("body").aria_snapshot()
    for line in (
        'heading "spring" [level=1]',
        'searchbox "Find"',
        'group "State":',
        'button "All 5" [pressed]',
        'combobox "market":',
        'list "Videos":',
        'heading "Needs attention 1" [level=2]',
        'button "boat, take 1, not as ordered: no sound, 8 s, A paper boat"',
        'button "blocked, Failed, the provider\'s moderation blocked it, and does not say at which end, 8 s, No"',
        'button "Copy the prompt of boat"',
        'link "Download boat":',
    ):
        assert line in tree, tree
    nameless = """() => [...document.querySelectorAll(
            "button, a[href], input, select, video:not([aria-hidden]), dialog")]
        .filter(e => !(e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.textContent.trim()
                       || (e.labels && e.labels.length))).map(e => e.outerHTML)"""
    assert await at.page.evaluate(nameless) == []
    assert await at.page.evaluate("[...document.images].filter(i => !i.hasAttribute('alt')).length") == 0
    ids = await at.page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    assert await at.page.evaluate("document.documentElement.lang") == "en"
    await at.page.evaluate("location.hash = '#item=boat'")
    await at.page.get_by_role("dialog", name="boat").wait_for()
    assert await at.page.evaluate(nameless) == []


async def test_what_has_the_focus_is_seen_to_have_it(visit: Opens, items: list[Any], tmp_path: Path) -> None:
    """Through the whole page by Tab: each stop has a ring, its own or that of its frame."""
    path = await lay_out(tmp_path / "spring", items)
    at = await visit(path.as_uri())
    ring = """() => { const e = document.activeElement; if (e === document.body) return null;
        const style = (each) => getComputedStyle(each);
        const ringed = (each) => each && style(each).outlineStyle !== "none" && style(each).outlineWidth !== "0px";
        return [ringed(e) || ringed(e.closest(".frame")) || false, e.outerHTML.slice(0, 80)]; }"""
    stops = []
    for _ in range(24):
        await at.page.keyboard.press("Tab")
        stop = await at.page.evaluate(ring)
        if stop is None:
            break
        stops.append(stop)
    assert len(stops) > 8
    assert [html for shown, html in stops if not shown] == []
