"""The contact sheet shows what people and servers wrote as text: none of it is markup, a link or a script."""

from __future__ import annotations

import asyncio
import hashlib
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.items.states import State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Attempt, Batch, Item, Spec
from orchestrator.reports.contact_sheet import contact_sheet
from orchestrator.reports.sheet_data import LEAST_TEXT, MOST_TEXT, sheet_data

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "</SCRIPT ><svg/onload=alert(1)>",
    "<!--<script>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% for x in y %}",
    "<!-- --><![CDATA[<svg/onload=alert(1)>]]>",
    "&lt;script&gt; &#x3c;script&#x3e;",
    "</title><base href=//evil.example/>",
    "\u202egnp.exe\x00\x1b[31m",
    "\u2028\u2029\\",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
]


class Page(HTMLParser):
    """The elements of a page, each with its attributes, and what stands in its data and its script."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.texts: dict[str, str] = {}
        self._in = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(attrs)))
        self._in = "data" if ("id", "data") in attrs else tag

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        self.texts[self._in] = self.texts.get(self._in, "") + data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data}")

    @property
    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        """What the page is made of, but for the values."""
        return [(tag, tuple(name for name, _ in attrs)) for tag, attrs in self.elements]

    @property
    def data(self) -> dict[str, Any]:
        return dict(json.loads(self.texts["data"]))


def item(text: str, state: State = State.ARCHIVED, file: str | None = None) -> Item:
    spec = Spec("a", text, text, text, 4, "v1:x", {text: text})
    fields = {"file": text if file is None else file, "mismatch": text, "poster": text}
    made = Attempt.parse(1, {"deployment": text})
    return Item(Ref("b", text), state, 3, spec, 1, made, text, text, "east", fields)


async def rendered(items: list[Item], name: str = "b", **more: str) -> str:
    batch = Batch.parse(name, {"state": "final", "total": str(len(items)), "n:archived": "1", **more})

    async def each() -> AsyncIterator[Item]:
        for one in items:
            yield one

    return "".join([piece async for piece in contact_sheet(batch, each(), now=1_790_000_000.0)])


def page_of(text: str) -> Page:
    return Page(asyncio.run(rendered([item(text), item(text, State.FAILED)], text)))


PLAIN = page_of("a paper boat")


def check(text: str) -> Page:
    page = page_of(text)
    assert page.shape == PLAIN.shape
    assert page.texts["script"] == PLAIN.texts["script"]
    assert page.data["items"][0]["p"] == text
    return page


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_change_nothing_of_what_the_page_is_made_of(text: str) -> None:
    """And arrive as they were written."""
    check(text)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(HOSTILE) | st.text("<>&\"'=/ :;!-[]\\ax", max_size=8), max_size=4))
def test_no_text_does(some: list[str]) -> None:
    check("x" + "".join(some))


def test_the_page_allows_its_own_script_and_style_and_loads_only_what_stands_beside_it() -> None:
    metas = [dict(attrs) for tag, attrs in PLAIN.elements if tag == "meta"]
    (policy,) = [each["content"] for each in metas if each.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for rule, element in (("script-src", "script"), ("style-src", "style")):
        digest = b64encode(hashlib.sha256(PLAIN.texts[element].encode()).digest()).decode()
        assert rules.pop(rule) == f"'sha256-{digest}'"
    assert rules.pop("img-src") == rules.pop("media-src") == "'self' file:"
    assert rules == {
        "default-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
    }


def test_the_page_names_no_other_place() -> None:
    links = [value for _, attrs in PLAIN.elements for name, value in attrs if name in ("src", "href")]
    assert set(links) == {"#takes", "./results.csv", "./results.jsonl"}
    assert "http" not in PLAIN.texts["style"]
    assert PLAIN.texts["script"].count("http") == PLAIN.texts["script"].count("http://www.w3.org/2000/svg")


def test_a_running_batch_says_so_and_when_its_page_was_written() -> None:
    told = Page(asyncio.run(rendered([item("a")], state="running", started_at="1789999000000"))).data
    assert (told["running"], told["written"], told["elapsed_s"]) == (True, "2026-09-21T14:13:20Z", 1000)
    assert PLAIN.data["running"] is False


async def _data(prompt: str, total: int, **labels: str) -> dict[str, Any]:
    spec = Spec("a", prompt, "sora-2", "1280x720", 4, "v1:x", labels)
    one = Item(Ref("b", "a"), State.WAITING, 1, spec, 0, None, None, None, None, {})

    async def each() -> AsyncIterator[Item]:
        yield one

    batch = Batch.parse("b", {"state": "running", "total": str(total)})
    return dict(json.loads("".join([piece async for piece in sheet_data(batch, each(), now=0.0)])))


@pytest.mark.parametrize(("total", "most"), [(1, MOST_TEXT), (5_000, 4_000), (100_000, LEAST_TEXT)])
async def test_the_larger_the_batch_the_shorter_its_longest_texts(total: int, most: int) -> None:
    """So that the page of 100,000 items is one that a browser opens; what is shortened says so."""
    (row,) = (await _data("x" * 40_000, total))["items"]
    assert (len(row["p"]), row["p"][-1], row["z"]) == (most, "…", 1)
    (row,) = (await _data("a paper boat", total, market="SE"))["items"]
    assert row == {"k": "a", "p": "a paper boat", "s": 0, "o": 0, "l": [0, 1]}


async def test_labels_without_end_leave_room_for_the_prompt() -> None:
    data = await _data("x" * 1000, 100_000, **{f"column {n}": "y" * 90 for n in range(50)})
    (row,) = data["items"]
    assert len(row["p"]) >= LEAST_TEXT // 2
    assert len(data["labels"]) == 2


async def test_many_items_make_one_document() -> None:
    """However they are written in pieces."""
    page = Page(await rendered([item(f"k{n}") for n in range(401)]))
    assert [row["k"] for row in page.data["items"]] == [f"k{n}" for n in range(401)]
    assert page.data["counts"] == {"archived": 401}
