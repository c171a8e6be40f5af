"""Scheduled manifests: each is submitted by the clock, and tried again only where that helps."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path

import pytest
import typer

from dailies.cli import app
from dailies.terminal.exits import Exit
from manifests import load
from manifests.window_line import window_of
from orchestrator.batches.submission import batch_name
from tests.helm.chart import Document, one, render, values_of

NIGHTLY, MONTHLY = "night-dailies-nightly", "night-dailies-month-end"


def job(name: str, values: str = "overnight") -> Document:
    spec: Document = one(render(values_of(values)), "CronJob", name)["spec"]
    return spec


def pod(name: str, values: str = "overnight") -> Document:
    spec: Document = job(name, values)["jobTemplate"]["spec"]["template"]["spec"]
    return spec


def test_each_schedule_is_a_cron_job_of_its_own() -> None:
    nightly, monthly = job(NIGHTLY), job(MONTHLY)
    assert (nightly["schedule"], nightly["timeZone"], nightly["suspend"]) == ("30 0 * * 2-6", "Europe/Stockholm", False)
    assert (monthly["schedule"], monthly["timeZone"], monthly["suspend"]) == ("@monthly", "Etc/UTC", True)


def test_no_schedule_makes_no_cron_job() -> None:
    assert not [d for d in render(values_of("smallest")) if d["kind"] == "CronJob"]


@pytest.mark.parametrize(
    ("name", "config_map", "key"),
    [(NIGHTLY, "manifests", "nightly.yaml"), (MONTHLY, "spreadsheets", "Month_End.csv")],
)
def test_a_job_submits_the_manifest_of_its_config_map(name: str, config_map: str, key: str) -> None:
    """It only queues; and the file is named after the key, since a CSV names its batch."""
    (container,) = pod(name)["containers"]
    assert container["command"][:2] == ["dailies", "submit"]
    folder, file = container["command"][2].rsplit("/", 1)
    (mount,) = [m for m in container["volumeMounts"] if m["mountPath"] == folder]
    (volume,) = [v for v in pod(name)["volumes"] if v["name"] == mount["name"]]
    assert (volume["configMap"]["name"], file) == (config_map, key)


def test_a_manifest_may_lie_on_a_volume_and_have_hours_and_options() -> None:
    """Of a claim by its path there, or in a volume that all pods have; --window is in the schedule's time zone."""
    spec = pod("night-dailies-spring", "placed")
    (container,) = spec["containers"]
    hours = "20:00-06:30 America/New_York mon-thu,sun"
    options = ["--name", "spring-{date}", "--map", "prompt=Shot text", "--budget-usd", "120"]
    assert container["command"][2:] == ["/manifests/2026/spring plan.xlsx", "--window", hours, *options]
    assert str(window_of(hours)) == "20:00 to 06:30 America/New_York, mon tue wed thu sun"
    (volume,) = [v for v in spec["volumes"] if v["name"] == "manifests"]
    assert volume["persistentVolumeClaim"] == {"claimName": "sheets", "readOnly": True}
    (mounted,) = pod("night-dailies-mounted", "placed")["containers"]
    assert mounted["command"][2:] == ["/sheets/daily.csv"]
    assert "/sheets" in [mount["mountPath"] for mount in mounted["volumeMounts"]]


@pytest.mark.parametrize(("name", "values"), [(NIGHTLY, "overnight"), ("night-dailies-spring", "placed")])
def test_the_program_takes_the_options_that_a_job_gives_it(name: str, values: str) -> None:
    (container,) = pod(name, values)["containers"]
    submit = typer.main.get_command(app).commands["submit"]  # type: ignore[attr-defined]
    submit.make_context("submit", container["command"][2:])


def test_deadlines_and_histories_are_values() -> None:
    spec = job("night-dailies-spring", "placed")
    assert (spec["startingDeadlineSeconds"], spec["failedJobsHistoryLimit"]) == (7200, 1)
    each = spec["jobTemplate"]["spec"]
    assert (each["activeDeadlineSeconds"], each["backoffLimit"]) == (900, 3)


def test_a_manifest_is_read_through_the_links_of_a_config_map(tmp_path: Path) -> None:
    """Kubernetes mounts keys as links into a folder that it swaps; rows beside the manifest are found all the same."""
    (tmp_path / "..2026_11_20").mkdir()
    (tmp_path / "..data").symlink_to("..2026_11_20")
    texts = {"night.yaml": "version: 1\nitems_from: rows.csv\n", "rows.csv": "key,prompt\nboat,A paper boat\n"}
    for name, text in texts.items():
        (tmp_path / "..data" / name).write_text(text)
        (tmp_path / name).symlink_to(f"..data/{name}")
    manifest = load(tmp_path / "night.yaml", models=None)
    assert [item.key for item in manifest.items()] == ["boat"]
    assert manifest.name == "night"


def action(code: int) -> str:
    """What becomes of a Job when its container ends with this code: the first rule that matches, or Count."""
    rules = job(NIGHTLY)["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    for rule in rules:
        codes = rule.get("onExitCodes")
        if codes and codes["operator"] == "In" and code in codes["values"]:
            assert codes["containerName"] == "submit"
            return str(rule["action"])
    return "Count"


@pytest.mark.parametrize("code", [code for code in Exit if code is not Exit.DONE])
def test_a_job_is_tried_again_only_where_that_can_help(code: Exit) -> None:
    """A wrong manifest stays wrong; a Redis that is away comes back. Every exit code of the program has its rule."""
    fails = {Exit.INCOMPLETE, Exit.USAGE}
    assert action(code) == ("FailJob" if code in fails else "Count")
    assert job(NIGHTLY)["jobTemplate"]["spec"]["backoffLimit"] > 0
    assert pod(NIGHTLY)["restartPolicy"] == "Never"  # a podFailurePolicy needs it


def test_a_pod_that_was_evicted_has_not_failed() -> None:
    rules = job(NIGHTLY)["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    (evicted,) = [rule for rule in rules if "onPodConditions" in rule]
    assert evicted["action"] == "Ignore"
    assert [condition["type"] for condition in evicted["onPodConditions"]] == ["DisruptionTarget"]


def test_one_hanging_submit_does_not_cost_the_next_night() -> None:
    """No two at once, and each one ends within the hour."""
    assert job(NIGHTLY)["concurrencyPolicy"] == "Forbid"
    assert job(NIGHTLY)["jobTemplate"]["spec"]["activeDeadlineSeconds"] <= 3600


def test_the_date_in_a_batchs_name_is_that_of_the_schedules_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half past midnight in Stockholm is still yesterday in UTC."""
    (container,) = pod(NIGHTLY)["containers"]
    (zone,) = [v["value"] for v in container["env"] if v["name"] == "TZ"]
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        started = dt.datetime(2026, 11, 20, 23, 30, tzinfo=dt.UTC).astimezone()
        assert batch_name("night-{date}", started) == "night-2026-11-21"
    finally:
        monkeypatch.undo()
        time.tzset()
