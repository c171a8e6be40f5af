"""The contact sheet: one page on which a night's videos are watched.

The page carries all that it needs (styles, script, and the items as one JSON document) and loads nothing but videos and
posters that stand beside it. Its policy allows exactly its own script and style, by their hashes.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, Template
from markupsafe import Markup

from orchestrator.ledger.records import Batch, Item
from orchestrator.reports.document_names import document_name
from orchestrator.reports.sheet_data import sheet_data

#: The script's parts, in their order; they share one scope.
SCRIPTS = ("reading", "words", "elements", "filters", "layout", "card", "viewer", "slate", "theme", "sheet")


async def contact_sheet(
    batch: Batch,
    items: AsyncIterator[Item],
    *,
    now: float,
    documents: Mapping[str, str] | None = None,
    kept: bool = False,
) -> AsyncIterator[str]:
    """The page in pieces, as HTML, written while the items are read. `now`: Unix seconds.

    Videos and posters are linked by their names, relative to the page. `documents`: as what files the results
    stand beside it, where that is not what the ledger says; `kept`: this page is never rewritten, and says so.
    """
    style, script = _style(), _script()
    table, rows = (document_name(batch, each, documents) for each in ("results.csv", "results.jsonl"))
    data = (Markup(piece) async for piece in sheet_data(batch, items, now=now))  # noqa: S704 - escaped there
    pieces = _template().generate_async(
        name=batch.name,
        policy=policy(),
        style=Markup(style),  # noqa: S704 - our own
        script=Markup(script),  # noqa: S704 - our own
        data=data,
        table=table,
        rows=rows,
        kept=kept,
    )
    async for piece in pieces:
        yield piece


@cache
def policy() -> str:
    """The page's Content-Security-Policy: its own style and script, videos and pictures beside it, and nothing else.

    `file:` is for a page that is opened from a disk, where browsers differ in what 'self' is.
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_digest(_script())}'",
            f"style-src '{_digest(_style())}'",
            "img-src 'self' file:",
            "media-src 'self' file:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        )
    )


@cache
def _template() -> Template:
    # Asynchronous, so that the page is written while the items are read, a page of them at a time.
    environment = Environment(
        loader=PackageLoader("orchestrator.reports", "templates/contact_sheet"),
        autoescape=True,
        enable_async=True,
        trim_blocks=True,
    )
    return environment.get_template("page.html")


@cache
def _style() -> str:
    return _part("style.css")


@cache
def _script() -> str:
    return '(() => {\n"use strict";\n' + "\n".join(_part(f"{name}.js") for name in SCRIPTS) + "})();\n"


def _part(name: str) -> str:
    return (files("orchestrator.reports") / "templates" / "contact_sheet" / name).read_text("utf-8")


def _digest(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
