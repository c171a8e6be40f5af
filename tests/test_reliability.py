"""docs/reliability.md speaks of every rule, and every test that it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.chaos.invariants import CHECKS

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)))
RULES = {
    int(number): re.findall(r"`[\w/]+\.py::\w+`", shown)
    for number, shown in re.findall(r"^\| (\d+) \|(.*)\|$", PAGE, re.MULTILINE)
}


@pytest.mark.parametrize("file", sorted({file for file, _ in NAMED}))
def test_every_test_that_is_named_exists(file: str) -> None:
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    there = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert not [name for named, name in NAMED if named == file and name not in there]


def test_every_rule_is_shown_by_a_test() -> None:
    assert sorted(RULES) == list(range(1, 31))
    assert not [number for number, tests in RULES.items() if not tests]


def test_the_checks_of_a_chaos_run_are_listed_in_their_order() -> None:
    table = PAGE.partition("<!-- invariants -->\n")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == [check.__name__ for check in CHECKS]
