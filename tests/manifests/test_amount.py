"""Sizes, seconds and counts are understood as people write them, and ordered as the model can make them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests import KNOWN, ManifestError, load, rule_for
from manifests.vocabulary.amount import seconds_of, size_of, whole_of


@pytest.mark.parametrize(
    "written",
    ["720x1280", "720×1280", "720 x 1280", "720X1280", " 720\xa0×\xa01280 px", "720px x 1280px", "720 by 1280"],
)
def test_a_size_is_understood_however_it_is_written(written: str) -> None:
    assert size_of(written, KNOWN["sora-2"]) == "720x1280"


@pytest.mark.parametrize(
    ("written", "model", "size"),
    [
        ("16:9", "sora-2", "1280x720"),
        ("9:16", "sora-2", "720x1280"),
        ("9 : 16", "sora-2", "720x1280"),
        ("Portrait", "sora-2", "720x1280"),
        ("landscape", "sora-2", "1280x720"),
        ("square", "sora-2", None),
        ("1:1", "sora-2", None),
        ("4:3", "sora-2", None),
        ("16:9", "sora-2-pro", "1280x720"),
        ("7:4", "sora-2-pro", "1792x1024"),
        ("16:9", "sora", "854x480"),
        ("1:1", "sora", "480x480"),
        ("vertical", "sora", "480x854"),
        ("16:9", "model-of-tomorrow", None),
    ],
)
def test_a_shape_is_the_smallest_size_of_it_that_the_model_can_make(written: str, model: str, size: str | None) -> None:
    assert size_of(written, rule_for(model)) == size


@pytest.mark.parametrize("written", ["16:09", "16:09:00"])
def test_a_shape_that_a_spreadsheet_took_for_a_time_is_a_shape(written: str) -> None:
    assert size_of(written, KNOWN["sora-2"]) == "1280x720"


@pytest.mark.parametrize("written", ["8", "8s", "8.0", "8,0", "8 sec", "8 sec.", "8 Seconds", "8\xa0s", "\u200b8"])
def test_seconds_are_understood_however_they_are_written(written: str) -> None:
    assert seconds_of(written) == 8


@pytest.mark.parametrize("written", ["", "8.5", "0", "-8", "8m", "8.000", "8,000", "eight", "8 8", "٨"])
def test_what_may_mean_something_else_is_no_length(written: str) -> None:
    assert seconds_of(written) is None


@pytest.mark.parametrize(
    ("written", "number"), [("3", 3), ("+3", 3), ("−3", -3), ("3.0", 3), ("1.000", None), ("", None)]
)
def test_counts_are_whole_numbers(written: str, number: int | None) -> None:
    assert whole_of(written) == number


@given(st.text(), st.sampled_from([*KNOWN.values(), rule_for("another")]))
def test_any_text_is_understood_or_not(written: str, rule: object) -> None:
    assert isinstance(rule, type(KNOWN["sora-2"]))
    size = size_of(written, rule)
    assert size is None or size_of(size, rule) == size
    seconds_of(written)
    whole_of(written)


def test_a_video_is_the_same_however_its_size_and_length_are_written(tmp_path: Path) -> None:
    """Else a tidied column would order and pay for everything again."""
    path = tmp_path / "a.csv"
    path.write_text("prompt,size,seconds\nA boat,1280x720,8\n")
    (before,) = load(path).items()
    for size in ("1280×720", "1280 x 720", "16:9", "landscape"):
        path.write_text(f"prompt,size,seconds\nA boat,{size},8 s\n", encoding="utf-8")
        (after,) = load(path).items()
        assert (after.key, after.fingerprint) == (before.key, before.fingerprint)


def test_a_shape_asks_for_what_the_deployments_can_make(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("prompt,size\nA boat,square\n")
    (item,) = load(path, models={"sora-2": KNOWN["sora"]}).items()
    assert item.size == "480x480"
    with pytest.raises(ManifestError) as refused:
        load(path, models=KNOWN)
    (problem,) = refused.value.problems
    assert (problem.message, problem.hint) == ("sora-2 cannot make square", "it can make 720x1280, 1280x720")
