"""Input images are found beside the manifest, looked at, and known by their bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from manifests import Item, ManifestError, load

IMAGES = {
    "boat.png": b"\x89PNG\r\n\x1a\n and so on",
    "boat.jpg": b"\xff\xd8\xff\xe0 and so on",
    "boat.webp": b"RIFF\x00\x00\x00\x00WEBPVP8 ",
}


def one_item(folder: Path, reference: str) -> Item:
    path = folder / "spring.jsonl"
    path.write_text(f'{{"prompt": "A boat", "input_reference": "{reference}"}}')
    (item,) = load(path, models=None).items()
    return item


@pytest.mark.parametrize("name", IMAGES)
def test_a_local_image_has_its_absolute_path_and_the_hash_of_its_bytes(tmp_path: Path, name: str) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / name).write_bytes(IMAGES[name])
    item = one_item(tmp_path, f"images/{name}")
    assert item.input_reference == str((tmp_path / "images" / name).resolve())
    assert item.image_sha256 == hashlib.sha256(IMAGES[name]).hexdigest()


def test_an_image_that_changed_changes_the_fingerprint(tmp_path: Path) -> None:
    image = tmp_path / "boat.png"
    image.write_bytes(IMAGES["boat.png"])
    before = one_item(tmp_path, "boat.png").fingerprint
    image.write_bytes(IMAGES["boat.png"] + b"!")
    assert one_item(tmp_path, "boat.png").fingerprint != before


def test_an_image_by_url_is_hashed_only_when_it_is_fetched(tmp_path: Path) -> None:
    item = one_item(tmp_path, "https://example.com/boat.png?size=1")
    assert (item.input_reference, item.image_sha256) == ("https://example.com/boat.png?size=1", None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"RIFF\x00\x00\x00\x00AVI LIST", "is not a jpeg, png or webp image"),
        (b"", "is not a jpeg, png or webp image"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20 << 20), "is 20.0 MiB, and the API takes at most 20 MiB"),
    ],
    ids=["another format", "empty", "too large"],
)
def test_a_file_that_the_api_would_refuse_is_refused_at_once(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "boat.png").write_bytes(content)
    with pytest.raises(ManifestError) as refused:
        one_item(tmp_path, "boat.png")
    assert [problem.message for problem in refused.value.problems] == [message]


def test_placeholders_choose_the_image_of_a_row(tmp_path: Path) -> None:
    (tmp_path / "mug.png").write_bytes(IMAGES["boat.png"])
    path = tmp_path / "spring.csv"
    path.write_text("prompt,product,input_reference\nA {product},mug,{product}.png\n")
    (item,) = load(path, models=None).items()
    assert item.input_reference == str((tmp_path / "mug.png").resolve())
