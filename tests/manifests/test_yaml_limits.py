"""No YAML document costs more memory or time than its size is worth: each way to grow has an end, told in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from manifests import ManifestError, Problem, load
from manifests.readers import yaml_events


def refused(folder: Path, text: str) -> list[Problem]:
    path = folder / "spring.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ManifestError) as error:
        load(path, models=None)
    return error.value.problems


@pytest.mark.parametrize(
    ("start", "end", "place"),
    [
        ("items:\n- prompt: ", "\n", (2, 9)),
        ('items:\n- prompt: "', '"\n', (2, 9)),
        ("items:\n- prompt: A boat\n#", "\n", (2, 17)),
        ("name: ", "\nitems: [{prompt: A boat}]\n", (1, 5)),
    ],
    ids=["plain", "quoted", "comment", "above the items"],
)
def test_a_text_without_end_is_not_read_to_its_end(
    tmp_path: Path, start: str, end: str, place: tuple[int, int]
) -> None:
    (problem,) = refused(tmp_path, start + "a" * (5 << 20) + end)
    assert (problem.line, problem.column) == place
    assert problem.message == "no text or comment may be longer than 4 MiB, and one that begins here is"


def test_texts_that_are_long_together_are_no_text_without_end(tmp_path: Path) -> None:
    path = tmp_path / "spring.yaml"
    path.write_text("items:\n" + "".join(f"- prompt: {n} {'a' * 30_000}\n" for n in range(200)))
    assert load(path, models=None).item_count == 200


@pytest.mark.parametrize("start", ["items: ", "items:\n- prompt: ", "defaults: ", "items:\n- &a "])
def test_nesting_is_left_as_soon_as_it_is_too_deep(tmp_path: Path, start: str) -> None:
    """Read on, a hundred thousand brackets would take a quarter of a minute."""
    (problem,) = refused(tmp_path, start + "[" * 100_000)
    assert problem.message == "values are nested too deeply"


def test_a_large_value_that_many_rows_repeat_is_refused(tmp_path: Path) -> None:
    """Twenty thousand rows of a thousand labels each, in a file of a tenth of a megabyte."""
    labels = ", ".join(f"k{n}: v" for n in range(1_000))
    rows = "".join(f"- {{<<: *a, key: k{n}}}\n" for n in range(20_000))
    (problem,) = refused(tmp_path, f"items:\n- &a {{prompt: A boat, labels: {{{labels}}}}}\n{rows}")
    assert problem.message == "*a and what stands above it repeat values more than 1,000,000 times"


def test_common_labels_may_be_repeated_by_every_row(tmp_path: Path) -> None:
    path = tmp_path / "spring.yaml"
    first = "- {prompt: A kite, labels: &common {a: b, c: d, e: f}}\n"
    rows = "".join(f"- {{prompt: Boat {n}, labels: *common}}\n" for n in range(3_000))
    path.write_text(f"items:\n{first}{rows}")
    assert load(path, models=None).item_count == 3_001


@pytest.mark.parametrize(
    "text",
    [
        "items: &all\n" + "- {prompt: A boat}\n" * 60,
        "items:\n" + "".join(f"- &a{n} {{prompt: Boat {n}}}\n" for n in range(60)),
    ],
    ids=["one large value", "many small ones"],
)
def test_what_is_kept_to_be_repeated_has_an_end(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_events, "_MOST_KEPT", 100)
    messages = [problem.message for problem in refused(tmp_path, text)]
    assert "more than 100 values are named by & to be repeated" in messages
