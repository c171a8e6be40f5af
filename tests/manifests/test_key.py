"""Keys and batch names are safe names of files, and stay the same as long as the video does."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests import load
from manifests.key import canonical, default_key, is_batch_name, name_from_file, safe


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("hero", "hero"),
        ("Hero_1.2-b", "Hero_1.2-b"),
        ("a--b", "a--b"),
        ("Åre 42/blå", "Are-42-bla"),
        ("Åre - blå", "Are-bla"),
        ("hero~2", "hero-2"),
        (".hidden", "hidden"),
        ("-option", "option"),
        ("../../etc/passwd", "etc-passwd"),
        ("ends.", "ends"),
        ("日本", "RiBen"),
        ("…", ""),
    ],
)
def test_a_written_key_becomes_a_safe_name(written: str, key: str) -> None:
    assert safe(written) == key


@given(st.text())
def test_any_text_becomes_a_safe_name_that_then_stays(written: str) -> None:
    key = safe(written)
    assert re.fullmatch(r"[A-Za-z0-9._-]*", key)
    assert not key.startswith((".", "-"))
    assert safe(key) == key


def test_a_row_without_a_key_has_this_key_for_ever() -> None:
    """If this fails, do not change the value: rows without keys would be rendered and paid for again."""
    assert default_key("A paper boat crossing a street", canonical({})) == "paper-boat-weawbyh5t4et"
    size = canonical({"size": "1280x720"})
    assert default_key("A paper boat crossing a street", size) == "paper-boat-57818mdjpypx"


@given(st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_the_hash_of_a_key_is_of_the_plain_json_of_its_row(prompt: str, content: dict[str, str]) -> None:
    """However it is made, it stays: five bits are a digit."""
    plain = json.dumps([prompt, sorted(content.items())], separators=(",", ":")).encode()
    number = int.from_bytes(hashlib.sha256(plain).digest()[:8], "big")
    digits = "".join("0123456789abcdefghjkmnpqrstvwxyz"[number >> (5 * place) & 31] for place in range(12))
    assert default_key(prompt, canonical(content)).rsplit("-", 1)[1] == digits


def test_mending_a_label_a_priority_or_a_default_leaves_the_key(tmp_path: Path) -> None:
    """The row is known again, so nothing is rendered anew for a mended label."""
    path = tmp_path / "spring.yaml"
    path.write_text("items: [{prompt: A boat, labels: {market: SE}, priority: 1}]")
    (before,) = load(path).items()
    path.write_text("defaults: {seconds: 8}\nitems: [{prompt: A boat, labels: {market: Sweden}, priority: 2}]")
    (after,) = load(path).items()
    assert after.key == before.key


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("spring", "spring"),
        ("Spring plan - Sheet1 (1)", "Spring-plan-Sheet1"),
        ("Spring plan – Sheet1 (2)", "Spring-plan-Sheet1"),
        ("Spring plan.xlsx - Sheet1", "Spring-plan-Sheet1"),
        ("Spring\xa0plan - Sheet1 (1) (2)", "Spring-plan-Sheet1"),
        ("Spring plan - Sheet1.utf8", "Spring-plan-Sheet1"),
        ("Copy of Spring", "Spring"),
        ("Copy (2) of Copy of Spring", "Spring"),
        ("Kopie von Spring", "Spring"),
        ("Spring - Copy", "Spring"),
        ("Spring - Copy (2)", "Spring"),
        ("Spring (1) - Copy", "Spring"),
        ("Ad copy", "Ad-copy"),
        ("Spring (copy)", "Spring"),
        ("Spring.csv", "Spring"),
        ("Spring.xlsx.CSV", "Spring"),
        ("Spring.UTF-8", "Spring"),
        ("Spring (2026)", "Spring-2026"),
        ("Spring 2", "Spring-2"),
        ("v1.2", "v1.2"),
        ("Copywriting", "Copywriting"),
        ("Copy", "Copy"),
        ("Va\u030ar", "Var"),
        ("Vår/2026", "Var-2026"),
        ("???", "batch"),
        ("x" * 200, "x" * 100),
        ("x" * 99 + " - Sheet1", "x" * 99),
    ],
)
def test_a_file_names_its_batch(stem: str, name: str) -> None:
    assert name_from_file(stem) == name
    assert is_batch_name(name)


@given(
    st.from_regex(r"[A-Za-zÅä0-9][A-Za-zÅä0-9 ._–-]{0,20}[A-Za-z]", fullmatch=True).filter(
        lambda s: "cop" not in s.lower()
    ),
    st.lists(st.sampled_from([" (1)", " (12)", "(2)", " - Copy", " - Copy 3", " (copy)", ".csv"])),
    st.sampled_from(["", "Copy of ", "Kopie von "]),
)
def test_copies_and_downloads_of_a_file_are_one_batch(stem: str, ends: list[str], begin: str) -> None:
    assert name_from_file(f"{begin}{stem}{''.join(ends)}") == name_from_file(stem)


@pytest.mark.parametrize("name", ["spring", "spring-{date}-{time}", "a" * 100, "_1.b"])
def test_these_are_names_of_batches(name: str) -> None:
    assert is_batch_name(name)


@pytest.mark.parametrize("name", ["", ".spring", "a b", "spring/1", "a" * 101, "{day}", "a" * 95 + "{date}", "å"])
def test_these_are_no_names_of_batches(name: str) -> None:
    assert not is_batch_name(name)
