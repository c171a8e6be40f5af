"""Manifests in `broken/` have the very problems of their `.problems`, those in `good/` the items of their `.items`.

Some are read with the options of their `.options`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from manifests import Manifest, ManifestError, load
from tests.manifests.telling import listed, options_of, told

HERE = Path(__file__).parent
BROKEN = sorted((HERE / "broken").glob("*.problems"))
GOOD = sorted((HERE / "good").glob("*.items"))


def read(path: Path) -> Manifest:
    return load(path, models=None, adjustments=options_of(path))


@pytest.mark.parametrize("expected", BROKEN, ids=lambda path: path.stem)
def test_a_broken_manifest_is_refused_with_every_problem_in_its_place(expected: Path) -> None:
    with pytest.raises(ManifestError) as refused:
        read(expected.with_suffix(""))
    problems = refused.value.problems
    assert "".join(told(problem, expected.parent) for problem in problems) == expected.read_text(encoding="utf-8")
    assert refused.value.problem_count == len(problems)


@pytest.mark.parametrize("expected", GOOD, ids=lambda path: path.stem)
def test_a_good_manifest_becomes_these_items_each_time_it_is_read(expected: Path) -> None:
    manifest = read(expected.with_suffix(""))
    once, again = list(manifest.items()), list(manifest.items())
    assert "".join(map(listed, once)) == expected.read_text(encoding="utf-8")
    assert once == again
    assert manifest.item_count == len(once)


@pytest.mark.parametrize("folder", ["broken", "good"])
def test_no_manifest_of_the_corpus_is_left_untried(folder: str) -> None:
    tried = {path.stem for path in [*BROKEN, *GOOD]}
    lying = {path.name for path in (HERE / folder).iterdir() if path.suffix not in (".problems", ".items", ".options")}
    assert {name for name in lying - tried if "_rows." not in name} == set()


@pytest.mark.parametrize("expected", BROKEN, ids=lambda path: path.stem)
def test_every_problem_says_what_to_do(expected: Path) -> None:
    with pytest.raises(ManifestError) as refused:
        read(expected.with_suffix(""))
    assert all(problem.message and problem.hint for problem in refused.value.problems)
