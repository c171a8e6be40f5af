"""A sample is the same each time, spread over the manifest, and leaves out what needs another item."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests import ManifestError, load
from manifests.selecting.adjustments import Adjustments


def sampled(path: Path, size: int | None, where: tuple[tuple[str, str], ...] = ()) -> list[str]:
    manifest = load(path, adjustments=Adjustments(sample=size, where=where))
    keys = [item.key for item in manifest.items()]
    assert manifest.item_count == len(keys)
    return keys


@given(
    keys=st.lists(st.from_regex(r"[a-z]{1,6}", fullmatch=True), min_size=1, max_size=30, unique=True), data=st.data()
)
@settings(max_examples=60, deadline=None)
def test_a_larger_sample_has_all_of_a_smaller_one_in_the_manifests_order(keys: list[str], data: st.DataObject) -> None:
    keys = [f"k{key}" for key in keys]
    more = data.draw(st.integers(1, len(keys)))
    less = data.draw(st.integers(1, more))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        path.write_text("key,prompt\n" + "".join(f"{key},A boat\n" for key in keys))
        large, small = sampled(path, more), sampled(path, less)
        path.write_text("key,prompt\n" + "".join(f"{key},A boat\n" for key in reversed(keys)))
        turned = sampled(path, more)
    assert len(large) == more
    assert set(small) <= set(large) == set(turned)
    assert large == [key for key in keys if key in large] == turned[::-1]


def test_the_sample_of_this_manifest_stays_the_same_for_ever(tmp_path: Path) -> None:
    """A trial of yesterday is paid for: another sample today would be paid for as well."""
    path = tmp_path / "a.csv"
    path.write_text("key,prompt\n" + "".join(f"clip-{n},A boat\n" for n in range(1000)))
    keys = sampled(path, 8)
    assert keys == ["clip-54", "clip-65", "clip-147", "clip-227", "clip-302", "clip-511", "clip-594", "clip-632"]
    parts = {int(key.split("-")[1]) // 250 for key in keys}
    assert len(parts) >= 3


def test_kinds_images_and_count_are_those_of_the_sample(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "key,prompt,seconds,input_reference\n"
        + "".join(f"clip-{n},A boat,{4 + 4 * (n % 3)},https://example.com/{n}.png\n" for n in range(50))
    )
    manifest = load(path, adjustments=Adjustments(sample=3))
    found = list(manifest.items())
    assert manifest.item_count == len(found) == 3
    assert manifest.kinds == {(item.model, item.size, item.seconds) for item in found}
    assert manifest.images == {item.input_reference for item in found}


def test_remixes_of_other_items_are_left_out_and_those_of_remote_videos_are_not(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("key,prompt,remix_of\nstreet,A street,\nsunset,At sunset,street\nsea,At sea,video_123\n")
    assert sampled(path, 100) == ["street", "sea"]
    assert sampled(path, None) == ["street", "sunset", "sea"]


def test_a_sample_is_of_what_where_keeps_and_of_single_takes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("key,prompt,ready,variants\nhero,A boat,yes,3\nrest,A kite,no,3\n")
    keys = sampled(path, 2, where=(("ready", "yes"),))
    assert len(keys) == 2
    assert set(keys) < {"hero", "hero-2", "hero-3"}


def test_nothing_but_remixes_makes_no_sample(tmp_path: Path) -> None:
    rows = tmp_path / "a.csv"
    rows.write_text("key,prompt,remix_of,ready\nstreet,A street,,yes\nsunset,At sunset,street,no\n")
    with pytest.raises(ManifestError, match="which --where leaves out"):
        sampled(rows, 1, where=(("ready", "no"),))
