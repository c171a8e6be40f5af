"""Metadata survives the journey through HTTP headers, or is left out; it never breaks an upload."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from workers.sinks.blob_metadata import LIMIT, from_blob, to_blob


@given(st.dictionaries(st.text(), st.text()))
def test_whatever_the_labels_are_azure_takes_them(labels: dict[str, str]) -> None:
    kept = to_blob(labels)
    assert sum(len(name) + len(value) for name, value in kept.items()) <= LIMIT
    assert len({name.lower() for name in kept}) == len(kept)
    for name, value in kept.items():
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)
        assert value.isascii()
        assert value.isprintable()
        assert value == " ".join(value.split())


@given(st.text(min_size=1, max_size=200))
def test_a_value_comes_back_as_it_was(value: str) -> None:
    assert from_blob(to_blob({"prompt": value})) == {"prompt": value}


def test_names_become_identifiers_and_the_first_of_two_alike_stays() -> None:
    assert to_blob({"2nd-Größe": "a", "key": "b", "KEY": "c", "": "d"}) == {"_2nd_Gr__e": "a", "key": "b", "_": "d"}


def test_what_would_be_too_much_is_left_out() -> None:
    assert list(to_blob({"remote_id": "video_1", "prompt": "é" * 2000, "sku": "7"})) == ["remote_id", "sku"]
