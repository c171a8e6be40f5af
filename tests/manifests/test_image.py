"""Input images are found beside the manifest, looked into, of the ordered size, and known by their bytes."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from manifests import Item, ManifestError, load

FORMATS = {"boat.png": "PNG", "boat.jpg": "JPEG", "boat.webp": "WEBP"}
RESAVE = "open it in an image program and save it anew"


def picture(kind: str = "PNG", size: tuple[int, int] = (720, 1280), orientation: int | None = None) -> bytes:
    """A small image whose pixels fill its file: one cut anywhere lacks some of them."""
    image = Image.effect_noise((size[0] // 8, size[1] // 8), 60).resize(size)
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    saved = io.BytesIO()
    image.save(saved, kind, exif=exif)
    return saved.getvalue()


def one_item(folder: Path, reference: str, more: str = "") -> Item:
    path = folder / "spring.jsonl"
    path.write_text(f'{{"prompt": "A boat", "input_reference": "{reference}"{more}}}')
    (item,) = load(path, models=None).items()
    return item


def refused(folder: Path, content: bytes, more: str = "") -> tuple[str, str]:
    (folder / "boat.png").write_bytes(content)
    with pytest.raises(ManifestError) as error:
        one_item(folder, "boat.png", more)
    (problem,) = error.value.problems
    assert (problem.path, problem.value) == ("input_reference", "boat.png")
    return problem.message, problem.hint


@pytest.mark.parametrize("name", FORMATS)
def test_a_local_image_has_its_absolute_path_and_the_hash_of_its_bytes(tmp_path: Path, name: str) -> None:
    (tmp_path / "images").mkdir()
    content = picture(FORMATS[name])
    (tmp_path / "images" / name).write_bytes(content)
    item = one_item(tmp_path, f"images/{name}")
    assert item.input_reference == str((tmp_path / "images" / name).resolve())
    assert item.image_sha256 == hashlib.sha256(content).hexdigest()


def test_an_image_that_changed_changes_the_fingerprint(tmp_path: Path) -> None:
    image = tmp_path / "boat.png"
    image.write_bytes(picture())
    before = one_item(tmp_path, "boat.png").fingerprint
    image.write_bytes(picture("JPEG"))
    assert one_item(tmp_path, "boat.png").fingerprint != before


def test_an_image_by_url_is_hashed_only_when_it_is_fetched(tmp_path: Path) -> None:
    item = one_item(tmp_path, "https://example.com/boat.png?size=1")
    assert (item.input_reference, item.image_sha256) == ("https://example.com/boat.png?size=1", None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"RIFF\x00\x00\x00\x00AVI LIST", "is not a jpeg, png or webp image"),
        (b"\x00\x00\x00\x24ftypheic", "is a HEIC file, and the API takes jpeg, png and webp"),
        (b"GIF89a", "is a GIF file, and the API takes jpeg, png and webp"),
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20 << 20), "is 20.0 MiB, and the API takes at most 20 MiB"),
        (b"\x89PNG\r\n\x1a\n and so on", "is damaged: the image in it cannot be read"),
        (b"\xff\xd8\xff\xe0\x00\x02", "is damaged: the image in it cannot be read"),
        (b"RIFF\x20\x00\x00\x00WEBPVP8 ", "is damaged: the image in it cannot be read"),
    ],
    ids=["another format", "heic", "gif", "empty", "too large", "no png", "no jpeg", "no webp"],
)
def test_a_file_that_the_api_would_refuse_is_refused_at_once(tmp_path: Path, content: bytes, message: str) -> None:
    assert refused(tmp_path, content)[0] == message


@pytest.mark.parametrize("kind", FORMATS.values())
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_an_image_of_which_the_end_is_missing_is_found(tmp_path: Path, kind: str, share: float) -> None:
    whole = picture(kind)
    message, hint = refused(tmp_path, whole[: int(len(whole) * share)])
    assert message in ("the end of the image is missing", "is damaged: the image in it cannot be read")
    assert hint.startswith(RESAVE)


def test_an_image_with_one_wrong_byte_in_its_pixels_is_found(tmp_path: Path) -> None:
    content = bytearray(picture())
    content[len(content) // 2] ^= 1
    assert refused(tmp_path, bytes(content))[0] == "is damaged: the image in it cannot be read"


@pytest.mark.parametrize(
    ("size", "order", "message", "hint"),
    [
        ((1280, 720), "", "the image is 1280x720, and the video is to be 720x1280",
         "resize or crop it to 720x1280, or order size: 1280x720"),
        ((1920, 1080), "", "the image is 1920x1080, and the video is to be 720x1280",
         "resize or crop it to 720x1280; or to 1280x720, which is nearer to its shape, and order size: 1280x720"),
        ((360, 640), "", "the image is 360x640, and the video is to be 720x1280", "resize it to 720x1280"),
        ((700, 1280), "", "the image is 700x1280, and the video is to be 720x1280", "resize or crop it to 720x1280"),
        ((1024, 1024), ', "model": "sora", "size": "480x480"', "the image is 1024x1024, and the video is to be 480x480",
         "resize it to 480x480"),
        ((1024, 576), ', "model": "sora", "size": "480x480"', "the image is 1024x576, and the video is to be 480x480",
         "resize or crop it to 480x480; or to 854x480, which is nearer to its shape, and order size: 854x480"),
        ((640, 352), ', "model": "wan-2", "size": "832 × 480 px"',
         "the image is 640x352, and the video is to be 832x480",
         "resize or crop it to 832x480, or order size: 640x352"),
    ],
)  # fmt: skip
def test_an_image_of_another_size_is_refused_with_the_nearest_order(
    tmp_path: Path, size: tuple[int, int], order: str, message: str, hint: str
) -> None:
    assert refused(tmp_path, picture(size=size), order) == (message, hint)


def test_an_image_that_fits_what_is_ordered_of_an_unknown_model_is_taken(tmp_path: Path) -> None:
    (tmp_path / "boat.png").write_bytes(picture(size=(832, 480)))
    assert one_item(tmp_path, "boat.png", ', "model": "wan-2", "size": "832x480"').size == "832x480"


@pytest.mark.parametrize("order", [', "size": "tall"', ', "size": "1000x1000"', ', "size": 7'])
def test_where_the_size_itself_is_wrong_the_image_is_not_blamed_too(tmp_path: Path, order: str) -> None:
    (tmp_path / "boat.png").write_bytes(picture(size=(64, 64)))
    with pytest.raises(ManifestError) as error:
        one_item(tmp_path, "boat.png", order)
    assert [problem.path for problem in error.value.problems] == ["size"]


@pytest.mark.parametrize("kind", FORMATS.values())
@pytest.mark.parametrize(
    ("stored", "hint"),
    [
        ((1280, 720), f"{RESAVE}, turned as it shall be"),
        ((720, 1280), f"{RESAVE}, turned as it shall be; it is 1280x720 then: resize or crop it to 720x1280"),
    ],
)
def test_an_image_that_is_only_marked_as_turned_is_to_be_saved_turned(
    tmp_path: Path, kind: str, stored: tuple[int, int], hint: str
) -> None:
    """As phones save them: nobody knows whether the API reads the mark, so either way might be paid for in vain."""
    message, mend = refused(tmp_path, picture(kind, stored, orientation=6))
    size = f"{stored[0]}x{stored[1]}"
    assert message == (
        f"the image is stored as {size} with a note that programs shall show it turned or mirrored, "
        "and the API may not read the note"
    )
    assert mend == hint


@pytest.mark.parametrize("orientation", [0, 1, 9, 65535])
def test_a_mark_that_turns_nothing_is_no_obstacle(tmp_path: Path, orientation: int) -> None:
    (tmp_path / "boat.jpg").write_bytes(picture("JPEG", orientation=orientation))
    assert one_item(tmp_path, "boat.jpg")


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


@pytest.mark.parametrize(
    ("width", "message"),
    [
        (8_000, "the image is 8000x8000, and the video is to be 720x1280"),
        (12_000, "the image is 12000x12000, and the video is to be 720x1280"),
        (60_000, "has far more pixels than any video"),
    ],
)
def test_a_small_file_of_very_many_pixels_is_refused_by_its_header(
    tmp_path: Path, width: int, message: str, recwarn: pytest.WarningsRecorder
) -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, width, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1 << 20))) + chunk(b"IEND", b"")
    assert refused(tmp_path, bomb)[0] == message
    assert not recwarn


def test_no_more_pixels_are_decoded_than_a_video_may_have(tmp_path: Path) -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8_000, 8_000, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1 << 20))) + chunk(b"IEND", b"")
    message, _ = refused(tmp_path, bomb, ', "model": "wan-2", "size": "8000x8000"')
    assert message == "the image is 8000x8000, and one of more than 16,000,000 pixels is not looked into"


def test_an_image_that_many_rows_use_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "boat.png").write_bytes(picture()[:-20])
    opened: list[object] = []
    really_open = Image.open

    def counted(*given: object, **named: object) -> Image.Image:
        opened.append(given)
        return really_open(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Image, "open", counted)
    path = tmp_path / "spring.csv"
    path.write_text("prompt,input_reference\n" + "".join(f"Boat {n},boat.png\n" for n in range(50)))
    with pytest.raises(ManifestError) as error:
        load(path, models=None)
    assert error.value.problem_count == 50
    assert len(opened) <= 2


def test_placeholders_choose_the_image_of_a_row(tmp_path: Path) -> None:
    (tmp_path / "mug.png").write_bytes(picture())
    path = tmp_path / "spring.csv"
    path.write_text("prompt,product,input_reference\nA {product},mug,{product}.png\n")
    (item,) = load(path, models=None).items()
    assert item.input_reference == str((tmp_path / "mug.png").resolve())
