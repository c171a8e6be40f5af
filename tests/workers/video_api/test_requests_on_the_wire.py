"""What exactly is sent: paths, headers, JSON and forms, as the two APIs want them."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from tests.workers.video_api.conftest import KEY
from tests.workers.wire_server import answer
from workers.identity.credentials import ApiKey, Bearer
from workers.video_api import Image, Order
from workers.video_api.client import base_of

JOB = {"id": "video_1", "object": "video", "status": "queued"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


async def sent(bench: Any, order: Order, api: str = "videos") -> Any:
    server, client = await bench(answer(200, JOB), api=api)
    await client.create(order, send_by=math.inf)
    assert len(server.requests) == 1
    return server.requests[0]


async def test_sora_2_gets_json_with_seconds_as_a_string(bench: Any) -> None:
    request = await sent(bench, Order(prompt="A paper boat – 紙船", model="dep", size="1280x720", seconds=8))
    assert (request.method, request.target) == ("POST", "/openai/v1/videos")
    assert request.json() == {"prompt": "A paper boat – 紙船", "model": "dep", "size": "1280x720", "seconds": "8"}
    assert request.headers["content-type"] == "application/json"
    assert request.headers["api-key"] == KEY
    assert "authorization" not in request.headers


async def test_sora_2_gets_a_picture_as_a_form(bench: Any) -> None:
    image = Image(name='bo"at ü.png', content_type="image/png", data=PNG)
    request = await sent(bench, Order(prompt="Ein Boot", model="dep", size="1280x720", seconds=8, image=image))
    form = request.form()
    assert set(form) == {"prompt", "model", "seconds", "size", "input_reference"}
    assert {name: form[name].get_payload(decode=True) for name in ("seconds", "size", "model", "prompt")} == {
        "seconds": b"8",
        "size": b"1280x720",
        "model": b"dep",
        "prompt": b"Ein Boot",
    }
    part = form["input_reference"]
    assert part.get_payload(decode=True) == PNG
    assert part.get_content_type() == "image/png"
    assert part.get_filename() == "bo-at--.png"


async def test_a_remix_sends_the_prompt_alone_to_its_source_whatever_the_id_looks_like(bench: Any) -> None:
    order = Order(prompt="At dusk", model="dep", size="1280x720", seconds=8, remix_of="video_a/b=?#%2F é")
    request = await sent(bench, order)
    assert request.target == "/openai/v1/videos/video_a%2Fb%3D%3F%23%252F%20%C3%A9/remix"
    assert request.json() == {"prompt": "At dusk"}


async def test_sora_1_gets_numbers_in_json(bench: Any) -> None:
    request = await sent(bench, Order(prompt="A boat", model="dep", size="854x480", seconds=5), "jobs")
    assert (request.method, request.target) == ("POST", "/openai/v1/video/generations/jobs?api-version=preview")
    assert request.json() == {
        "prompt": "A boat",
        "model": "dep",
        "width": 854,
        "height": 480,
        "n_seconds": 5,
        "n_variants": 1,
    }


async def test_sora_1_gets_a_picture_whose_file_name_is_the_one_its_inpaint_item_names(bench: Any) -> None:
    image = Image(name="bo;at ü.jpg", content_type="image/jpeg", data=PNG)
    request = await sent(bench, Order(prompt="A boat", model="dep", size="480x480", seconds=5, image=image), "jobs")
    form = request.form()
    (item,) = json.loads(form["inpaint_items"].get_payload(decode=True))
    assert item["file_name"] == form["files"].get_filename() == "bo-at--.jpg"
    assert (item["frame_index"], item["type"]) == (0, "image")
    assert item["crop_bounds"] == {
        "left_fraction": 0.0,
        "top_fraction": 0.0,
        "right_fraction": 1.0,
        "bottom_fraction": 1.0,
    }
    assert form["files"].get_payload(decode=True) == PNG
    assert form["n_seconds"].get_payload(decode=True) == b"5"
    assert form["width"].get_payload(decode=True) == b"480"


async def test_a_prompt_with_half_a_surrogate_pair_is_sent_or_refused_but_never_a_crash(bench: Any) -> None:
    image = Image(name="a.png", content_type="image/png", data=PNG)
    plain = Order(prompt="broken \ud83d text", model="dep", size="480x480", seconds=4)
    assert (await sent(bench, plain)).json()["prompt"] == "broken \ud83d text"
    _, api = await bench(answer(200, JOB))
    order = Order(prompt="broken \ud83d text", model="dep", size="480x480", seconds=4, image=image)
    outcome = await api.create(order, send_by=math.inf)
    assert (outcome.kind, outcome.status) == ("invalid", None)


async def test_a_bearer_key_goes_into_authorization_alone(bench: Any) -> None:
    server, _ = await bench(answer(200, JOB))
    api = await bench.client(server.url + "/v1", credential=Bearer("sk-1"))
    await api.get("video_1")
    assert server.requests[0].headers["authorization"] == "Bearer sk-1"
    assert "api-key" not in server.requests[0].headers
    assert server.requests[0].target == "/v1/videos/video_1"


@pytest.mark.parametrize(
    ("endpoint", "base"),
    [
        ("https://r.openai.azure.com", "https://r.openai.azure.com/openai/v1"),
        ("https://r.openai.azure.com/", "https://r.openai.azure.com/openai/v1"),
        ("https://r.openai.azure.com/openai/v1/", "https://r.openai.azure.com/openai/v1"),
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("http://127.0.0.1:8787/gate/v1/", "http://127.0.0.1:8787/gate/v1"),
        ("https://proxy.example/azure", "https://proxy.example/azure/openai/v1"),
    ],
)
def test_an_endpoint_that_ends_in_v1_is_used_as_it_is(endpoint: str, base: str) -> None:
    assert base_of(endpoint) == base


@pytest.mark.parametrize(
    "endpoint", ["r.openai.azure.com", "ftp://x/v1", "https://u:p@x/v1", "https://x/v1?k=1", "https://"]
)
def test_an_endpoint_that_is_no_plain_url_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="endpoint"):
        base_of(endpoint)


def test_a_key_with_a_line_break_around_it_is_trimmed_and_one_within_is_refused_without_showing_it() -> None:
    assert repr(ApiKey("abc\n")) == repr(ApiKey("abc"))
    for bad in ("", "a b", "se\ncret", "schlüssel"):
        with pytest.raises(ValueError, match="API key") as refusal:
            ApiKey(bad)
        assert not bad or bad not in str(refusal.value)
