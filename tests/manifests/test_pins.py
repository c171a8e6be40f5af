"""An item that names a deployment is held to that one: it is there, it serves the model, and its limits count."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from manifests import KNOWN, Item, ManifestError, Problem, load
from manifests.vocabulary.fields import likely_field, near_field
from manifests.vocabulary.rules import Served

SORA = KNOWN["sora-2"]
SHORT = dataclasses.replace(SORA, seconds=(4, 20), sizes=("1024x576",), default_size="1024x576")
MODELS = {"sora-2": SORA, "sora-2-pro": KNOWN["sora-2-pro"]}
DEPLOYMENTS = {
    "eastus2": Served("sora-2", SORA),
    "short": Served("sora-2", SHORT),
    "pro": Served("sora-2-pro", KNOWN["sora-2-pro"]),
}


def items(folder: Path, rows: str, *, pins: bool = True) -> list[Item]:
    path = folder / "a.csv"
    path.write_text(rows)
    return list(load(path, models=MODELS, deployments=DEPLOYMENTS, pins=pins).items())


def problems(folder: Path, rows: str, name: str = "a.csv") -> list[Problem]:
    path = folder / name
    path.write_text(rows)
    with pytest.raises(ManifestError) as refused:
        load(path, models=MODELS, deployments=DEPLOYMENTS)
    return refused.value.problems


def test_a_deployment_that_is_not_configured_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    first, second = problems(tmp_path, "prompt,deployment\nA boat,eastus\nA kite,eastus2\nA lamp,x\n")
    assert (first.line, first.column, first.path, first.value) == (2, 2, "deployment", "eastus")
    assert first.message == "no deployment is named eastus"
    assert first.hint == "did you mean eastus2? Configured are: eastus2, short, pro"
    assert (second.line, second.hint) == (4, "configured are: eastus2, short, pro")


def test_a_deployment_of_another_model_is_told_with_both(tmp_path: Path) -> None:
    first, second = problems(tmp_path, "prompt,model,deployment\nA boat,sora-2-pro,short\nA kite,,pro\n")
    assert (first.line, first.column) == (2, 3)
    assert first.message == "short serves sora-2, and not sora-2-pro"
    assert first.hint == "write model: sora-2, or deployment: pro"
    assert second.message == "pro serves sora-2-pro, and not sora-2, which is meant where no model is given"
    assert second.hint == "write model: sora-2-pro, or deployment: eastus2 or short"


def test_a_model_that_nothing_serves_is_one_problem_and_not_two(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "prompt,model,deployment\nA boat,sora-3,pro\n")
    assert problem.message == "no deployment serves sora-3"


def test_the_limits_of_its_own_deployment_count_for_a_pinned_item(tmp_path: Path) -> None:
    """Two deployments of one model may differ: the defaults of size and length come from its own too."""
    rows = "prompt,deployment,seconds,size\nA boat,short,20,\nA kite,eastus2,12,\nA lamp,short,,16:9\n"
    found = items(tmp_path, rows)
    assert [(item.deployment, item.size, item.seconds) for item in found] == [
        ("short", "1024x576", 20),
        ("eastus2", "720x1280", 12),
        ("short", "1024x576", 4),
    ]
    (problem,) = problems(tmp_path, "prompt,deployment,seconds\nA boat,short,12\nA kite,eastus2,12\n")
    assert (problem.message, problem.hint) == ("sora-2 at short cannot make 12 seconds", "it can make 4, 20")


def test_what_is_wrong_in_the_defaults_is_told_once_and_there(tmp_path: Path) -> None:
    document = "defaults: {deployment: westus}\nitems:\n- prompt: A boat\n- prompt: A kite\n"
    (problem,) = problems(tmp_path, document, "a.yaml")
    assert (problem.line, problem.path) == (1, "defaults.deployment")


def test_an_axis_of_deployments_is_checked_value_by_value(tmp_path: Path) -> None:
    document = 'items:\n- {key: "a-{deployment}", prompt: A boat, matrix: {deployment: [short, eastus2, west]}}\n'
    (problem,) = problems(tmp_path, document, "a.yaml")
    assert (problem.value, problem.path) == ("west", "items[0].matrix.deployment")


def test_a_pin_changes_neither_key_nor_fingerprint(tmp_path: Path) -> None:
    """So that a pin may change without anything being rendered, or known anew."""
    (plain,) = items(tmp_path, "prompt,deployment\nA boat,\n")
    (pinned,) = items(tmp_path, "prompt,deployment\nA boat,eastus2\n")
    assert (plain.deployment, pinned.deployment) == (None, "eastus2")
    assert (plain.key, plain.fingerprint) == (pinned.key, pinned.fingerprint)


def test_a_rehearsal_passes_over_pins(tmp_path: Path) -> None:
    found = items(tmp_path, "prompt,deployment\nA boat,eastus2\n", pins=False)
    assert [item.deployment for item in found] == [None]


def test_a_remix_is_made_where_its_source_is(tmp_path: Path) -> None:
    rows = "key,prompt,remix_of,deployment,size\n" + "".join(
        f"{row}\n"
        for row in (
            "hero,A boat,,eastus2,1280x720",
            "same,At dusk,hero,eastus2,1280x720",
            "unsaid,At dawn,hero,,1280x720",
            "free,A kite,,,1280x720",
            "decided,At dusk,free,eastus2,1280x720",
            "outside,At noon,video_68ffa1,eastus2,1280x720",
        )
    )
    east = "eastus2"
    assert [item.deployment for item in items(tmp_path, rows)] == [east, east, None, None, east, east]
    found = problems(tmp_path, rows + "wrong,At night,unsaid,short,1024x576\n")
    pin = found[-1]
    assert (pin.line, pin.column) == (8, 4)
    assert pin.message == "a remix is made by its source's deployment, and hero is made by eastus2"


def test_kinds_say_at_which_deployment_where_only_one_may_make_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("prompt,deployment\nA boat,eastus2\nA kite,\n")
    kind = ("sora-2", "720x1280", 4)
    assert load(path, models=MODELS, deployments=DEPLOYMENTS).kinds == {kind, (*kind, "eastus2")}


def test_an_honest_column_is_not_taken_for_a_deployment() -> None:
    assert [likely_field(column) for column in ("Department", "Development", "Deploymnet", "Pinned to")] == [
        None,
        None,
        "deployment",
        "deployment",
    ]
    assert near_field("Department") is None
