"""The runbook: a section for each alert, with what is at risk, by when, and commands that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from dailies.cli import app
from tests.helm.chart import Document, one, render, values_of

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
SECTIONS: dict[str, str] = dict(re.findall(r"(?ms)^## (\w+)\n(.*?)(?=^## |\Z)", PAGE))
KUBECTL = {"create", "exec", "get", "logs", "rollout", "scale"}


def alerts() -> dict[str, Document]:
    (group,) = one(render(values_of("scaled")), "PrometheusRule")["spec"]["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def commands(text: str) -> list[str]:
    """Those of a section's block of commands, without what stands beside them."""
    (block,) = re.findall(r"(?ms)^```sh\n(.*?)^```", text)
    return [line.partition("#")[0].strip() for line in block.splitlines()]


def environment() -> dict[str, str]:
    """What the page's alias sets for each command in a pod."""
    (alias,) = re.findall(r"(?m)^alias dailies='(.*)'$", PAGE)
    words = shlex.split(alias)
    return dict(word.split("=", 1) for word in words[words.index("--") + 1 :] if "=" in word)


def parse(line: str) -> None:
    """As the program itself would, up to the moment at which it would begin."""
    words = shlex.split(line)
    assert words.pop(0) == "dailies"
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        found = command.commands.get(words[0]) if words else None
        if found is None:
            assert command.invoke_without_command, line
            assert all(word.startswith("-") for word in words), line
            break
        words.pop(0)
        command = found
    command.make_context("dailies", words)


def test_each_alert_has_its_section_and_no_other_has() -> None:
    assert SECTIONS.keys() == alerts().keys()


def test_each_section_says_what_is_at_risk_and_by_when() -> None:
    for title, text in SECTIONS.items():
        assert re.match(r"\n\*\*At risk\*\*: ", text), title
        assert "**By when**: " in text.replace("\n", " "), title


def test_each_section_has_three_commands_and_the_alert_names_the_first() -> None:
    for title, rule in alerts().items():
        assert len(commands(SECTIONS[title])) == 3, title
        named = rule["annotations"]["first_command"].replace("{{ $labels.job_name }}", "JOB")
        assert commands(SECTIONS[title])[0] == (named.partition(" -- ")[2] or named), title


def test_a_worker_that_is_started_in_a_pod_needs_no_port_that_the_pods_own_has() -> None:
    worker = one(render(values_of("scaled")), "Deployment", "night-dailies")
    (container,) = worker["spec"]["template"]["spec"]["containers"]
    assert "DAILIES_MONITOR__PORT" in {each["name"] for each in container["env"]}
    assert environment() == {"DAILIES_MONITOR__PORT": "null"}


def test_each_reason_for_which_a_batch_stops_is_named() -> None:
    sources = (ROOT / "orchestrator").rglob("*.py")
    reasons = {found for each in sources for found in re.findall(r'Stoppage\(\s*"(\w+)"', each.read_text())}
    assert {"budget", "paused"} < reasons
    assert not {reason for reason in reasons if f"`{reason}`" not in SECTIONS["DailiesBatchStopped"]}


def test_the_overview_agrees_with_the_alerts() -> None:
    rows = re.findall(r"(?m)^\| \[(\w+)\]\(#(\w+)\) \| (\w+) \|", PAGE)
    assert {name: severity for name, _, severity in rows} == {
        name: rule["labels"]["severity"] for name, rule in alerts().items()
    }
    assert all(anchor == name.lower() for name, anchor, _ in rows)


@pytest.mark.parametrize("line", sorted({c for t in SECTIONS.values() for c in commands(t)}))
def test_each_command_exists(line: str) -> None:
    if line.startswith("kubectl "):
        words = shlex.split(line)
        assert words[1] in KUBECTL
        assert "films" in words
        assert all(word.split("/")[1] == "night-dailies" for word in words if word.startswith("deployment/"))
    else:
        parse(line)


@pytest.mark.parametrize("line", sorted(set(re.findall(r"`(dailies [^`]+)`", PAGE))))
def test_each_command_in_the_text_exists(line: str) -> None:
    parse(line)


@pytest.mark.parametrize("line", ["dailies mend", "dailies retry BATCH --twice", "dailies deployments restart NAME"])
def test_a_command_that_does_not_exist_is_seen(line: str) -> None:
    with pytest.raises((AssertionError, Exception), match=r"mend|twice|restart"):
        parse(line)


def test_links_lead_somewhere() -> None:
    headings = {title.lower() for title in re.findall(r"(?m)^#+ (.+)$", PAGE)}
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        file, _, heading = target.partition("#")
        assert not file or (Path(__file__).resolve().parents[1] / "docs" / file).is_file(), target
        assert not heading or heading in headings, target
