"""Each request to a video API is told to whoever counts, once, with the status of its answer or that there was none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workers.wire_server import answer, drop
from workers.video_api import ApiError


async def test_answers_are_told_with_their_status_and_those_that_never_came_without(bench: Any) -> None:
    seen: list[tuple[str, int | None]] = []
    _, api = await bench(
        answer(200, {"id": "v", "status": "queued"}), answer(404, {"error": {"message": "no"}}), drop,
        seen=lambda method, status: seen.append((method, status)),
    )  # fmt: skip
    await api.get("v")
    for _ in range(2):
        with pytest.raises(ApiError):
            await api.get("v")
    assert seen == [("GET", 200), ("GET", 404), ("GET", None)]
