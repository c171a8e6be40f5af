"""`schema.json` is what editors check YAML manifests by: up to date, of use, and never stricter than the program."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from jsonschema.exceptions import best_match

from manifests import KNOWN, ManifestError, load
from manifests.schema import SHIPPED, schema, text
from manifests.vocabulary.fields import FIELDS, HEADER

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = Draft7Validator(json.loads(SHIPPED.read_text(encoding="utf-8")))
DOCS = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs/manifests.md").read_text(encoding="utf-8"), re.M | re.S)
FILES = [
    *(ROOT / "manifests/examples").glob("*.yaml"),
    # Those with options are not manifests by themselves.
    *(path for path in (ROOT / "tests/manifests/good").glob("*.yaml") if not Path(f"{path}.options").exists()),
]


class EditorLoader(yaml.SafeLoader):
    """YAML 1.2 as editors read it: `yes`, `16:9` and `2026-11-21` are texts, and so is every name."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[str, Any]:
        self.flatten_mapping(node)
        return {str(name.value): self.construct_object(value, deep=True) for name, value in node.value}


for tag, pattern, first in (
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", "[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", "~|null|Null|NULL|", "~nN\0"),
    ("merge", "<<", "<"),
):
    core = f"tag:yaml.org,2002:{tag}"
    EditorLoader.add_implicit_resolver(core, re.compile(f"(?:{pattern})$"), ["" if c == "\0" else c for c in first])
EditorLoader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(node.value))
EditorLoader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: float(node.value))
EditorLoader.add_constructor("tag:yaml.org,2002:map", lambda loader, node: loader.construct_mapping(node))


def complaint(document: str) -> str | None:
    """What an editor underlines first: path and message; None when it is content."""
    error = best_match(SCHEMA.iter_errors(yaml.load(document, EditorLoader)))  # noqa: S506  it is a SafeLoader
    return None if error is None else f"{error.json_path} {error.message}"


def test_the_shipped_schema_is_what_the_models_and_fields_make_now() -> None:
    """Else run: python -m manifests.schema > manifests/schema.json."""
    assert SHIPPED.read_text(encoding="utf-8") == text()


def test_it_is_a_schema() -> None:
    Draft7Validator.check_schema(schema())


def test_it_knows_every_name_and_says_what_each_means() -> None:
    top, item = schema()["properties"], schema()["definitions"]["item"]["properties"]
    assert (tuple(top), tuple(item)) == (HEADER, FIELDS)
    assert all(part["description"] for part in [*top.values(), *item.values(), *top["window"]["properties"].values()])
    for part in item.values():
        said = re.search(r"When left out: ([\w.-]+)", part["description"])
        assert "default" not in part or (said is not None and said[1].rstrip(".") == str(part["default"]))


@pytest.mark.parametrize("model", KNOWN)
def test_it_suggests_what_the_models_can_make(model: str) -> None:
    item = schema()["definitions"]["item"]["properties"]
    suggested = {name: item[name]["anyOf"][0]["enum"] for name in ("model", "size", "seconds")}
    rule = KNOWN[model]
    assert model in suggested["model"]
    assert {*(rule.sizes or ())} <= {*suggested["size"]}
    assert {*(rule.seconds or ())} <= {*suggested["seconds"]}


def test_its_own_examples_pass_it() -> None:
    def walk(part: Any) -> None:
        if isinstance(part, dict):
            for example in part.get("examples", ()) if "description" in part else ():
                assert SCHEMA.evolve(schema={**part, "definitions": schema()["definitions"]}).is_valid(example), example
            for inner in part.values():
                walk(inner)

    walk(schema())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_good_manifest_passes(path: Path) -> None:
    assert complaint(path.read_text(encoding="utf-8")) is None


@pytest.mark.parametrize("document", DOCS)
def test_every_manifest_in_the_documentation_passes(document: str) -> None:
    assert complaint(document) is None


@pytest.mark.parametrize("path", [*(ROOT / "manifests/examples").glob("*.yaml")], ids=lambda path: path.name)
def test_an_example_leads_an_editor_to_the_schema(path: Path) -> None:
    found = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text(encoding="utf-8"))
    assert found is not None
    assert (path.parent / found[1]).resolve() == SHIPPED


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ("- prompt: A boat", "$ "),
        ("name: spring", "$ "),
        ("itmes: [{prompt: A boat}]", "$ "),
        ("items: {prompt: A boat}", "$.items "),
        ("items: [A boat]", "$.items[0] "),
        ("items: [{}]", "$.items[0] "),
        ("items: [{promt: A boat}]", "$.items[0] "),
        ("items: [{prompt: A boat, lables: {market: SE}}]", "$.items[0] "),
        ("items: [{prompt: [A boat]}]", "$.items[0].prompt "),
        ("items:\n- prompt: {product}", "$.items[0].prompt "),
        ("items: [{prompt: A boat, size: [1280, 720]}]", "$.items[0].size "),
        ("items: [{prompt: A boat, size: tall}]", "$.items[0].size "),
        ("items: [{prompt: A boat, seconds: long}]", "$.items[0].seconds "),
        ("items: [{prompt: A boat, seconds: 8.5}]", "$.items[0].seconds "),
        ("items: [{prompt: A boat, variants: 0}]", "$.items[0].variants "),
        ("items: [{prompt: A boat, variants: many}]", "$.items[0].variants "),
        ("items: [{prompt: A boat, priority: high}]", "$.items[0].priority "),
        ("items: [{prompt: A boat, labels: [SE]}]", "$.items[0].labels "),
        ("items: [{prompt: A boat, labels: {key: a}}]", "$.items[0].labels "),
        ("items: [{prompt: A boat, matrix: {product: mug}}]", "$.items[0].matrix.product "),
        ("items: [{prompt: A boat, matrix: {product: []}}]", "$.items[0].matrix.product "),
        ("items: [{prompt: A boat, matrix: {prompt: [a]}}]", "$.items[0].matrix "),
        ("items: [{prompt: A boat, matrix: {seconds: [4, x]}}]", "$.items[0].matrix.seconds[1] "),
        ("defaults: [8]\nitems: [{prompt: A boat}]", "$.defaults "),
        ("defaults: {second: 8}\nitems: [{prompt: A boat}]", "$.defaults "),
        ("version: 2\nitems: [{prompt: A boat}]", "$.version "),
        ("name: spring plan\nitems: [{prompt: A boat}]", "$.name "),
        ("budget_usd: $5\nitems: [{prompt: A boat}]", "$.budget_usd "),
        ("items_from: rows.xls", "$.items_from "),
        ("window: 22:00\nitems: [{prompt: A boat}]", "$.window "),
        ('window: {start: "22:00"}\nitems: [{prompt: A boat}]', "$.window "),
        ('window: {start: 10pm, end: "06:00"}\nitems: [{prompt: A boat}]', "$.window.start "),
    ],
)
def test_what_people_get_wrong_is_underlined_where_it_stands(tmp_path: Path, document: str, where: str) -> None:
    assert (complaint(document) or "").startswith(where)
    path = tmp_path / "spring.yaml"
    path.write_text(document)
    with pytest.raises(ManifestError):
        load(path, models=None)


texts = st.sampled_from(
    ["A boat", "007", "yes", "true", "1.5", "2026-11-21", "'it''s'", '"a {{b}}"', "é", "~x", '"8\\u00a0s"', "''", "~"]
)
values = {
    "key": texts,
    "prompt": texts,
    "model": st.sampled_from(["sora-2", "sora", "my-model", "4", "null"]),
    "size": st.sampled_from(
        ["1280x720", "720 × 1280", "16:9", "9:16", "Portrait", "SQUARE", "1:1", "720 by 1280", "720X1280px", "''", "~",
         '"720\\u200bx1280"', "480 x 480 pixels", "16:09:00", '"\\u201c720x1280\\u201d"', '"por\\u00adtrait"']
    ),
    "seconds": st.sampled_from(
        ["4", "8s", "8.0", '"8,0"', "8.", "8 sec", "12 Seconds", "'4'", "8.00 s.", "''", "null", "20", "'１'", "1e1"]
    ),
    "variants": st.sampled_from(["1", "+3", "3.0", "'3,0'", "1000", "003", "", "0"]),
    "priority": st.sampled_from(["0", "-1000000", "1000000", "5.0", "-0", "'−3'", "", "1000001"]),
    "remix_of": st.sampled_from(["video_68ffa1", "~", "''", "'video_1 '"]),
    "input_reference": st.sampled_from(["https://example.com/a.png", "", "http://a/1"]),
    "deployment": st.sampled_from(["eastus2", "1", "1.5", "''", "~", "' west.us '", "yes", "2026-11-21"]),
    "labels": st.sampled_from(["{market: SE, year: 2026, no: no, 5: 1.5}", "{}", "", "{a: , b: ''}", "{<<: {c: d}}"]),
    "matrix": st.sampled_from(
        ["{size: [16:9, portrait], seconds: [4s, 8]}", "{}", "", "{a: [1, 1.0, 01]}", "{model: [sora-2, sora]}",
         "{priority: [1, 2]}", "{deployment: [east, 7]}", "{labels: [x]}", "{a: ['']}"]
    ),
}  # fmt: skip
entries = st.fixed_dictionaries({"prompt": texts}, optional={k: v for k, v in values.items() if k != "prompt"})
tops = st.fixed_dictionaries(
    {},
    optional={
        "version": st.sampled_from(["1", "'1'", "' 1 '"]),
        "name": st.sampled_from(["spring", "'nightly-{date}'", "2026", "1.5", "yes", "", "-a", "' a '"]),
        "budget_usd": st.sampled_from(["120", "2.50", "'2.50'", "010", "", "0.000001", "999999999"]),
        "window": st.sampled_from(
            ['{start: "22:00", end: "06:00"}', "{start: 7:30, end: 24:00, days: mon-fri, timezone: utc}", "",
             "{start: 22:00:00, end: '６:00', days: [mon, 'Sat, sun', ''], timezone: europe/paris}"]
        ),
    },
)  # fmt: skip


def flow(fields: dict[str, str]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in fields.items()) + "}"


@example(top={}, defaults={"priority": "high", "size": "tall"}, rows=[{"prompt": "a", "priority": "1", "size": "9:16"}])
@given(top=tops, defaults=st.none() | st.fixed_dictionaries({}, optional=values), rows=st.lists(entries, max_size=3))
@settings(max_examples=600, deadline=None)
def test_it_never_refuses_what_the_program_accepts(
    top: dict[str, str], defaults: dict[str, str] | None, rows: list[dict[str, str]]
) -> None:
    lines = [f"{name}: {value}" for name, value in top.items()]
    lines += [] if defaults is None else [f"defaults: {flow(defaults)}"]
    rows = [{**row, "key": f"k{number}"} if "matrix" not in row else row for number, row in enumerate(rows)]
    document = "\n".join([*lines, "items:", *(f"- {flow(row)}" for row in rows)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "spring.yaml")
        path.write_text(document, encoding="utf-8")
        try:
            load(path, models=None)
        except ManifestError:
            return
    assert complaint(document) is None, document
    of_yaml_1_1 = json.loads(json.dumps(yaml.safe_load(document), default=str))
    assert SCHEMA.is_valid(of_yaml_1_1), document
