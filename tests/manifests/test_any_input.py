"""Whatever a file holds, loading it either works or raises ManifestError."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests import Item, ManifestError, load
from manifests.vocabulary.fields import FIELDS, HEADER

KINDS = ("yaml", "csv", "jsonl", "xlsx")
SUFFIXES = (*KINDS, "yml", "tsv", "ndjson")
GOOD = Path(__file__).parent / "good"
SAMPLES = [path for path in sorted(GOOD.iterdir()) if path.suffix[1:] in SUFFIXES]


def loaded(content: bytes, kind: str) -> list[Item] | None:
    """The items; None where the manifest was refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"spring.{kind}")
        path.write_bytes(content)
        try:
            manifest = load(path, models=None)
        except ManifestError as error:
            refused = error
        else:
            found = list(manifest.items())
            assert len(found) == manifest.item_count
            return found
    assert refused.problems
    assert refused.problem_count >= len(refused.problems)
    return None


# What has a meaning in one of the formats, or in the zip that a workbook is.
TOKENS = (
    *(b"&a ", b"*a", b"<<: *a\n", b"!!python/object:os.system ", b"? ", b"- ", b"|\n", b"---\n", b"%YAML 9.9\n", b": "),
    *(b'"', b"{", b"}", b"[[[[", b",", b";", b"\t", b"\n", b"\r", b"\x00", b"1e999", b"\\ud800"),
    *(b"\xff\xfe", b"\xef\xbb\xbf", b"\xc2\x85", b"PK\x05\x06", b"PK\x01\x02"),
)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
names = st.sampled_from([*FIELDS, *HEADER, "<<", "promt"]) | st.text(max_size=6)
trees = st.recursive(
    scalars | st.sampled_from(["sora-2", "1280x720", "{product}", "A boat", 4]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
items = st.dictionaries(names, trees, max_size=5).map(lambda item: {"prompt": "A boat", **item})
manifests = st.dictionaries(st.sampled_from(HEADER) | names, trees, max_size=4) | st.fixed_dictionaries(
    {"items": st.lists(items, max_size=3)}, optional={"defaults": items, "version": trees}
)


@pytest.mark.parametrize("kind", SUFFIXES)
@given(content=st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_random_bytes_are_refused_not_stumbled_over(kind: str, content: bytes) -> None:
    loaded(content, kind)


@pytest.mark.parametrize("kind", KINDS[:3])
@given(content=st.text(alphabet="apromtkeys{}[]:,-&*!<|>\"'\n\r\t 0~\ufeff\x85å\x00", max_size=120))
@settings(max_examples=120, deadline=None)
def test_random_text_is_refused_not_stumbled_over(kind: str, content: str) -> None:
    loaded(b"items:\n- " * (kind == "yaml") + b"prompt\n" * (kind == "csv") + content.encode(), kind)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
@pytest.mark.filterwarnings("ignore")
@given(seed=st.integers(0, 1 << 32))
@settings(max_examples=25, deadline=None)
def test_a_good_manifest_with_some_bytes_changed_is_read_or_refused(path: Path, seed: int) -> None:
    """Taken out, doubled, made anew or cut off; of a workbook in the bytes of the archive itself."""
    dice = random.Random(seed)
    content = bytearray(path.read_bytes())
    for _ in range(dice.randrange(1, 5)):
        at, length = dice.randrange(len(content) + 1), dice.choice([0, 1, 1, 2, 8, 40])
        part = content[at : at + length]
        content[at : at + length] = dice.choice([b"", part * 2, dice.randbytes(length), dice.choice(TOKENS)])
    if dice.random() < 0.2:
        del content[dice.randrange(len(content) + 1) :]
    loaded(bytes(content), path.suffix[1:])


@pytest.mark.parametrize("kind", KINDS[:3])
@given(pieces=st.lists(st.sampled_from(TOKENS) | st.text(max_size=4).map(str.encode), max_size=12))
@settings(max_examples=100, deadline=None)
def test_any_pieces_put_together_are_read_or_refused(kind: str, pieces: list[bytes]) -> None:
    start = {"yaml": b"items:\n- &a {prompt: A boat}\n- ", "csv": b"key,prompt\n", "jsonl": b'{"prompt": "A boat"'}
    loaded(start[kind] + b"".join(pieces), kind)


@given(tree=manifests)
@settings(max_examples=150, deadline=None)
def test_any_yaml_is_read_or_refused(tree: Any) -> None:
    loaded(yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass"), "yaml")


@given(tree=items | trees)
@settings(max_examples=150, deadline=None)
def test_any_json_is_read_or_refused(tree: Any) -> None:
    loaded(json.dumps(tree).encode(), "jsonl")
