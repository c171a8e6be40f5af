"""`dailies deployments` as a person types it: what it shows, how one is paused and resumed, and taken out."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from dailies.cli import app
from dailies.session import open_all
from dailies.terminal.exits import Unusable
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event
from orchestrator.ledger.keys import Keys, Ref
from orchestrator.ledger.store import Store
from orchestrator.redis.connection import connect
from orchestrator.settings import load_settings
from tests.dailies.typing_it import Place, dailies
from tests.ledger import accept, admit, intend, item, submit
from tests.ledger import deployment as ledger_deployment
from tests.main_job.night import config, deployment, running

Deed = Callable[[Store], Awaitable[Any]]


class Terminal:
    """Commands against one configuration, and what is done to its ledger meanwhile."""

    def __init__(self, folder: Path, redis_url: str, namespace: str) -> None:
        self.folder, self.redis_url, self.namespace = folder, redis_url, namespace
        self.configure("east", "west")

    def configure(self, *names: str, **more: Any) -> None:
        self.path = config(
            self.folder / "dailies.yaml",
            redis_url=self.redis_url,
            namespace=self.namespace,
            archive={"url": str(self.folder / "archive")},
            deployments=[deployment(name, f"http://127.0.0.1:1/{name}", **more) for name in names],
        )

    def types(self, *words: str) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        done = CliRunner().invoke(app, ["deployments", *words, "--config", str(self.path)])
        return done.exit_code, done.stdout, done.stderr

    def document(self, *words: str) -> Any:
        code, out, said = self.types(*words, "--json")
        assert code == 0, said
        return json.loads(out)

    def shown(self, name: str = "east") -> dict[str, Any]:
        found: dict[str, Any] = next(each for each in self.document() if each["name"] == name)
        return found

    def meanwhile(self, deed: Deed) -> None:
        async def do() -> None:
            redis = connect(self.redis_url, queue_name=Keys(self.namespace).queue("create"))
            try:
                await deed(Store(redis, self.namespace))
            finally:
                await redis.aclose()

        asyncio.run(do())


@pytest.fixture
def terminal(tmp_path: Path, redis_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("SANDBOX_KEY", "any")
    return Terminal(tmp_path, redis_url, namespace)


async def renders(store: Store) -> None:
    """One item renders at `east`."""
    await submit(store, [item("a")])
    (claim,) = (await admit(store, ledger_deployment())).admitted
    await intend(store, claim)
    await accept(store, claim, "video_1")


async def is_made(store: Store) -> None:
    """What rendered there came to nothing."""
    found = await store.load(Ref("spring", "a"))
    assert found is not None
    await store.apply(found.ref, found.version, Decision(Event.FAILED, {"reason": "moderated"}, money="none"))


async def is_stopped(store: Store) -> None:
    await store.judge("east", {"stop": "auth", "message": "Access denied due to invalid key"})


def test_a_document_has_what_scripts_rely_on(terminal: Terminal) -> None:
    terminal.configure("east", quota={"per_minute": 3, "burst": 2, "concurrent": 2, "reserve": {"per_minute": 1}})
    (found,) = terminal.document()
    assert (found["name"], found["model"], found["state"], found["reason"]) == ("east", "sora-2", "open", None)
    assert found["quota"] == {
        "name": None, "per_minute": 3, "burst": 2, "concurrent": 2, "reserve": {"per_minute": 1, "concurrent": 0},
    }  # fmt: skip
    assert (found["tokens"], found["slots_used"], found["slots"]) == (2, 0, 2)
    assert (found["learned"], found["paused_until"]) == (None, None)


@pytest.mark.parametrize("shared", [False, True])
def test_jobs_of_strangers_are_told_where_nobody_said_that_others_create_there(
    terminal: Terminal, shared: bool
) -> None:
    """Another installation on the same resource, perhaps: each could take the other's job for its own."""

    async def strangers(store: Store) -> None:
        await renders(store)
        scope = (await store.read(store.keys.deployment("east")))["scope"]
        await store.redis.hset(store.keys.recovery(scope), "strays", "2")

    terminal.configure("east", shared=shared)
    terminal.meanwhile(strangers)
    assert terminal.shown()["unknown_jobs"] == 2
    _, out, _ = terminal.types()
    words = "2 jobs listed there when Redis began anew were nobody's here: dailies reconcile --audit. If others create"
    assert (words in out) is not shared


def test_people_see_a_table_with_units_and_a_line_for_what_is_closed(terminal: Terminal) -> None:
    terminal.configure("east", "west", quota={"per_minute": 2, "burst": 1, "concurrent": 2})
    terminal.meanwhile(is_stopped)
    code, out, said = terminal.types()
    assert code == 0, said
    head, east, west, *notes = [line.rstrip() for line in out.splitlines()]
    assert head.split() == ["name", "model", "quota", "learned", "tokens", "slots", "state"]
    assert "2 a minute, burst 1, 2 at once  nothing  1 of 1  0 of 2  stopped" in east
    assert west.endswith("open")
    assert west.index("sora-2") == east.index("sora-2") == head.index("model")
    assert notes[0].startswith("east: stopped since ")
    assert "auth: Access denied due to invalid key; it is asked again when a worker runs: none does" in notes[0]
    assert notes[1] == "east: dailies deployments resume east lets creates start there at once"


def test_without_a_deployment_the_command_says_what_to_write(terminal: Terminal) -> None:
    terminal.configure()
    code, out, _ = terminal.types()
    assert code == 0
    assert "no deployment is configured" in out


def test_a_pause_is_kept_with_its_end_its_reason_and_who_asked_and_a_resume_ends_it(terminal: Terminal) -> None:
    paused = terminal.document("pause", "east", "--for", "2h", "--reason", "the resource moves")
    assert (paused["paused"], paused["state"], paused["reason"]) == (True, "paused", "the resource moves")
    assert paused["paused_until"] - paused["paused_at"] == pytest.approx(7200, abs=1)
    assert paused["paused_by"]
    assert terminal.shown() == paused
    assert terminal.shown("west")["state"] == "open"
    resumed = terminal.document("resume", "east")
    assert (resumed["paused"], resumed["state"], resumed["paused_until"]) == (False, "open", None)


def test_a_pause_says_what_becomes_of_what_is_there(terminal: Terminal) -> None:
    terminal.meanwhile(renders)
    code, out, _ = terminal.types("pause", "east")
    assert code == 0
    assert out.splitlines() == [
        "east is paused until it is resumed: no create starts there",
        "  1 job in flight: that goes on",
        "  items that wait for sora-2 go to west",
        "  dailies deployments resume east ends the pause",
    ]
    _, out, _ = terminal.types("pause", "west")
    assert "no other deployment of sora-2 is open: its items wait" in out


async def is_worked_at(store: Store) -> None:
    """A worker that archives was there a moment ago."""
    seconds, _ = await store.redis.time()
    await store.redis.zadd(f"{store.keys.prefix}archivists", {"worker": int(seconds) * 1000})


def test_a_probe_is_promised_only_where_a_worker_may_be_there_to_ask(terminal: Terminal) -> None:
    terminal.meanwhile(is_stopped)
    terminal.meanwhile(is_worked_at)
    _, out, _ = terminal.types()
    assert re.search(r"; it is asked again at 20\d\d-\d\d-\d\d \d\d:\d\d \S+, by any worker that runs then\n", out)


def test_a_pause_sends_items_only_where_some_are_taken(terminal: Terminal) -> None:
    terminal.configure("east", "west", "north")
    terminal.meanwhile(is_stopped)
    _, out, _ = terminal.types("pause", "west")
    assert "  items that wait for sora-2 go to north\n" in out
    assert "  east takes none now: stopped since " in out
    _, out, _ = terminal.types("pause", "north", "--reason", "new key")
    assert "  no other deployment of sora-2 is open: its items wait\n" in out
    assert "  west takes none now: paused by " in out


async def renders_at_both(store: Store) -> None:
    """Two items render at `east`, one at `west`; they share a quota."""
    sharing = {name: ledger_deployment(name, concurrent=3, shared_as="account") for name in ("east", "west")}
    await submit(store, [item(key) for key in "abc"], deployments=sharing.values())
    for name in ("east", "east", "west"):
        await admit(store, sharing[name], most=1)


def test_slots_of_a_shared_quota_are_those_of_all_who_share_it(terminal: Terminal) -> None:
    terminal.configure("east", "west", quota="account")
    settings = yaml.safe_load(terminal.path.read_text())
    settings["quotas"] = {"account": {"per_minute": None, "concurrent": 3}}
    terminal.path.write_text(yaml.safe_dump(settings))
    terminal.meanwhile(renders_at_both)
    code, out, said = terminal.types()
    assert code == 0, said
    _, east, west = (line for line in out.splitlines())
    assert " 2 (3 of 3 in account) " in east
    assert " 1 (3 of 3 in account) " in west


def test_options_may_stand_before_the_verb(terminal: Terminal) -> None:
    done = CliRunner().invoke(app, ["deployments", "--config", str(terminal.path), "pause", "east"])
    assert done.exit_code == 0, done.stderr
    assert terminal.shown()["paused"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pause", "eats"), "there is no deployment eats: did you mean east? (there are east, west)"),
        (("resume", "north"), "there is no deployment north: the nearest known one is west; known here: east, west\n"),
        (("pause", "east", "--for", "soon"), "--for soon is no length of time: write it like 2h, 90m or 1h30m"),
        (("pause", "east", "--for", "0m"), "--for 0m is no length of time"),
        (("pause", "east", "--until", "later"), "--until later is no time: write it like 08:00"),
        (("pause", "east", "--until", "2001-01-01T00:00"), "--until 2001-01-01T00:00 is over already"),
        (("pause", "east", "--for", "2h", "--until", "08:00"), "give one of them"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence_and_changes_nothing(
    terminal: Terminal, words: tuple[str, ...], said: str
) -> None:
    before = terminal.document()
    code, out, err = terminal.types(*words)
    assert (code, out) == (2, "")
    assert said in err
    assert terminal.document() == before


def test_a_stopped_deployment_shows_its_next_probe_and_is_resumed_by_hand(terminal: Terminal) -> None:
    terminal.meanwhile(is_stopped)
    found = terminal.shown()
    assert (found["stopped"], found["reason"]) == ("auth", "auth: Access denied due to invalid key")
    assert found["next_probe_at"] - found["stopped_at"] == pytest.approx(60, abs=1)
    _, out, _ = terminal.types("resume", "east")
    assert out == "east is open: creates start there again\n"
    assert (terminal.shown()["stopped"], terminal.shown()["next_probe_at"]) == (None, None)


def test_a_deployment_is_taken_out_once_it_is_drained(terminal: Terminal) -> None:
    terminal.meanwhile(renders)
    terminal.types("pause", "east")
    assert not terminal.shown()["drained"]
    _, out, _ = terminal.types()
    assert "east: not drained: 1 job in flight" in out
    terminal.meanwhile(is_made)
    assert terminal.shown()["drained"]
    _, out, _ = terminal.types()
    assert "east: drained: it can be taken out of the configuration" in out


async def test_taking_one_out_too_early_is_refused_with_the_way_to_do_it(
    terminal: Terminal, redis: Any, namespace: str
) -> None:
    await renders(Store(redis, namespace))
    terminal.configure("west")
    with pytest.raises(Unusable, match=r"deployment east is missing .*dailies deployments pause east.* drained"):
        async with open_all(load_settings(terminal.path, {"SANDBOX_KEY": "any"})):
            pass


def test_one_that_was_taken_out_too_early_is_still_shown(terminal: Terminal) -> None:
    terminal.meanwhile(renders)
    terminal.configure("west")
    found = terminal.shown("east")
    assert (found["configured"], found["state"], found["slots_used"]) == (False, "removed", 1)
    _, out, _ = terminal.types()
    assert "east: not in the configuration any more, but 1 job in flight: put it back" in out
    terminal.meanwhile(is_made)
    assert [each["name"] for each in terminal.document()] == ["west"]


async def test_a_run_whose_deployments_are_paused_ends_and_says_how_to_go_on(place: Place, tmp_path: Path) -> None:
    witness, path = place
    rows = tmp_path / "spring.csv"
    rows.write_text("key,prompt\nboat,A paper boat\n")
    assert (await dailies("deployments", "pause", "east", "--config", str(path)))[0] == 0
    code, out, _ = await dailies("run", str(rows), "--config", str(path), "--json")
    stopped = json.loads(out)["stopped"]
    assert (code, stopped["reason"], await witness.jobs()) == (3, "deployments_paused", [])
    assert stopped["resume"].endswith("dailies deployments resume east")
    assert (await dailies("deployments", "resume", "east", "--config", str(path)))[0] == 0
    code, out, said = await dailies("run", str(rows), "--config", str(path), "--json")
    assert (code, json.loads(out)["items"]["archived"]) == (0, 1), said


async def test_the_log_tells_of_a_stop_and_of_the_probe_with_which_the_next_start_begins(
    place: Place, tmp_path: Path
) -> None:
    _, path = place
    rows = tmp_path / "spring.csv"
    rows.write_text("key,prompt\nboat,A paper boat\n")
    run = ("-m", "dailies", "--log-level", "info", "run", str(rows), "--config", str(path))
    async with running(*run, SANDBOX_KEY="wrong") as process:
        line = await process.saw("deployment.stopped", deployment="east", reason="auth")
        assert line["probed_in_s"] == 60
        assert await process.end() == 3
    async with running(*run, SANDBOX_KEY="wrong") as process:
        line = await process.saw("deployment.probed", deployment="east", passed=False)
        assert line["probed_in_s"] == 120
        assert await process.end() == 3
    async with running(*run) as process:
        await process.saw("deployment.resumed", deployment="east", reason="auth")
        assert await process.end() == 0
