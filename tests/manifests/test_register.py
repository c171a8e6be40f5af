"""Keys are remembered in eight bytes each, and a key that stands twice is still named with both its places."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests import ManifestError, load
from manifests.checking.register import Register
from manifests.draft import Draft
from manifests.key_hashes import KeyHashes
from manifests.problem import Problems, Spot
from manifests.readers.row import Row


class NoPlaces:
    file = "a.csv"

    def spot(self, line: int, *names: str) -> Spot:
        return Spot(self.file, line, None, names[-1] if names else "")

    def knows(self, name: str) -> bool:
        return name == "key"


def draft(line: int) -> Draft:
    return Draft(Row(line, NoPlaces()), None, None, {}, {}, {}, frozenset(), 1)


@given(st.lists(st.text(max_size=2)))
def test_hashes_that_came_more_than_once_are_found(keys: list[str]) -> None:
    hashes = KeyHashes()
    for key in keys:
        hashes.add(key)
    assert hashes.repeated() == {hash(key) for key in keys if keys.count(key) > 1}
    assert hashes.count == len(keys)


def test_keys_are_kept_in_little_memory() -> None:
    hashes = KeyHashes()
    tracemalloc.start()
    for number in range(100_000):
        hashes.add(f"clip-{number}")
    assert hashes.repeated() == frozenset()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_200_000


def test_two_keys_with_one_hash_are_no_problem() -> None:
    """The keys themselves decide, when all items are seen again."""
    problems = Problems()
    register = Register(problems)
    register.note("hero", None, draft(2))
    register.note("hero", None, draft(3))  # stands for another key with the same hash
    assert register.must_look_again()
    register.note_again("hero", None, draft(2))
    register.note_again("kite", None, draft(3))
    register.finish()
    assert problems.count == 0


def test_items_are_seen_once_where_no_key_is_suspect() -> None:
    register = Register(Problems())
    register.note("hero", None, draft(2))
    register.note("kite", None, draft(3))
    assert not register.must_look_again()


def test_each_further_row_with_a_key_names_the_first(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f"k{number},Boat" for number in range(300)]
    rows[250], rows[299] = "K7,Boat", "k7,Boat"
    path.write_text("\n".join(["key,prompt", *rows]))
    with pytest.raises(ManifestError) as refused:
        load(path)
    assert [(problem.line, problem.message) for problem in refused.value.problems] == [
        (252, "the key K7 is taken by the item on line 9, written k7"),
        (301, "the key k7 is taken by the item on line 9"),
    ]


def test_a_key_of_the_file_of_rows_may_be_taken_by_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("key,prompt\nkite,A kite\nHero,A boat\n")
    (tmp_path / "a.yaml").write_text("items_from: rows.csv\nitems:\n- {key: hero, prompt: A boat}\n")
    with pytest.raises(ManifestError) as refused:
        load(tmp_path / "a.yaml")
    (problem,) = refused.value.problems
    assert (problem.file, problem.line) == (str(tmp_path / "rows.csv"), 3)
    assert problem.message == f"the key Hero is taken by the item on {tmp_path / 'a.yaml'}, line 3, written hero"
