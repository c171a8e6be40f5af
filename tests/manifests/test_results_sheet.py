"""A sheet of results that is opened in a spreadsheet program calculates nothing, and can be read back."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from manifests import load
from manifests.results_sheet import guarded, is_results, unguarded

RESULTS = ["key", "state", "reason", "billed", "cost_usd", "url", "sha256", "remote_id", "archived_at"]


@pytest.mark.parametrize(
    ("written", "in_the_sheet"),
    [
        ("=1+1", "'=1+1"),
        ("=cmd|'/C calc'!A0", "'=cmd|'/C calc'!A0"),
        ("@SUM(A1:A9)", "'@SUM(A1:A9)"),
        ("+HYPERLINK(1)", "'+HYPERLINK(1)"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("  =1+1", "'  =1+1"),
        ("\u00a0=1+1", "'\u00a0=1+1"),
        ("\t=1+1", "\t'=1+1"),
        ("\r=1+1", "\r'=1+1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("'=1+1", "''=1+1"),
        ("a boat;=1+1;b", "a boat;'=1+1;b"),
        ("a boat\n=1+1", "a boat\n'=1+1"),
        ("a boat\t@SUM(A1)", "a boat\t'@SUM(A1)"),
        ("- slow dolly-in", "'- slow dolly-in"),
        ("@brand on a mug", "'@brand on a mug"),
    ],
)
def test_what_would_be_a_formula_has_an_apostrophe_before_it(written: str, in_the_sheet: str) -> None:
    assert guarded(written) == in_the_sheet
    assert unguarded(in_the_sheet) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A paper boat = joy",
        "-5",
        "+3.5 %",
        "-1,000.50",
        "+46 70 123 45 67",
        "8-10",
        "a@b.example",
        "'quoted'",
        "'tis the season",
        "-",
        "warm; -5 outside",
        "rain;-5;+7",
        "2026-11-21T08:00:00Z",
        "https://a.example/?a=b",
    ],
)
def test_honest_values_stay_as_they_are(text: str) -> None:
    assert guarded(text) == text == unguarded(text)


_MEANT = (*"=+-@'; \t\r\n,15a", "\uff1d", "\uff0d", "\u00a0", "=1+1", ";=", "'=")
pieces = st.lists(st.sampled_from(_MEANT), max_size=12).map("".join)


@given(pieces | st.text())
@example("\n=1")
@example("''=;''=\t'@")
def test_every_text_is_read_back_as_it_was(text: str) -> None:
    assert unguarded(guarded(text)) == text


@given(pieces)
def test_no_cell_is_a_formula_wherever_a_program_splits(text: str) -> None:
    """However the cell is cut, no part begins as a formula does, but for plain numbers."""
    for cell in re.split(r"[;\t\r\n]", guarded(text)):
        number = not cell.strip("+-\uff0b\uff0d 0123456789.,%\u00a0")
        assert number or not cell.startswith(tuple("=+-@\uff1d\uff0b\uff0d\uff20")), cell


def test_a_sheet_of_results_is_loaded_as_it_was_ordered(tmp_path: Path) -> None:
    """Whoever sorts out the rows that failed and orders them again pays for these rows, and no others."""
    rows = [["=1+1", "+spin", "k1"], ["'=a quote", "-5", "k2"], ["a;=b", "plain", "k3"]]
    path = tmp_path / "again.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([guarded(name) for name in ("prompt", "=move", *RESULTS)])
        writer.writerows([guarded(p), guarded(move), key, *["x"] * (len(RESULTS) - 1)] for p, move, key in rows)
    items = list(load(path, models=None).items())
    assert [[item.prompt, item.labels["=move"], item.key] for item in items] == rows


def test_any_other_sheet_keeps_its_apostrophes(tmp_path: Path) -> None:
    path = tmp_path / "spring.csv"
    path.write_text("prompt,key,state\n'-50%' on a neon sign,k1,x\n")
    (item,) = load(path, models=None).items()
    assert item.prompt == "'-50%' on a neon sign"
    assert not is_results(["prompt", "key", "state"])
