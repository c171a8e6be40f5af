"""A key or token that is refused with 401: another is fetched once; questions are asked again, creates never are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from orchestrator.items.states import Event
from orchestrator.settings.secret_file import SecretFile
from tests.ledger import deployment
from tests.workers.wire_server import answer
from workers.identity.credentials import ApiKey, Bearer
from workers.rendering.verdict import decide
from workers.video_api import Denied, Order, RefusalKind, Refused, boot_clock

ORDER = Order(prompt="A paper boat", model="sora-2", size="1280x720", seconds=8)
JOB = {"id": "video_1", "object": "video", "status": "queued", "created_at": 1760627796, "prompt": None}
WRONG = {"error": {"code": "401", "message": "Access denied due to invalid subscription key or wrong API endpoint."}}
NO, YES = answer(401, WRONG), answer(200, JOB)


class Tokens:
    """A credential with tokens to give, one after the other; each is asked for when the one before was refused."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.refused: list[str] = []

    async def header(self) -> tuple[str, str]:
        return "Authorization", f"Bearer {self.tokens[0]}"

    async def renewed(self, refused: str) -> bool:
        self.refused.append(refused)
        if len(self.tokens) > 1 and refused == f"Bearer {self.tokens[0]}":
            self.tokens.pop(0)
        return refused != f"Bearer {self.tokens[0]}"

    def hide(self, text: str) -> str:
        return text

    async def aclose(self) -> None: ...


def key_file(folder: Path, key: str = "the-first-key") -> SecretFile:
    path = folder / "key"
    path.write_text(f"{key}\n")
    return SecretFile(str(path), "the deployment east", setting="auth.api_key_file")


def sent(server: Any) -> list[str]:
    return [each.headers.get("authorization") or each.headers.get("api-key") for each in server.requests]


async def test_a_question_is_asked_again_with_the_new_token(bench: Any) -> None:
    server, api = await bench(NO, YES, credential=Tokens("old", "new"))
    assert (await api.get("video_1")).remote_id == "video_1"
    assert sent(server) == ["Bearer old", "Bearer new"]


async def test_a_question_is_asked_again_once_only(bench: Any) -> None:
    server, api = await bench(NO, credential=Tokens("old", "new", "newest"))
    with pytest.raises(Denied):
        await api.get("video_1")
    assert sent(server) == ["Bearer old", "Bearer new"]


async def test_without_another_token_nothing_is_asked_again(bench: Any) -> None:
    server, api = await bench(NO, credential=Tokens("only"))
    with pytest.raises(Denied):
        await api.get("video_1")
    assert len(server.requests) == 1


async def test_a_refused_create_is_never_sent_again_and_the_next_goes_with_the_new_token(bench: Any) -> None:
    server, api = await bench(NO, YES, credential=Tokens("old", "new"))
    outcome = await api.create(ORDER, send_by=boot_clock() + 60)
    assert isinstance(outcome, Refused)
    assert (outcome.kind, outcome.status) == (RefusalKind.STALE_PROOF, 401)
    assert sent(server) == ["Bearer old"]
    await api.create(ORDER, send_by=boot_clock() + 60)
    assert sent(server) == ["Bearer old", "Bearer new"]


async def test_a_create_that_is_refused_with_the_newest_token_speaks_against_the_deployment(bench: Any) -> None:
    _, api = await bench(NO, credential=Tokens("only"))
    outcome = await api.create(ORDER, send_by=boot_clock() + 60)
    assert isinstance(outcome, Refused)
    assert outcome.kind is RefusalKind.AUTH


async def test_a_403_asks_for_no_token_since_rights_are_missing(bench: Any) -> None:
    credential = Tokens("old", "new")
    _, api = await bench(answer(403, WRONG), credential=credential)
    outcome = await api.create(ORDER, send_by=boot_clock() + 60)
    assert isinstance(outcome, Refused)
    assert (outcome.kind, credential.refused) == (RefusalKind.AUTH, [])


def test_a_create_with_an_old_token_sends_its_item_back_and_stops_nothing() -> None:
    refused = Refused(RefusalKind.STALE_PROOF, 401, None, "expired", "req-1", None)
    decision = decide(refused, deployment())
    assert (decision.event, decision.money, decision.deployment) == (Event.RETURNED, "none", None)


async def test_a_download_is_asked_for_again_with_the_new_token(bench: Any) -> None:
    video = answer(200, b"\0" * 64, {"Content-Type": "video/mp4"})
    server, api = await bench(NO, video, credential=Tokens("old", "new"))
    async with api.content("video_1") as content:
        assert b"".join([chunk async for chunk in content.chunks]) == b"\0" * 64
    assert sent(server) == ["Bearer old", "Bearer new"]


async def test_a_key_file_that_changed_counts_from_the_next_request_on(bench: Any, tmp_path: Path) -> None:
    file = key_file(tmp_path)
    server, api = await bench(YES, credential=ApiKey(file))
    await api.get("video_1")
    (tmp_path / "new").write_text("the-second-key")
    (tmp_path / "new").rename(tmp_path / "key")
    await api.get("video_1")
    assert sent(server) == ["the-first-key", "the-second-key"]


async def test_a_refused_key_is_read_again_although_its_file_looks_unchanged(bench: Any, tmp_path: Path) -> None:
    """As on file systems of a network, which tell of a change late."""
    file = key_file(tmp_path)
    server, api = await bench(NO, YES, credential=Bearer(file))
    signs = os.stat(tmp_path / "key")
    (tmp_path / "key").write_text("the-other-key\n")
    os.utime(tmp_path / "key", ns=(signs.st_atime_ns, signs.st_mtime_ns))
    await api.get("video_1")
    assert sent(server) == ["Bearer the-first-key", "Bearer the-other-key"]


@pytest.mark.parametrize("found", ["", "two words\n"])
async def test_a_key_that_is_half_written_is_not_used(bench: Any, tmp_path: Path, found: str) -> None:
    file = key_file(tmp_path)
    server, api = await bench(YES, credential=ApiKey(file))
    (tmp_path / "key").write_text(found)
    await api.get("video_1")
    (tmp_path / "key").unlink()
    await api.get("video_1")
    assert sent(server) == ["the-first-key", "the-first-key"]


async def test_neither_the_old_nor_the_new_key_is_shown_where_a_server_echoes_them(tmp_path: Path) -> None:
    credential = ApiKey(key_file(tmp_path))
    (tmp_path / "key").write_text("the-second-key")
    await credential.header()
    assert credential.hide("old the-first-key, new the-second-key") == "old **********, new **********"
    assert "key" not in repr(credential).lower().replace("apikey", "")
