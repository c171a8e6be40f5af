"""A night on which somebody is called: a worker with its metrics, and whoever has nothing but the runbook."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.dailies.typing_it import dailies
from tests.main_job.night import Process, Witness, running, until
from tests.servers import free_port
from tests.test_runbook import SECTIONS, commands, environment


@dataclass
class OnCall:
    """`path`: the configuration of the workers, and of whoever is called."""

    path: Path
    witness: Witness
    port: int

    @classmethod
    def of(cls, path: Path, witness: Witness) -> OnCall:
        """With a port for the metrics of one worker."""
        settings = yaml.safe_load(path.read_text())
        port = free_port()
        path.write_text(yaml.safe_dump(settings | {"monitor": {"port": port}}))
        return cls(path, witness, port)

    async def submits(self, *keys: str) -> None:
        rows = self.path.with_name("night.yaml")
        items = [{"key": key, "prompt": f"A paper boat named {key}", "seconds": 4} for key in keys]
        rows.write_text(yaml.safe_dump({"name": "night", "items": items}))
        code, _, said = await dailies("submit", str(rows), "--config", str(self.path))
        assert code == 0, said

    async def types(self, alert: str, number: int, **meant: str) -> tuple[int, str]:
        """One of the three commands of an alert's section, its placeholders filled in: exit code and all it says."""
        words = shlex.split(commands(SECTIONS[alert])[number - 1])
        assert words.pop(0) == "dailies"
        for placeholder, meaning in meant.items():
            words = [word.replace(placeholder, meaning) for word in words]
        code, out, said = await dailies(*words, "--config", str(self.path))
        return code, out + said

    def worker(self, alert: str, number: int) -> object:
        """One that the runbook starts by hand, where the pods' worker has the port for metrics."""
        words = shlex.split(commands(SECTIONS[alert])[number - 1])
        assert words[:2] == ["dailies", "worker"]
        return running("-m", "dailies", *words[1:], "--config", str(self.path), **environment())

    async def metric(self, name: str, **labels: str) -> float | None:
        """As Prometheus reads it; None where it is not told, or nobody answers."""
        try:
            async with httpx.AsyncClient() as web:
                text = (await web.get(f"http://127.0.0.1:{self.port}/metrics")).text
        except httpx.HTTPError:
            return None
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return float(sample.value)
        return None

    async def sees(self, name: str, value: float, **labels: str) -> None:
        """Wait until a metric says so: what the alert asks for."""

        async def met() -> bool:
            return await self.metric(name, **labels) == value

        await until(met)

    async def ends_well(self, worker: Process, *before: Process) -> None:
        """The batch is reported, unless a worker that was there before has done so, and every item archived."""
        told = {"event": "batch.reported", "batch": "night"}
        if not any(told.items() <= line.items() for one in before for line in one.lines):
            await worker.saw("batch.reported", batch="night")
        code, out, said = await dailies("status", "night", "--json", "--config", str(self.path))
        counts = yaml.safe_load(out)["items"]
        assert code == 0, said
        assert counts["archived"] == counts["total"] > 0, counts
