"""How often, and when, a call to Azure Blob Storage is sent again."""

from __future__ import annotations

import asyncio
from typing import Any

from azure.core.exceptions import AzureError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.storage.blob.aio import LinearRetry

from orchestrator.settings.secret_file import SecretFile
from workers.identity.words import NoIdentity
from workers.sinks.blob_errors import seconds_asked

#: The longest that a call waits because the store asks it to (seconds); for longer, the step that made it is put off.
LONGEST_S = 5.0


class PatientRetry(LinearRetry):
    """A few tries, about a second apart, and not before the store wants to be asked again: the SDK's own policies do
    not read Retry-After. The archive step tries again by itself, for hours if need be, and must be able to hand back
    its claim; so no wait here is long.

    It is the first of Azure's policies that may wait, so a secret in a file is looked up here too, before each call."""

    def __init__(self, file: SecretFile | None = None) -> None:
        super().__init__(backoff=1, retry_total=2, random_jitter_range=1)
        self._file = file

    async def send(self, request: PipelineRequest[Any]) -> Any:  # type: ignore[override]
        if self._file is not None:
            await asyncio.to_thread(self._file.secret)
        return await super().send(request)  # type: ignore[no-untyped-call]

    def increment(
        self,
        settings: dict[str, Any],
        request: PipelineRequest[Any],
        response: PipelineResponse[Any, Any] | None = None,
        error: AzureError | None = None,
    ) -> bool:
        if isinstance(error, NoIdentity):
            return False  # who asked the identity has tried enough, and says so
        asked = seconds_asked(response.headers) if response is not None else None  # type: ignore[attr-defined]
        settings["asked_s"] = asked or 0.0
        more = super().increment(settings, request, response, error)
        return more and (asked is None or asked <= LONGEST_S)

    def get_backoff_time(self, settings: dict[str, Any]) -> float:
        return max(float(super().get_backoff_time(settings)), float(settings.get("asked_s", 0.0)))
