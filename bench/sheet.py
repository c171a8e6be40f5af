"""What the contact sheet costs: `python -m bench.sheet [ITEMS …]`.

For each size: how long the page takes to write and how large it is, and in a real Chromium, opened from a disk, how
long until it can be used, until the first poster is seen, and until a search is answered; with the elements and
requests that this took. A bare page that shows one poster is measured beside it, in the same browser.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from orchestrator.items.states import State
from orchestrator.ledger.records import Item
from orchestrator.reports.contact_sheet import contact_sheet
from tests.browser.conftest import FLAGS
from tests.browser.showing import WRITTEN_AT, batch, item, poster

_PROMPT = "Clip {n}: a paper boat crossing a rain-soaked neon street at night, slow dolly-in, reflections in the gutter"
_SHOWN = """async () => {
  const seen = () => [...document.querySelectorAll("img")].some((image) => image.complete && image.naturalWidth);
  while (!seen()) await new Promise(requestAnimationFrame);
  return performance.now();
}"""
_SEARCH = """async (words) => {
  const began = performance.now();
  const field = document.getElementById("text");
  field.value = words;
  field.dispatchEvent(new Event("input"));
  while (document.querySelectorAll("article").length !== 1) await new Promise(requestAnimationFrame);
  return performance.now() - began;
}"""


def one(n: int) -> Item:
    """An item like many; two failed, and stand first."""
    state = State.FAILED if n in (7, 57) else State.ARCHIVED
    labels = {"market": ("SE", "DE", "FR", "IT")[n % 4], "product": f"product {n % 40}"}
    return item(f"clip-{n:06d}x", _PROMPT.format(n=n), state, labels=labels, fields={"poster": f"{n % 50}.jpg"})


async def written(path: Path, count: int) -> float:
    """Write the page of so many items, a piece at a time; the seconds it took, reading the items left out."""
    summary = batch([one(n) for n in range(50)])
    spent = 0.0

    async def items() -> AsyncIterator[Item]:
        nonlocal spent
        for n in range(count):
            began = time.perf_counter()
            made = one(n)
            spent += time.perf_counter() - began
            yield made

    began = time.perf_counter()
    with path.open("w", encoding="utf-8") as file:
        async for piece in contact_sheet(summary, items(), now=WRITTEN_AT):
            file.write(piece)
    return time.perf_counter() - began - spent


async def opened(browser: Browser, path: Path, search: str = "") -> str:
    """Open a page: milliseconds until usable and until the first poster, and what it took."""
    page = await browser.new_page(viewport={"width": 1440, "height": 900})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(path.as_uri())
    usable = await page.evaluate("performance.getEntriesByType('navigation')[0].domComplete")
    poster_at = await page.evaluate(_SHOWN)
    elements = await page.evaluate("document.querySelectorAll('*').length")
    told = f"usable {usable:6.0f} ms   poster {poster_at:6.0f} ms   {elements:5d} elements   {len(asked):3d} requests"
    if search:
        told += f"   search {await page.evaluate(_SEARCH, search):5.0f} ms"
    await page.close()
    return told


async def main(counts: list[int]) -> None:
    """Print a line for each size."""
    chromium = shutil.which("chromium")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for n in range(50):
            (folder / f"{n}.jpg").write_bytes(poster(n))
        bare = folder / "bare.html"
        bare.write_text("<!doctype html><img src=0.jpg alt=''>")
        async with async_playwright() as driver:
            browser = await driver.chromium.launch(executable_path=chromium, args=FLAGS.split())
            print(f"bare page      {await opened(browser, bare)}")
            for count in counts:
                path = folder / f"{count}.html"
                took_s = await written(path, count)
                size = path.stat().st_size / 1e6
                print(f"{count:7,d} items  written in {took_s:6.2f} s   {size:5.1f} MB")
                print(f"               {await opened(browser, path, f'clip {count - 1}:')}")
            await browser.close()
    print(f"peak memory of the writer: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("items", nargs="*", type=int, default=[100, 5_000, 100_000])
    asyncio.run(main(parser.parse_args().items))
