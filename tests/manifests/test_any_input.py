"""Whatever a file holds, loading it either works or raises ManifestError; and what was written is what is read."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from manifests import Item, ManifestError, load
from manifests.fields import FIELDS, HEADER

_COMPARED = ("key", "prompt", "size", "seconds", "priority")
KINDS = ("yaml", "csv", "jsonl", "xlsx")


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


@pytest.mark.parametrize("kind", KINDS)
@given(content=st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_random_bytes_are_refused_not_stumbled_over(kind: str, content: bytes) -> None:
    loaded(content, kind)


@pytest.mark.parametrize("kind", KINDS[:3])
@given(content=st.text(alphabet="apromtkeys{}[]:,-&*!<|>\"'\n\r\t 0~\ufeff\x85å\x00", max_size=120))
@settings(max_examples=120, deadline=None)
def test_random_text_is_refused_not_stumbled_over(kind: str, content: str) -> None:
    loaded(b"items:\n- " * (kind == "yaml") + b"prompt\n" * (kind == "csv") + content.encode(), kind)


@given(tree=manifests)
@settings(max_examples=150, deadline=None)
def test_any_yaml_is_read_or_refused(tree: Any) -> None:
    loaded(yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass"), "yaml")


@given(tree=items | trees)
@settings(max_examples=150, deadline=None)
def test_any_json_is_read_or_refused(tree: Any) -> None:
    loaded(json.dumps(tree).encode(), "jsonl")


printable = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30).map(str.strip)
texts = printable.filter(lambda text: bool(text) and text not in ("~", "null", "Null", "NULL"))
valid_items = st.fixed_dictionaries(
    {
        "prompt": texts.map(lambda text: text.replace("{", "{{").replace("}", "}}")),
        "size": st.sampled_from(["720x1280", "1280x720"]),
        "seconds": st.sampled_from(["4", "8", "12"]),
        "priority": st.integers(-1000, 1000).map(str),
        "market": texts,
    }
)


@given(rows=st.lists(valid_items, min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_the_same_items_are_read_from_every_format(rows: list[dict[str, str]]) -> None:
    rows = [{"key": f"k{number}", **row} for number, row in enumerate(rows)]
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    nested = [{**row, "labels": {"market": row["market"]}} for row in rows]
    for row in nested:
        del row["market"]
    workbook = Workbook()
    workbook.active.append(list(rows[0]))
    for row in rows:
        workbook.active.append([int(row[name]) if name in ("seconds", "priority") else row[name] for name in rows[0]])
        for cell in workbook.active[workbook.active.max_row]:
            cell.data_type = "n" if isinstance(cell.value, int) else "s"  # a text that begins with = is no formula
    saved = io.BytesIO()
    workbook.save(saved)
    read = {
        "xlsx": loaded(saved.getvalue(), "xlsx"),
        "csv": loaded(table.getvalue().encode(), "csv"),
        "yaml": loaded(yaml.safe_dump({"items": nested}).encode(), "yaml"),
        "jsonl": loaded("\n".join(json.dumps(row) for row in nested).encode(), "jsonl"),
    }
    expected = [
        {
            **row,
            "prompt": row["prompt"].replace("{{", "{").replace("}}", "}"),
            "seconds": int(row["seconds"]),
            "priority": int(row["priority"]),
        }
        for row in rows
    ]
    for kind, found in read.items():
        assert found is not None, kind
        fields = [{name: getattr(item, name) for name in _COMPARED} | dict(item.labels) for item in found]
        assert fields == expected, kind
