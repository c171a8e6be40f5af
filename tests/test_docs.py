"""The pages for users say what the program does: their examples load, and no field or key is missing."""

from __future__ import annotations

import re
import shlex
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest
from pydantic_core import PydanticUndefined

from manifests import KNOWN, Item, load
from manifests.vocabulary.fields import FIELDS, HEADER
from orchestrator.settings import Settings, load_settings
from orchestrator.settings.quota import QUOTAS
from orchestrator.settings.schema import known_locations, model_at, path_text
from orchestrator.video_models.prices import PER_SECOND_USD
from tests.manifests.telling import adjustments

ROOT = Path(__file__).resolve().parents[1]
MANIFESTS = (ROOT / "docs/manifests.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
BOAT = Path(__file__).parent / "manifests/inputs/boat.png"

_BLOCK = re.compile(
    r"(?:<!-- (?P<what>\w+)(?:: (?P<name>[^ ]+))? -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_SECRET = re.compile(r"\w+_env: (\w+)")
_EXPORT = re.compile(r"^export (\w+)=(?:'(.*?)'|(\S+))", re.MULTILINE)


class Block(NamedTuple):
    """A code block: what the comment above it says it is, the name there, its language and text, and its line."""

    what: str
    name: str
    kind: str
    text: str
    line: int


def blocks(page: str, *what: str) -> list[Block]:
    found = [
        Block(m["what"] or "", m["name"] or "", m["kind"], m["text"], page.count("\n", 0, m.start("kind")) + 1)
        for m in _BLOCK.finditer(page)
    ]
    return [block for block in found if not what or block.what in what]


def by_line(block: Block) -> str:
    return f"line {block.line} {block.name}".strip()


def rows_below(page: str, mark: str) -> list[list[str]]:
    """The table below a comment: its rows as cells, without header and quotes."""
    _, _, rest = page.partition(f"<!-- {mark} -->\n")
    table = rest.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in table]


def items_of(manifest: Block, folder: Path) -> list[Item]:
    """The items of an example, saved under its name beside the files that it may read."""
    (folder / "images").mkdir()
    (folder / "images/boat.png").write_bytes(BOAT.read_bytes())
    for rows in blocks(MANIFESTS, "rows"):
        (folder / rows.name).write_text(rows.text, encoding="utf-8")
    path = folder / manifest.name
    path.write_text(manifest.text, encoding="utf-8")
    loaded = load(path, models=KNOWN)
    items = list(loaded.items())
    assert len(items) == loaded.item_count > 0
    return items


def test_every_example_says_what_it_is() -> None:
    """So that none of them goes unread here."""
    assert not [
        by_line(block)
        for page, what in ((MANIFESTS, ("manifest", "rows")), (SETTINGS, ("settings",)))
        for block in blocks(page)
        if block.kind in ("yaml", "csv", "jsonl") and block.what not in what
    ]


@pytest.mark.parametrize("manifest", blocks(MANIFESTS, "manifest"), ids=by_line)
def test_an_example_of_a_manifest_loads_without_a_problem(manifest: Block, tmp_path: Path) -> None:
    items_of(manifest, tmp_path)


@pytest.mark.parametrize("listed", blocks(MANIFESTS, "items"), ids=by_line)
def test_an_example_makes_the_items_that_are_listed_below_it(listed: Block, tmp_path: Path) -> None:
    (manifest,) = (block for block in blocks(MANIFESTS, "manifest") if block.name == listed.name)
    made = [f"{item.key}: {item.prompt}" for item in items_of(manifest, tmp_path)]
    assert made == listed.text.splitlines()


@pytest.mark.parametrize("listed", blocks(MANIFESTS, "adjusted"), ids=by_line)
def test_an_example_with_options_makes_the_items_that_are_listed_below_it(listed: Block, tmp_path: Path) -> None:
    (command,) = (block for block in blocks(MANIFESTS, "options") if block.name == listed.name)
    (rows,) = (block for block in blocks(MANIFESTS, "rows") if block.name == listed.name)
    (tmp_path / rows.name).write_text(rows.text, encoding="utf-8")
    words = shlex.split(command.text)
    assert words[:3] == ["dailies", "run", listed.name]
    said = adjustments(zip(words[3::2], words[4::2], strict=True))
    made = [f"{item.key}: {item.prompt}" for item in load(tmp_path / rows.name, adjustments=said).items()]
    assert made == listed.text.splitlines()


def test_every_field_of_a_manifest_has_its_row() -> None:
    rows = set(re.findall(r"^\| \[?`(\w+)`", MANIFESTS, re.MULTILINE))
    assert not {*FIELDS, *HEADER} - rows


def test_what_the_models_can_make_is_listed() -> None:
    listed = {cells[0].split("`")[0]: (cells[1], cells[2]) for cells in rows_below(MANIFESTS, "models")}
    for name, rule in KNOWN.items():
        snapshot_of = next((model for model in listed if name.startswith(f"{model}-20")), name)
        assert snapshot_of == name or f"`{name}`" in MANIFESTS
        sizes, seconds = listed[snapshot_of]
        assert tuple(sizes.split(", ")) == rule.sizes
        first, _, last = seconds.partition(" to ")
        assert rule.seconds == (
            tuple(range(int(first), int(last) + 1)) if last else tuple(map(int, seconds.split(", ")))
        )


@pytest.mark.parametrize("block", blocks(SETTINGS, "settings"), ids=by_line)
def test_an_example_of_settings_loads_with_its_variables(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dailies.yaml").write_text(block.text, encoding="utf-8")
    environ = dict.fromkeys(_SECRET.findall(block.text), "a-secret-of-the-test")
    check_secrets(load_settings(None, environ), environ)


@pytest.mark.parametrize("block", blocks(SETTINGS, "environment"), ids=by_line)
def test_an_example_of_the_environment_is_enough_without_a_file(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {name: quoted or plain for name, quoted, plain in _EXPORT.findall(block.text)}
    settings = load_settings(None, environ)
    assert len(settings.deployments) == 1
    check_secrets(settings, environ | dict.fromkeys(("AZURE_OPENAI_API_KEY", "VIDEOS_SAS"), "a-secret-of-the-test"))


def check_secrets(settings: Settings, environ: dict[str, str]) -> None:
    """Every variable that is named can be read."""
    assert settings.deployments
    for deployment in settings.deployments:
        assert deployment.auth.entra or deployment.api_key(environ)
    archive = settings.archive
    without = archive.auth is None or archive.auth.entra
    assert without or archive.connection_string(environ) or archive.sas_token(environ)


def test_every_key_of_the_settings_has_its_row_with_its_default() -> None:
    rows = {key: default for key, _, default in re.findall(r"^\| `([^`]+)` \| (.*?) \| (.*?) \| .*\|$", SETTINGS, re.M)}
    locations = {path_text(location).replace("[0]", "[]"): location for location in known_locations(Settings)}
    assert set(rows) == set(locations)
    for key, location in locations.items():
        model = model_at(Settings, location[:-1])
        assert model is not None
        default = model.model_fields[str(location[-1])].default
        if location[-2:-1] in (("quota",), ("NAME",)) and location[-1] in QUOTAS["videos"]:
            values = [QUOTAS[api][str(location[-1])] for api in ("videos", "jobs")]
            assert re.findall(r"\d+", rows[key]) == [str(value) for value in dict.fromkeys(values)], key
        elif default is PydanticUndefined:
            assert rows[key] in ("required", "see next"), key
        elif isinstance(default, bool | int | float | Path) or key in ("redis.namespace", "archive.url"):
            shown = str(default).lower() if isinstance(default, bool) else str(default).removesuffix(".0")
            assert rows[key] == f"`{shown}`", key
        elif default is None:
            assert rows[key] == "none", key


def test_the_prices_are_those_that_are_reckoned_with() -> None:
    listed: dict[str, dict[str, Decimal]] = {}
    model = ""
    for name, sizes, rate in rows_below(SETTINGS, "prices"):
        model = name or model
        listed.setdefault(model, {}).update(dict.fromkeys(sizes.split(", "), Decimal(rate)))
    assert listed == {
        name: {size: Decimal(rate) for size, rate in table.items()} for name, table in PER_SECOND_USD.items()
    }


@pytest.mark.parametrize("page", ["README.md", "docs/azure.md", "docs/manifests.md", "docs/settings.md"])
def test_links_lead_to_files_and_headings_that_are_there(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text(encoding="utf-8")):
        if "://" in target:
            continue
        file, _, heading = target.partition("#")
        path = (ROOT / page).parent / file if file else ROOT / page
        assert path.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}
            assert heading in anchors, target
