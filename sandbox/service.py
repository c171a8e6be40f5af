"""The pretend service behind both APIs: takes orders under quota and decides at once how each will end."""

from __future__ import annotations

import asyncio
import random
import re
import uuid
from collections.abc import Callable

from sandbox.config import Api, SandboxConfig, SandboxDeployment
from sandbox.films.film import Film
from sandbox.films.studio import Studio
from sandbox.job import Failure, Job, Order, Phase
from sandbox.journal import Journal
from sandbox.ledger import Ledger
from sandbox.mischief.faults import Faults
from sandbox.quota import Quota
from sandbox.refusals import missing_deployment

_BLOCKED: dict[Api, Failure] = {
    "videos": Failure("moderation_blocked", "Your request was blocked by our moderation system."),
    "jobs": Failure("input_moderation", "Your request was blocked by our moderation system."),
}
_ID_PREFIX: dict[Api, str] = {"videos": "video_", "jobs": "task_"}


class Service:
    """All state of one sandbox. Belongs to one event loop; `clock` gives Unix seconds."""

    def __init__(self, config: SandboxConfig, clock: Callable[[], float]) -> None:
        self.config = config
        self.clock = clock
        self.dice = random.Random(config.seed)  # noqa: S311 - render times, no secrets
        self.faults = Faults(self.dice, clock)
        self.studio = Studio(config.pad_bytes)
        self.ledger = Ledger(Journal(config.state) if config.state else None)
        self.quotas = {
            deployment.name: Quota(deployment, config.rate_window_s, config.count_refused)
            for deployment in config.deployments
        }
        self.unknown_deployment = 0
        self.denied = 0
        self.lists = 0
        words = "|".join(re.escape(word) for word in config.block_words)
        self._blocked = re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE) if words else None
        for job in self.ledger:
            if quota := self.quotas.get(job.order.deployment):
                quota.take(job)

    def deployment(self, api: Api, name: str) -> SandboxDeployment:
        """Raises the 404 of a deployment that is not there, or that speaks the other API."""
        quota = self.quotas.get(name)
        if quota is None or quota.deployment.api != api:
            self.unknown_deployment += 1
            raise missing_deployment(name)
        return quota.deployment

    def refuse(self, deployment: str) -> None:
        """Count a create that was refused for another reason than its quota."""
        self.quotas[deployment].note_invalid(self.clock())

    def accept(self, order: Order, operation: str, failure: Failure | None = None) -> Job:
        """Start a job, or raise the quota's 429. `failure` makes it end failed, whatever its prompt."""
        now = self.clock()
        quota = self.quotas[order.deployment]
        if refusal := quota.check(operation, now):
            raise refusal
        api = quota.deployment.api
        if failure is None and self._blocked and self._blocked.search(order.prompt):
            failure = _BLOCKED[api]
        starts_at = now + self.config.queue_s
        finished_at = starts_at + self.dice.uniform(*self.config.render_s)
        job = Job(
            id=_ID_PREFIX[api] + uuid.uuid4().hex,
            api=api,
            model=quota.deployment.model,
            order=order,
            seq=self.ledger.next_seq(api),
            created_at=now,
            starts_at=starts_at,
            finished_at=finished_at,
            gone_at=max(finished_at, now + self.config.retention_s),
            failure=failure,
        )
        self.ledger.add(job)
        quota.take(job)
        if failure is None:
            self.studio.prepare(job.film)
        return job

    def looked_at(self, job: Job) -> None:
        """Count a GET of the job."""
        now = self.clock()
        job.gets += 1
        if job.first_get_after_finish_at is None and job.phase(now) in (Phase.SUCCEEDED, Phase.FAILED):
            job.first_get_after_finish_at = now

    async def film(self, job: Job, content_id: str, *, counted: bool) -> Film:
        """The film behind one content id of a job that succeeded; `counted` adds to its downloads."""
        film = await self.studio.film(job.film, content_id)
        if content_id not in job.sha256:
            job.sha256[content_id] = await asyncio.to_thread(film.sha256)
        job.downloads += counted
        return film

    def close(self) -> None:
        self.studio.close()
        self.ledger.close()
