"""A run tells by webhook how it went, at a real server; and nobody waits for one that is dead."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import yaml

from tests.dailies.typing_it import Place, dailies
from tests.main_job.night import running, until
from tests.workers.wire_server import WireServer, answer

SECRET_PATH = "services/T0123456/B0123456/a-long-secret-of-the-test"
MANIFEST = {
    "name": "spring",
    "defaults": {"model": "sora-2", "seconds": 4, "size": "1280x720"},
    "items": [{"key": "boat", "prompt": "A paper boat"}, {"key": "lamp", "prompt": "A lamp"}],
}


def prepared(path: Path, manifest: dict[str, Any], **hooks: str) -> tuple[str, ...]:
    """A manifest and the settings with these webhooks (name → kind); the command."""
    document = yaml.safe_load(path.read_text())
    document["notify"] = [
        {"name": name, "kind": kind, "url_env": f"HOOK_{name.upper()}", "allow": ["127.0.0.0/8"]}
        for name, kind in hooks.items()
    ]
    path.write_text(yaml.safe_dump(document))
    rows = path.parent / "spring.yaml"
    rows.write_text(yaml.safe_dump(manifest))
    return ("run", str(rows), "--config", str(path), "--yes")


async def test_a_run_tells_its_end_before_it_ends(place: Place) -> None:
    _, path = place
    command = prepared(path, MANIFEST, ops="generic", team="slack")
    async with WireServer([answer(200)]) as ops, WireServer([answer(200)]) as team:
        code, _, said = await dailies(*command, HOOK_OPS=ops.url, HOOK_TEAM=f"{team.url}/{SECRET_PATH}")
        assert code == 0, said
    (told,) = [request.json() for request in ops.requests]
    assert (told["type"], told["data"]["batch"]) == ("batch.ended", "spring")
    assert (told["data"]["items"]["archived"], told["data"]["failures"]) == (2, [])
    assert told["data"]["contact_sheet"].endswith("/archive/spring/index.html")
    (message,) = [request.json() for request in team.requests]
    assert message["text"] == "spring is done: 2 of 2 videos archived"


async def test_a_run_that_stops_says_what_it_needs(place: Place) -> None:
    _, path = place
    command = prepared(path, MANIFEST | {"budget_usd": 0.5}, ops="generic")
    async with WireServer([answer(204)]) as ops:
        code, _, said = await dailies(*command, HOOK_OPS=ops.url)
    assert code == 1, said
    (told,) = [request.json() for request in ops.requests]
    assert (told["type"], told["data"]["stopped"]["reason"]) == ("batch.stopped", "budget")
    assert told["data"]["items"] | {"archived": 1, "waiting": 1} == told["data"]["items"]


async def test_a_worker_that_does_not_archive_tells_too(place: Place) -> None:
    _, path = place
    command = prepared(path, MANIFEST | {"budget_usd": 0.1}, ops="generic")
    code, _, said = await dailies("submit", *command[1:])
    assert code == 0, said
    async with (
        WireServer([answer(204)]) as ops,
        running("-m", "dailies", "worker", "--only", "poll", "--config", str(path), HOOK_OPS=ops.url) as ours,
    ):

        async def told() -> bool:
            return bool(ops.requests)

        await until(told)
        (notice,) = [request.json() for request in ops.requests]
        ours.send(signal.SIGTERM)  # killed, it would leave its embedded Redis behind
        await ours.end()
    assert (notice["type"], notice["data"]["stopped"]["reason"]) == ("batch.stopped", "budget")


async def test_a_webhook_that_is_down_costs_a_run_nothing(place: Place) -> None:
    _, path = place
    command = prepared(path, MANIFEST, ops="slack")
    async with WireServer([answer(503, headers={"Retry-After": "60"})]) as dead:
        url = f"{dead.url}/{SECRET_PATH}"
        code, _, said = await dailies(*command, HOOK_OPS=url)
        assert code == 0, said
        assert len(dead.requests) == 1
    assert "1 notice for webhooks did not arrive yet" in said
    assert SECRET_PATH not in said


async def test_a_webhook_without_its_variable_is_refused_before_anything_is_made(place: Place) -> None:
    witness, path = place
    command = prepared(path, MANIFEST, ops="slack")
    code, _, said = await dailies(*command)
    assert (code, await witness.jobs()) == (2, [])
    assert "HOOK_OPS: is not set, but the webhook ops needs it" in said
    code, _, said = await dailies(*command, HOOK_OPS="hooks.slack.com/services/secret-without-scheme")
    assert code == 2
    assert "holds no URL that the webhook ops could be sent to" in said
    assert "secret-without-scheme" not in said
