"""One POST to a webhook, at a real server: what it says, how it is signed, and where it does not go."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from pydantic import SecretStr

from orchestrator.reports.notices import Notice
from orchestrator.settings import Notify
from tests.workers.wire_server import Script, WireServer, answer, drop
from workers.telling.notice_forms import slack, story, teams
from workers.telling.webhook import Undelivered, Webhook, key_of, signed

NOW = 1_790_000_000.7
FACTS: dict[str, Any] = {
    "at": "2026-11-21T06:00:00Z",
    "batch": "spring",
    "stopped": None,
    "items": {"total": 120, "archived": 118, "failed": 2, "held": 0},
    "cost_usd": {"confirmed": 94.4, "unknown": 1.6, "estimated": 96.0},
    "started_at": "2026-11-20T22:00:00Z",
    "ended_at": "2026-11-21T05:30:00Z",
    "failures": [
        {"reason": "moderation_input", "count": 2, "meaning": "the provider <does> not allow it", "mend": "change it"}
    ],
    "archive": "https://a.blob.core.windows.net/videos/spring/",
    "results": "https://a.blob.core.windows.net/videos/spring/results.csv",
    "contact_sheet": "https://a.blob.core.windows.net/videos/spring/index.html",
}
ENDED = Notice("msg_1", 1, 0.0, "ops", "ended", FACTS)
STOPPED = Notice(
    "msg_2", 1, 0.0, "ops", "stopped",
    FACTS | {"stopped": {"reason": "budget", "since": "", "resume": "dailies set spring --budget-usd 130"}},
)  # fmt: skip
EXPIRY = Notice(
    "msg_3", 1, 0.0, "ops", "expiry",
    {"at": "", "batch": "spring", "key": "hero", "left_s": 3000, "under_s": 3600, "waiting": 12, "drain_s": 80,
     "archivists": 0, "creates_closed": "unattended"},
)  # fmt: skip


def hook(
    url: str, kind: str = "generic", secret: str | None = None, allow: tuple[str, ...] = ("127.0.0.0/8",)
) -> Webhook:
    signed_by = {"secret_env": "SECRET"} if secret else {}
    settings = Notify.model_validate({"name": "ops", "kind": kind, "url_env": "HOOK", "allow": allow, **signed_by})
    return Webhook.open(settings, {"HOOK": url, "SECRET": secret or ""})


async def refused(webhook: Webhook) -> Undelivered:
    with pytest.raises(Undelivered) as caught:
        await webhook.post(ENDED, NOW)
    return caught.value


async def test_a_program_gets_all_that_is_known_signed_with_the_time() -> None:
    async with WireServer([answer(204)]) as server:
        await hook(f"{server.url}/in?x=1", secret="a secret of the test").post(ENDED, NOW)
    (got,) = server.requests
    assert (got.method, got.target, got.headers["content-type"]) == ("POST", "/in?x=1", "application/json")
    document = got.json()
    assert (document["id"], document["type"], document["timestamp"]) == ("msg_1", "batch.ended", FACTS["at"])
    assert document["data"]["failures"] == FACTS["failures"]
    assert (got.headers["webhook-id"], got.headers["webhook-timestamp"]) == ("msg_1", "1790000000")
    # As docs/notify.md says how to check it.
    text = b"msg_1.1790000000." + got.body
    expected = base64.b64encode(hmac.new(b"a secret of the test", text, hashlib.sha256).digest()).decode()
    assert got.headers["webhook-signature"] == f"v1,{expected}"


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example of the specification."""
    secret = SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', secret)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert key_of(secret) == base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert key_of(SecretStr("whsec_not base64!")) == b"whsec_not base64!"


async def test_without_a_secret_nothing_pretends_to_be_a_signature() -> None:
    async with WireServer([answer(200)]) as server:
        await hook(server.url).post(ENDED, NOW)
    assert "webhook-signature" not in server.requests[0].headers


async def test_slack_gets_blocks_within_its_limits_and_pings_nobody() -> None:
    async with WireServer([answer(200, b"ok")]) as server:
        await hook(f"{server.url}/services/T0/B0/x", "slack").post(ENDED, NOW)
    message = server.requests[0].json()
    assert message["text"] == "spring is done: 118 of 120 videos archived"
    kinds = [block["type"] for block in message["blocks"]]
    assert kinds == ["header", "section", "section", "section", "actions"]
    assert "2 × the provider &lt;does&gt; not allow it (moderation_input)" in message["blocks"][2]["text"]["text"]
    assert message["blocks"][-1]["elements"][0]["url"] == FACTS["contact_sheet"]
    assert "webhook-signature" not in server.requests[0].headers
    long = FACTS | {"failures": [{"reason": "r", "count": 1, "meaning": "<m" * 400, "mend": ""}] * 10}
    for block in slack(Notice("m", 1, 0, "ops", "ended", long))["blocks"]:
        assert len(block.get("text", {}).get("text", "")) <= 3000


async def test_teams_gets_one_adaptive_card() -> None:
    async with WireServer([answer(202)]) as server:
        await hook(server.url, "teams").post(ENDED, NOW)
    (attachment,) = server.requests[0].json()["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert card["body"][0]["text"] == "spring is done: 118 of 120 videos archived"
    assert {"title": "Spent", "value": "$94.40, and $1.60 unknown; $96.00 estimated"} in card["body"][1]["facts"]
    assert card["actions"] == [
        {"type": "Action.OpenUrl", "title": "Open the contact sheet", "url": FACTS["contact_sheet"]}
    ]


def test_each_occasion_has_its_words() -> None:
    stopped, expiry = story(STOPPED), story(EXPIRY)
    assert stopped.headline == "spring stopped and needs somebody: 118 of 120 videos archived"
    assert (stopped.advice, stopped.link) == ("budget: dailies set spring --budget-usd 130", None)
    assert expiry.headline == "Less than 60 minutes left to archive a finished video"
    assert ("Finished, not archived", "12") in expiry.facts
    assert "No creates start meanwhile (unattended)." in expiry.advice
    for notice in (STOPPED, EXPIRY):
        json.dumps([slack(notice), teams(notice)])


def test_a_sheet_that_stands_on_a_disk_is_named_and_not_linked() -> None:
    """Slack refuses a button that leads to a file."""
    told = story(Notice("m", 1, 0, "ops", "ended", FACTS | {"contact_sheet": "file:///archive/spring/index.html"}))
    assert told.link is None
    assert "Watch it: file:///archive/spring/index.html" in told.advice


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    """It may lead anywhere, and would take the message along."""
    async with WireServer([answer(200)]) as other:
        away = answer(status, headers={"Location": other.url})
        async with WireServer([away]) as server:
            error = await refused(hook(server.url))
    assert (len(server.requests), other.requests) == (1, [])
    assert "redirect" in str(error)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]", "169.254.169.254"])
async def test_an_inner_address_is_written_to_only_where_the_settings_allow_it(host: str) -> None:
    async with WireServer([answer(200)]) as server:
        error = await refused(hook(f"https://{host}:{server.port}/", allow=()))
        assert "is no public address" in str(error)
        assert server.requests == []


@pytest.mark.parametrize(
    ("script", "words", "again", "gone"),
    [
        (answer(500, b"no  \n service"), "HTTP 500: no service", None, False),
        (answer(429, headers={"Retry-After": "30"}), "HTTP 429", 30.0, False),
        (answer(503, headers={"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}), "HTTP 503", None, False),
        (answer(410), "HTTP 410", None, True),
        (answer(400, b"x" * 100_000), "HTTP 400: xxx", None, False),
        (drop, "RemoteProtocolError", None, False),
    ],
)
async def test_what_does_not_arrive_says_why(script: Script, words: str, again: float | None, gone: bool) -> None:
    async with WireServer([script]) as server:
        error = await refused(hook(server.url))
    assert words in str(error)
    assert (error.again_in_s, error.gone) == (again, gone)
    assert len(str(error)) < 500


async def test_a_server_that_repeats_the_secret_url_does_not_get_it_into_a_log() -> None:
    async with WireServer([answer(404, b"no such hook: /services/T0123/B0456/verysecret")]) as server:
        error = await refused(hook(f"{server.url}/services/T0123/B0456/verysecret", "slack"))
    assert "verysecret" not in str(error)
    assert "HTTP 404" in str(error)
