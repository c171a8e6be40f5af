"""The contact sheet shows what people and servers wrote as text: none of it is markup, a link or a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.contact_sheet import contact_sheet
from orchestrator.keys import Ref
from orchestrator.records import Attempt, Batch, Item, Spec
from orchestrator.states import State

HOSTILE = [
    "<script>alert(1)</script>",
    "</p></figcaption><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% for x in y %}",
    "<!-- --><![CDATA[<svg/onload=alert(1)>]]>",
    "&lt;script&gt; &#x3c;script&#x3e;",
    "</title><base href=//evil.example/>",
    "\u202egnp.exe\x00\x1b[31m",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
]


class Page(HTMLParser):
    """The elements of a page, each with its attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data}")

    @property
    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        """What the page is made of, but for the values."""
        return [(tag, tuple(name for name, _ in attrs)) for tag, attrs in self.elements]


def item(text: str, state: State = State.ARCHIVED, file: str | None = None) -> Item:
    spec = Spec("a", text, text, text, 4, "v1:x", {text: text})
    fields = {"file": text if file is None else file, "mismatch": text}
    made = Attempt.parse(1, {"deployment": text})
    return Item(Ref("b", text), state, 3, spec, 1, made, text, text, "east", fields)


async def rendered(text: str) -> str:
    batch = Batch.parse(text, {"state": "final", "total": "2", "n:archived": "1"})

    async def items() -> AsyncIterator[Item]:
        yield item(text)
        yield item(text, State.FAILED)

    return "".join([piece async for piece in contact_sheet(batch, items())])


def page_of(text: str) -> Page:
    return Page(asyncio.run(rendered(text)))


PLAIN = page_of("a paper boat")


def check(text: str) -> None:
    page = page_of(text)
    assert page.shape == PLAIN.shape
    for tag, attributes in page.elements:
        for name, value in attributes:
            assert not name.startswith("on")
            if name in ("src", "href"):
                assert tag == "video"
                assert ":" not in (value or "")
                assert not (value or "").startswith("//")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_change_nothing_of_what_the_page_is_made_of(text: str) -> None:
    check(text)
    assert "".join(page_of("a<b").texts).count("a<b") > 4  # and are shown as they were written


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(HOSTILE) | st.text("<>&\"'=/ :;!-[]\\ax", max_size=8), max_size=4))
def test_no_text_does(some: list[str]) -> None:
    check("x" + "".join(some))


def test_the_page_allows_no_script_whatever_stands_in_it() -> None:
    metas = [dict(attrs) for tag, attrs in PLAIN.elements if tag == "meta"]
    (policy,) = [each["content"] for each in metas if each.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert not {"script-src", "img-src", "connect-src", "frame-src", "object-src"} & set(rules)


@pytest.mark.parametrize("file", ["javascript:alert(1)", "//evil.example/x.mp4", "https://evil.example/x.mp4", '"><x>'])
def test_a_video_is_a_file_beside_the_page(file: str) -> None:
    """Its name comes from our own ledger; were it another's, it would still be only a name."""
    batch = Batch.parse("b", {"state": "final", "total": "1", "n:archived": "1"})

    async def page() -> str:
        async def items() -> AsyncIterator[Item]:
            yield item("x", file=file)

        return "".join([piece async for piece in contact_sheet(batch, items())])

    (source,) = [value for tag, attrs in Page(asyncio.run(page())).elements for name, value in attrs if name == "src"]
    assert source is not None
    assert ":" not in source
    assert not source.startswith("/")
