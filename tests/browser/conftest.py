from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

#: Of the browser itself: nothing but the page under test is to be fetched, and a root user has no sandbox.
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --autoplay-policy=no-user-gesture-required"
)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def chromium() -> AsyncIterator[Browser]:
    """One Chromium for all tests of this folder. Skips where there is none."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed: run sh scripts/install-chromium as root, or install it yourself")
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=path, args=FLAGS.split())
        yield browser
        await browser.close()


class Visit:
    """A page that is open, what it has asked for, and what it complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("dialog", lambda dialog: self.complaints.append(f"a dialog: {dialog.message}"))

    def asked_for(self, ending: str) -> list[str]:
        """Names of files with that ending that were asked for."""
        names = [url.partition("?")[0].partition("#")[0].rpartition("/")[2] for url in self.asked]
        return [name for name in names if name.endswith(ending)]


@pytest_asyncio.fixture(loop_scope="package")
async def visit(chromium: Browser) -> AsyncIterator[Callable[..., Any]]:
    """Open an address in a fresh profile: `await visit(url, width=390, touch=True, color_scheme="dark")`."""
    async with AsyncExitStack() as stack:

        async def opened(url: str, *, width: int = 1280, height: int = 800, touch: bool = False, **more: Any) -> Visit:
            size: Any = {"width": width, "height": height}
            context = await chromium.new_context(viewport=size, has_touch=touch, is_mobile=touch, **more)
            stack.push_async_callback(context.close)
            page = await context.new_page()
            page.set_default_timeout(60_000)
            found = Visit(page)
            await page.goto(url)
            return found

        yield opened
