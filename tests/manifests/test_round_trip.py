"""What a user's program writes as CSV, XLSX, YAML or JSONL is what is read, character for character."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, NamedTuple

import pytest
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from manifests import Item
from manifests.key import safe
from manifests.readers.table import NO_RESULT
from manifests.vocabulary.fields import SCALARS, near_field
from manifests.vocabulary.spelling import field_name, tidy
from tests.manifests.test_any_input import loaded

Row = dict[str, Any]


class Amount(NamedTuple):
    """A number as somebody writes it, and what it is."""

    written: object
    meant: int


ITEM = ("prompt", "model", "size", "seconds", "input_reference", "remix_of", "priority", "deployment")
NO_LABELS = {"key", "labels", "matrix"}

# No surrogates, and nothing that XML or a terminal could not have; line breaks of all kinds but the carriage return,
# which every format reads as a plain one.
characters = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
texts = (
    st.text(characters | st.sampled_from("\n\t\x85\u2028,;\"'=+-@#:{}[]&*!|>%~` éßñ€"), min_size=1, max_size=40)
    .map(str.strip)
    .filter(lambda text: text and text not in NO_RESULT)
)
names = st.text(st.sampled_from("abcdefgXYZ ÅéßñΩ纸0189-_.,;'#:?&*()[]{}"), min_size=1, max_size=12).map(tidy).filter(
    lambda name: name and field_name(name) not in {*SCALARS, *NO_LABELS} and near_field(name) is None
)  # fmt: skip
labels = st.dictionaries(names, texts, max_size=4).filter(
    lambda found: len({field_name(name) for name in found}) == len(found)
)
amounts = st.sampled_from([4, 8, 12]).flatmap(
    lambda n: st.sampled_from([Amount(n, n), Amount(str(n), n), Amount(f"{n}s", n), Amount(f"{n}.0 sec", n)])
)
rows = st.fixed_dictionaries(
    {"prompt": texts},
    optional={
        "key": st.sampled_from(["hero", "Åre 42/blå", "007", "纸船", "true", "1.5", "2026-11-21", "null", "=A1"]),
        "model": st.sampled_from(["sora-2", "sora-2-pro", "wan-2"]),
        "size": st.sampled_from(["720x1280", "1280x720", "1280 × 720 px", "720X1280"]),
        "seconds": amounts,
        "variants": st.sampled_from([Amount(1, 1), Amount("2", 2), Amount(3, 3)]),
        "input_reference": st.sampled_from(["https://example.com/boat.png?a=1,2;3", "http://example.com/%20é.jpg"]),
        "priority": st.integers(-1_000_000, 1_000_000).flatmap(
            lambda n: st.sampled_from([Amount(n, n), Amount(str(n), n)])
        ),
        "deployment": st.sampled_from(["eastus2", "west.us", "1", "1.5", "2026-11-21", "yes"]),
        "labels": labels,
    },
)
tables = st.lists(rows, min_size=1, max_size=5).map(lambda found: [unique(row, n) for n, row in enumerate(found)])


def unique(row: Row, number: int) -> Row:
    """With a key that no other row has: made of the prompt, it would be the same for the same one."""
    return {**row, "key": f"{row.get('key', 'item')} {number}"}


def within(value: Any, encoding: str) -> Any:
    """The same with a ? for each character that an encoding does not have."""
    if isinstance(value, list):
        return [within(part, encoding) for part in value]
    if isinstance(value, dict):
        return {within(name, encoding): within(part, encoding) for name, part in value.items()}
    return value.encode(encoding, "replace").decode(encoding) if isinstance(value, str) else value


def written(row: Row) -> Row:
    """As it goes into a file: braces doubled in texts that may have placeholders, amounts as they are spelled."""
    spelled = {name: value.written if isinstance(value, Amount) else value for name, value in row.items()}
    return {**spelled, "prompt": row["prompt"].replace("{", "{{").replace("}", "}}")}


def expected(row: Row) -> list[Row]:
    """The items that a row means."""
    key = safe(row["key"])
    labelled = dict(row.get("labels", {})) | ({} if key == row["key"] else {"key": row["key"]})
    plain = {
        "prompt": row["prompt"],
        "model": row.get("model", "sora-2"),
        "size": "1280x720" if row.get("size", "").startswith("1280") else "720x1280",
        "seconds": row["seconds"].meant if "seconds" in row else 4,
        "input_reference": row.get("input_reference"),
        "remix_of": None,
        "priority": row["priority"].meant if "priority" in row else 0,
        "deployment": row.get("deployment"),
        "labels": labelled,
    }
    takes = range(1, (row["variants"].meant if "variants" in row else 1) + 1)
    return [{**plain, "key": key if take == 1 else f"{key}-{take}"} for take in takes]


def check(table: list[Row], found: list[Item] | None) -> None:
    assert found is not None, "a manifest that is right was refused"
    read = [{name: getattr(item, name) for name in (*ITEM, "key")} | {"labels": dict(item.labels)} for item in found]
    assert read == [item for row in table for item in expected(row)]


def flat(table: list[Row]) -> tuple[list[str], list[list[Any]]]:
    """Header and cells: a column for each field and label that occurs."""
    spelled = [written(row) for row in table]
    flattened = [row | row.pop("labels", {}) for row in spelled]
    header = list(dict.fromkeys(name for row in flattened for name in row))
    return header, [[row.get(name) for name in header] for row in flattened]


dialects = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from(",;\t"),
        "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
        "lineterminator": st.sampled_from(["\n", "\r\n"]),
    }
) | st.just({"delimiter": ",", "quoting": csv.QUOTE_ALL, "lineterminator": "\r"})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@given(table=tables, dialect=dialects, suffix=st.sampled_from(["csv", "tsv"]), blank=st.booleans())
@example(table=[unique({"prompt": "\ufffd, by intent"}, 0)], dialect={}, suffix="csv", blank=False)
@settings(max_examples=100, deadline=None)
def test_csv_is_read_as_it_was_written(
    encoding: str, table: list[Row], dialect: dict[str, Any], suffix: str, blank: bool
) -> None:
    table = within(table, encoding)
    header, cells = flat(table)
    file = io.StringIO(newline="")
    writer = csv.writer(file, **dialect)
    writer.writerow(header)
    writer.writerows(cells)
    if blank:
        writer.writerow([""] * len(header))
    content = file.getvalue().encode(encoding)
    if encoding == "cp1252":  # bytes that are UTF-8 as well could be either, and are taken for UTF-8
        assume(all(c.isascii() or "\udc80" <= c <= "\udcff" for c in content.decode("utf-8", "surrogateescape")))
    check(table, loaded(content, suffix))


@given(table=tables)
@settings(max_examples=120, deadline=None)
def test_a_workbook_is_read_as_it_was_written(table: list[Row]) -> None:
    header, cells = flat(table)
    workbook = Workbook()
    for line in (header, *cells):
        workbook.active.append(line)
        for cell in workbook.active[workbook.active.max_row]:
            if isinstance(cell.value, str):
                cell.data_type = "s"  # a text that begins with = is no formula
    saved = io.BytesIO()
    workbook.save(saved)
    check(table, loaded(saved.getvalue(), "xlsx"))


@given(
    table=tables,
    style=st.sampled_from([None, True, False]),
    unicode=st.booleans(),
    width=st.sampled_from([20, 80, 10_000]),
    encoding=st.sampled_from(["utf-8", "utf-16"]),
    suffix=st.sampled_from(["yaml", "yml"]),
)
@settings(max_examples=120, deadline=None)
def test_yaml_is_read_as_it_was_written(
    table: list[Row], style: bool | None, unicode: bool, width: int, encoding: str, suffix: str
) -> None:
    manifest = {"version": 1, "items": [written(row) for row in table]}
    text = yaml.safe_dump(manifest, default_flow_style=style, allow_unicode=unicode, width=width, sort_keys=False)
    assume(yaml.load(text, yaml.CSafeLoader) == manifest)  # PyYAML folds some line breaks of other scripts as it writes
    check(table, loaded(text.encode(encoding), suffix))


@given(table=tables, ascii_only=st.booleans(), end=st.sampled_from(["\n", "\r\n", "\n\n"]), last=st.booleans())
@settings(max_examples=120, deadline=None)
def test_jsonl_is_read_as_it_was_written(table: list[Row], ascii_only: bool, end: str, last: bool) -> None:
    text = end.join(json.dumps(written(row), ensure_ascii=ascii_only) for row in table)
    check(table, loaded((text + end * last).encode(), "jsonl" if last else "ndjson"))
