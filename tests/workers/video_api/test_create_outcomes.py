"""Every way a create can end is exactly one of: accepted, refused, not sent, unknown. And it is sent at most once."""

from __future__ import annotations

import asyncio
import math
import socket
import time
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

from tests.workers.video_api.conftest import KEY
from tests.workers.wire_server import WireServer, answer, drop, hang, then_hang
from workers.identity.credentials import EntraToken
from workers.identity.entra import Identity
from workers.video_api import Accepted, NotSent, Order, RefusalKind, Refused, RemoteStatus, Unknown, boot_clock

ORDER = Order(prompt="A paper boat", model="my-sora2", size="1280x720", seconds=8)
JOB = {"id": "video_1", "object": "video", "status": "queued", "created_at": 1760627796, "prompt": None}
RUNNING = {
    "error": {"message": "Too many running tasks", "type": "video_generation_user_error", "param": None, "code": None}
}
NO_DEPLOYMENT = {
    "error": {
        "message": "The API deployment for this resource does not exist.",
        "type": "video_generation_user_error",
        "param": None,
        "code": None,
    }
}
RATE = {
    "error": {
        "code": "429",
        "message": "Requests to the Videos_Create Operation under Azure OpenAI API have exceeded call rate limit of "
        "your current pricing tier. Please retry after 7 seconds.",
    }
}
ALWAYS = math.inf


async def create(bench: Any, *scripts: Any, order: Order = ORDER, **knobs: Any) -> tuple[Any, WireServer]:
    server, api = await bench(*scripts, **knobs)
    return await api.create(order, send_by=ALWAYS), server


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_any_2xx_with_an_id_is_accepted_with_request_id_and_server_time(bench: Any, status: int) -> None:
    head = {"apim-request-id": "r-1", "Date": "Thu, 16 Oct 2025 15:16:36 GMT"}
    outcome, _ = await create(bench, answer(status, JOB, head))
    assert isinstance(outcome, Accepted)
    assert (outcome.remote_id, outcome.request_id, outcome.server_time) == ("video_1", "r-1", 1760627796.0)
    assert outcome.job.status is RemoteStatus.RUNNING


@pytest.mark.parametrize("header", ["apim-request-id", "x-request-id", "x-ms-request-id"])
async def test_each_request_id_header_is_known(bench: Any, header: str) -> None:
    outcome, _ = await create(bench, answer(500, {}, {header: "r-9"}))
    assert outcome.request_id == "r-9"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": {"message": "Missing required parameter: 'model'."}}, RefusalKind.INVALID),
        (400, {"code": "invalid_value", "message": "n_seconds"}, RefusalKind.INVALID),
        (400, {"detail": "Bad prompt: 'You exceeded your current quota'"}, RefusalKind.INVALID),
        (413, b"<html>Request Entity Too Large</html>", RefusalKind.INVALID),
        (415, {"detail": "Unsupported Media Type"}, RefusalKind.INVALID),
        (422, {"detail": [{"loc": ["body", "seconds"], "msg": "not allowed"}]}, RefusalKind.INVALID),
        (400, {"error": {"code": "moderation_blocked", "message": "Blocked."}}, RefusalKind.MODERATED),
        (
            400,
            {"code": "x", "message": "no", "inner_error": {"code": "ResponsibleAIPolicyViolation"}},
            RefusalKind.MODERATED,
        ),
        (400, {"error": {"code": "billing_hard_limit_reached", "message": "limit"}}, RefusalKind.QUOTA_EXHAUSTED),
        (401, {"error": {"code": "401", "message": "Access denied"}}, RefusalKind.AUTH),
        (403, b"", RefusalKind.AUTH),
        (403, {"statusCode": 403, "message": "Out of call volume quota."}, RefusalKind.QUOTA_EXHAUSTED),
        (404, NO_DEPLOYMENT, RefusalKind.DEPLOYMENT_MISSING),
        (404, {"detail": "Not Found"}, RefusalKind.DEPLOYMENT_MISSING),
        (404, {"error": {"message": "The model `sora-2` has been deprecated"}}, RefusalKind.MODEL_RETIRED),
        (410, {"error": {"message": "Gone"}}, RefusalKind.MODEL_RETIRED),
        (429, RATE, RefusalKind.RATE_LIMITED),
        (429, RUNNING, RefusalKind.TOO_MANY_RUNNING),
        (
            429,
            {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}},
            RefusalKind.QUOTA_EXHAUSTED,
        ),
        (
            429,
            {"error": {"message": "Rate limit reached (RPM)", "code": "rate_limit_exceeded"}},
            RefusalKind.RATE_LIMITED,
        ),
        (429, b"Too Many Requests", RefusalKind.RATE_LIMITED),
    ],
)
async def test_a_refusal_that_is_certain_is_refused_by_its_class(
    bench: Any, status: int, body: object, kind: RefusalKind
) -> None:
    outcome, server = await create(bench, answer(status, body))
    assert isinstance(outcome, Refused)
    assert (outcome.kind, outcome.status) == (kind, status)
    assert outcome.message
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, {"error": {"message": "Bad luck", "code": "x"}}),
        (429, b""),
        (502, RUNNING),
        (502, b"HTTP 429 Too many running tasks"),
        *[(status, {"error": {"message": "?"}}) for status in (301, 307, 402, 405, 408, 409, 418, 500, 503, 504)],
        (200, b"<html>OK</html>"),
        (200, b""),
        (200, {}),
        (200, {"id": ""}),
        (200, {"id": None, "status": "queued"}),
        (200, ["video_1"]),
        (200, {"id": ".."}),
        (200, b"[" * 200_000),
    ],
)
async def test_everything_that_is_not_certain_is_unknown_and_never_sent_again(
    bench: Any, status: int, body: object
) -> None:
    outcome, server = await create(bench, answer(status, body, {"Location": f"http://127.0.0.1:9/{status}"}))
    assert isinstance(outcome, Unknown)
    assert outcome.status == status
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "86400"}, 86400.0),
        ({"Retry-After": "9999999"}, 86400.0),
        ({"Retry-After": "7", "retry-after-ms": "6500"}, 6.5),
        ({"Retry-After": "7", "retry-after-ms": "soon"}, 7.0),
        ({"Retry-After": "Thu, 16 Oct 2025 15:17:06 GMT", "Date": "Thu, 16 Oct 2025 15:16:36 GMT"}, 30.0),
        ({"Retry-After": "Thu, 16 Oct 2025 15:16:00 GMT", "Date": "Thu, 16 Oct 2025 15:16:36 GMT"}, 0.0),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "later"}, None),
        ({}, None),
    ],
)
async def test_how_long_to_wait_is_read_in_every_form_and_nonsense_is_ignored(
    bench: Any, headers: dict[str, str], wait: float | None
) -> None:
    outcome, _ = await create(bench, answer(429, RATE, headers))
    assert outcome.retry_after_s == wait


async def test_a_server_that_hangs_up_before_it_answers_leaves_the_outcome_unknown(bench: Any) -> None:
    outcome, server = await create(bench, drop)
    assert isinstance(outcome, Unknown)
    assert (outcome.status, len(server.requests)) == (None, 1)


async def test_an_acceptance_that_is_cut_off_is_unknown_but_keeps_the_request_id(bench: Any) -> None:
    async def cut(writer: Any) -> None:
        await answer(200, b'{"id": "vid', {"apim-request-id": "r-2"}, length=500)(writer)
        writer.close()

    outcome, _ = await create(bench, cut)
    assert outcome == Unknown(outcome.reason, 200, "r-2")


async def test_a_refusal_that_is_cut_off_is_still_a_refusal(bench: Any) -> None:
    async def cut(writer: Any) -> None:
        await answer(400, b'{"error": {"mess', length=500)(writer)
        writer.close()

    outcome, _ = await create(bench, cut)
    assert isinstance(outcome, Refused)
    assert outcome.kind is RefusalKind.INVALID


async def test_an_answer_of_absurd_size_is_unknown_and_not_read(bench: Any) -> None:
    claimed, _ = await create(bench, then_hang(answer(200, b"{", length=9 * 1024 * 1024)))
    streamed, _ = await create(
        bench, answer(200, bytes(9 * 1024 * 1024), {"Content-Length": "", "Connection": "close"})
    )
    assert isinstance(claimed, Unknown)
    assert isinstance(streamed, Unknown)


async def test_a_server_that_never_answers_is_unknown_after_the_time_limit(bench: Any) -> None:
    outcome, server = await create(bench, hang, create_timeout_s=0.3)
    assert isinstance(outcome, Unknown)
    assert len(server.requests) == 1


async def test_a_server_that_drips_its_answer_is_bounded_by_the_time_limit_as_a_whole(bench: Any) -> None:
    async def drip(writer: Any) -> None:
        await answer(200, b"{", {"apim-request-id": "r-3"}, length=5000)(writer)
        while True:
            writer.write(b" ")
            await asyncio.sleep(0.02)

    outcome, _ = await create(bench, drip, create_timeout_s=0.3)
    assert outcome == Unknown(outcome.reason, 200, "r-3")


async def test_a_port_where_nobody_listens_means_not_sent(bench: Any) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        api = await bench.client(f"http://127.0.0.1:{held.getsockname()[1]}")
        assert isinstance(await api.create(ORDER, send_by=ALWAYS), NotSent)


async def test_a_name_that_does_not_resolve_means_not_sent(bench: Any) -> None:
    api = await bench.client("http://no-such-host.invalid")
    assert isinstance(await api.create(ORDER, send_by=ALWAYS), NotSent)


async def test_a_failed_tls_handshake_means_not_sent(bench: Any) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        api = await bench.client(f"https://127.0.0.1:{port}")
        assert isinstance(await api.create(ORDER, send_by=ALWAYS), NotSent)


async def test_a_tls_handshake_that_never_ends_means_not_sent_after_the_time_limit(bench: Any) -> None:
    writers = []
    server = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        api = await bench.client(f"https://127.0.0.1:{port}", create_timeout_s=0.3)
        assert isinstance(await api.create(ORDER, send_by=ALWAYS), NotSent)
        for writer in writers:
            writer.close()


async def test_past_its_send_by_instant_an_order_never_leaves(bench: Any) -> None:
    server, api = await bench(answer(200, JOB))
    assert isinstance(await api.create(ORDER, send_by=boot_clock() - 0.001), NotSent)
    assert server.requests == []
    assert isinstance(await api.create(ORDER, send_by=boot_clock() + 60), Accepted)


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="only Linux stops its monotonic clock for this one")
async def test_an_order_whose_machine_slept_past_send_by_never_leaves(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a suspend time.monotonic stands still, and the ledger's clock does not."""
    server, api = await bench(answer(200, JOB))
    send_by, read = boot_clock() + 60, time.clock_gettime
    slept = {time.CLOCK_BOOTTIME: 3600.0}
    monkeypatch.setattr(time, "clock_gettime", lambda clock: read(clock) + slept.get(clock, 0.0))
    assert isinstance(await api.create(ORDER, send_by=send_by), NotSent)
    assert server.requests == []


@pytest.mark.parametrize(("asked", "wait_s"), [("30", 30.0), ("864000", 86_400.0), ("soon", None), (None, None)])
async def test_an_unknown_outcome_says_how_long_the_server_asks_to_be_left_alone(
    bench: Any, asked: str | None, wait_s: float | None
) -> None:
    head = {} if asked is None else {"Retry-After": asked}

    async def cut(writer: Any) -> None:
        await answer(503, b"{", head, length=99)(writer)
        writer.close()

    for script in (answer(503, {}, head), answer(429, {"error": "busy"}, head), cut):
        outcome, _ = await create(bench, script)
        assert isinstance(outcome, Unknown)
        assert outcome.retry_after_s == wait_s


async def test_send_by_is_tested_after_the_connection_stands_not_before(bench: Any) -> None:
    """A worker that was stopped while it waited for a token must not send when it wakes."""
    late = boot_clock() + 0.05

    class SlowIdentity:
        async def get_token(self, *_: Any, **__: Any) -> Any:
            while boot_clock() <= late:
                pass
            return AccessToken("t", 2**33)

        async def __aenter__(self) -> None: ...

        async def __aexit__(self, *_: object) -> None: ...

    server, _ = await bench(answer(200, JOB))
    slow = EntraToken(identity=Identity(SlowIdentity))  # type: ignore[arg-type]
    api = await bench.client(server.url, credential=slow)
    assert isinstance(await api.create(ORDER, send_by=late), NotSent)
    assert server.requests == []


@pytest.mark.parametrize(
    ("error", "expected"), [(ClientAuthenticationError("no"), Refused), (ServiceRequestError("down"), NotSent)]
)
async def test_without_a_token_nothing_is_sent(bench: Any, error: Exception, expected: type) -> None:
    class NoIdentity:
        async def get_token(self, *_: Any, **__: Any) -> Any:
            raise error

        async def __aenter__(self) -> None: ...

        async def __aexit__(self, *_: object) -> None: ...

    server, _ = await bench(answer(200, JOB))
    nobody = EntraToken(identity=Identity(NoIdentity))  # type: ignore[arg-type]
    api = await bench.client(server.url, credential=nobody)
    outcome = await api.create(ORDER, send_by=ALWAYS)
    assert isinstance(outcome, expected)
    if isinstance(outcome, Refused):
        assert (outcome.kind, outcome.status) == (RefusalKind.AUTH, None)
    assert server.requests == []


async def test_a_proxy_that_opens_no_tunnel_means_not_sent(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async with WireServer([answer(502, b"")]) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        api = await bench.client("https://no-such-host.invalid")
        outcome = await api.create(ORDER, send_by=ALWAYS)
        assert isinstance(outcome, NotSent)
        assert [request.method for request in proxy.requests] == ["CONNECT"]
        assert KEY not in str(proxy.requests)


async def test_the_404_and_410_of_a_remix_are_about_its_source_unless_they_name_the_model(bench: Any) -> None:
    order = Order(prompt="At dusk", model="m", size="1280x720", seconds=4, remix_of="video_0")
    for status in (404, 410):
        outcome, _ = await create(bench, answer(status, NO_DEPLOYMENT), order=order)
        assert isinstance(outcome, Refused)
        assert outcome.kind is RefusalKind.SOURCE_MISSING
    gone = {"error": {"message": "The model `sora-2` has been deprecated"}}
    outcome, _ = await create(bench, answer(404, gone), order=order)
    assert outcome.kind is RefusalKind.MODEL_RETIRED


async def test_an_order_that_sora_1_cannot_carry_out_is_refused_before_it_is_sent(bench: Any) -> None:
    server, api = await bench(answer(200, JOB), api="jobs")
    for order in (
        Order(prompt="x", model="m", size="480x480", seconds=4, remix_of="task_1"),
        Order(prompt="x", model="m", size="large", seconds=4),
    ):
        outcome = await api.create(order, send_by=ALWAYS)
        assert isinstance(outcome, Refused)
        assert (outcome.kind, outcome.status) == (RefusalKind.INVALID, None)
    assert server.requests == []


async def test_each_create_has_a_connection_of_its_own(bench: Any) -> None:
    """A kept connection that the server has just dropped would make a plain refusal to connect an unknown outcome."""
    opened = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        await answer(200, JOB)(writer)

    server = await asyncio.start_server(count, "127.0.0.1", 0)
    async with server:
        api = await bench.client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        for _ in range(3):
            assert isinstance(await api.create(ORDER, send_by=ALWAYS), Accepted)
    assert opened == 3
