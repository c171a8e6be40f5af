"""What a worker answers to probes and scrapes, from before it can work until it has drained."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from orchestrator.items.states import Event
from orchestrator.ledger.store import Store
from orchestrator.metrics import GAUGES, Metrics
from orchestrator.redis.connection import connect
from orchestrator.settings import NO_BUDGETS
from orchestrator.settings.monitor import MonitorSettings
from tests.ledger import deployment, item, submit
from tests.main_job.night import until
from tests.servers import ROOT, redis_process
from workers import connections
from workers.health import Health
from workers.monitor import Monitor, PortTaken
from workers.sinks.directory import DirectorySink
from workers.worker import Worker

HERE = MonitorSettings(port=0)


async def ask(monitor: Monitor, path: str) -> tuple[int, str]:
    async with httpx.AsyncClient(timeout=30) as web:
        answer = await web.get(f"{monitor.url}{path}")
    return answer.status_code, answer.text


def metrics_of(page: str) -> dict[str, float]:
    lines = (line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


@asynccontextmanager
async def at_work(store: Store, archive: Path, health: Health) -> AsyncIterator[Worker]:
    """A worker without deployments, so that nothing is ever due."""
    worker = Worker(store, {}, DirectorySink(archive), claim_s=30)
    health.works(worker, store, [deployment("east")], NO_BUDGETS)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await task


async def test_before_it_works_it_is_alive_and_not_ready() -> None:
    health = Health()
    async with Monitor(HERE, health) as monitor:
        assert [(await ask(monitor, path))[0] for path in ("/livez", "/startupz", "/readyz")] == [200, 503, 503]
        health.waits("it waits for Redis, which does not answer")
        assert [(await ask(monitor, path))[0] for path in ("/livez", "/startupz", "/readyz")] == [200, 200, 503]
        assert "waits for Redis" in (await ask(monitor, "/readyz"))[1]
        status, page = await ask(monitor, "/metrics")
        assert (status, metrics_of(page)["dailies_ledger_up"]) == (200, 0)


async def test_it_is_ready_while_it_works_and_not_once_it_drains(store: Store, tmp_path: Path) -> None:
    health = Health()
    async with Monitor(HERE, health) as monitor:
        async with at_work(store, tmp_path, health) as worker:

            async def ready() -> bool:
                return (await ask(monitor, "/readyz"))[0] == 200

            await until(ready)
            worker.stop()
            assert "asked to stop" in (await ask(monitor, "/readyz"))[1]
        assert (await ask(monitor, "/livez"))[0] == 200


async def test_it_is_not_ready_while_a_loop_has_ended(store: Store, tmp_path: Path) -> None:
    health = Health()
    async with at_work(store, tmp_path, health) as worker:
        await asyncio.sleep(0)
        assert await health.unready() is None
        ended = asyncio.create_task(asyncio.sleep(0), name="poller")
        await ended
        worker._loops.append(ended)
        assert await health.unready() == "of its loops poller turns no more"
        worker._loops.remove(ended)


async def test_a_redis_that_goes_away_is_told_and_the_counters_stay(namespace: str, tmp_path: Path) -> None:
    health = Health()
    async with Monitor(HERE, health) as monitor:
        with redis_process(tmp_path / "redis") as server:
            store = Store(connect(server.url), namespace)
            worker = Worker(store, {}, DirectorySink(tmp_path), claim_s=30)
            worker._loops.append(forever := asyncio.create_task(asyncio.Event().wait()))  # type: ignore[arg-type]
            health.works(worker, store, [deployment("east")], NO_BUDGETS)
            store.metrics.admitted("east", 3)
            assert (await ask(monitor, "/readyz"))[0] == 200
            assert metrics_of((await ask(monitor, "/metrics"))[1])["dailies_ledger_up"] == 1
        status, words = await ask(monitor, "/readyz")
        assert (status, "Redis does not answer" in words) == (503, True)
        found = metrics_of((await ask(monitor, "/metrics"))[1])
        assert (found["dailies_ledger_up"], found['dailies_admissions_total{deployment="east"}']) == (0, 3)
        assert "dailies_held_items" not in found
        forever.cancel()
        await store.redis.aclose()


async def test_while_the_event_loop_is_stuck_nobody_hears_that_it_is_alive() -> None:
    ready, stick, stuck, go_on, end = (threading.Event() for _ in range(5))
    place: list[str] = []

    async def serve() -> None:
        async with Monitor(HERE, Health()) as monitor:
            place.append(monitor.url)
            ready.set()
            while not stick.is_set():
                await asyncio.sleep(0.01)
            stuck.set()
            go_on.wait(30)
            while not end.is_set():
                await asyncio.sleep(0.01)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        await asyncio.to_thread(ready.wait, 30)
        async with httpx.AsyncClient(timeout=30) as web:
            assert (await web.get(f"{place[0]}/livez")).status_code == 200
            stick.set()
            await asyncio.to_thread(stuck.wait, 30)
            asking = asyncio.create_task(web.get(f"{place[0]}/livez"))
            done, _ = await asyncio.wait([asking], timeout=0.3)
            assert not done
            go_on.set()
            assert (await asking).status_code == 200
    finally:
        for event in (stick, go_on, end):
            event.set()
        await asyncio.to_thread(thread.join)


async def test_a_port_that_is_taken_is_named_with_the_mend() -> None:
    async with Monitor(HERE, Health()) as monitor:
        port = int(monitor.url.rsplit(":", 1)[1])
        with pytest.raises(PortTaken, match=r"set monitor\.host and monitor\.port"):
            await Monitor(MonitorSettings(port=port), Health()).__aenter__()


async def test_without_a_port_it_answers_nowhere() -> None:
    async with Monitor(MonitorSettings(), Health()) as monitor:
        assert monitor.url == ""


async def test_the_page_is_what_prometheus_asks_of_metrics(store: Store, tmp_path: Path) -> None:
    """`promtool check metrics` finds names, units, types and help in order."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: run sh scripts/install-prometheus")
    await submit(store, [item("a")])
    health = Health()
    async with Monitor(HERE, health) as monitor, at_work(store, tmp_path, health):
        store.metrics.took("create", "done", 0.1)
        store.metrics.archived(10, 3.0)
        _, page = await ask(monitor, "/metrics")
    checked = await asyncio.to_thread(
        subprocess.run, [promtool, "check", "metrics"], input=page, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


async def test_however_many_items_and_batches_there_are_the_page_has_as_many_series(store: Store) -> None:
    """No label is made of what people or providers write."""
    health, pages = Health(), []
    health.works(Worker(store, {}, DirectorySink(Path("unused")), claim_s=30), store, [deployment("east")], NO_BUDGETS)
    for batch in ("spring", "summer", "autumn"):
        await submit(store, [item(f"{batch}{n}", prompt=f"a prompt of {batch} {n}") for n in range(30)], batch=batch)
        for status in range(100, 1000):
            store.metrics.answered("east", "GET", status)
        for reason in (f"a word of the provider {n}" for n in range(100)):
            store.metrics.moved(Event.FAILED, reason)
        pages.append(health.metrics.exposition(await health.gauges())[0].decode())
    assert len(metrics_of(pages[0])) == len(metrics_of(pages[2])) < 300
    assert "spring" not in pages[2]
    assert "prompt" not in pages[2]


def test_every_metric_is_in_the_docs_and_nothing_else_is() -> None:
    docs = (ROOT / "docs/monitoring.md").read_text()
    named = {line.split("`")[1].split("{")[0] for line in docs.splitlines() if line.startswith("| `dailies_")}
    own = {metric.name + ("_total" if metric.type == "counter" else "") for metric in Metrics()._registry.collect()}
    assert named == set(GAUGES) | {name for name in own if name.startswith("dailies_")}


@pytest.mark.parametrize("words", [b"", b"GET /livez HTTP/1.1\r\nHost: a"], ids=["say nothing", "never end a request"])
async def test_however_many_connections_ask_nothing_a_probe_is_answered(words: bytes) -> None:
    """Else whoever holds some open on the port has the cluster kill a worker that is well."""
    async with Monitor(HERE, Health()) as monitor, AsyncExitStack() as stack:
        callers = []
        for _ in range(3 * connections.MOST):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(monitor.url.rpartition(":")[2]))
            stack.callback(writer.close)
            writer.write(words)
            callers.append(reader)
        assert (await ask(monitor, "/livez"))[0] == 200
        assert await ended(callers[0])  # those that asked nothing for the longest have given way
        assert not callers[-1].at_eof()


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether the other side has closed; waits until it has."""
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


async def test_a_connection_that_asks_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that never ends its question, be it the first or the next."""
    monkeypatch.setattr(connections, "IDLE_S", 0.1)
    async with Monitor(HERE, Health()) as monitor, asyncio.timeout(100):
        whole = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
        for words in (b"", whole[:9], whole, whole + whole[:9]):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(monitor.url.rpartition(":")[2]))
            writer.write(words)
            if whole in words:
                assert b" 200 " in await reader.readline()
                await reader.readuntil(b"turns\n")
            assert await ended(reader)
            writer.close()
