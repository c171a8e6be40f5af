"""Run by test_openai_client.py with a Python that has the `openai` package: BASE_URL KEY, prints what it saw."""

from __future__ import annotations

import json
import sys

import openai

DEPLOYMENT = "my-sora-2"


def main(base_url: str, key: str) -> None:
    client = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0)
    seen: dict[str, object] = {}
    try:
        openai.OpenAI(base_url=base_url, api_key="wrong", max_retries=0).videos.list()
    except openai.APIStatusError as error:
        seen["wrong_key"] = type(error).__name__
    try:
        client.videos.create(prompt="A boat", model="elsewhere")
    except openai.APIStatusError as error:
        seen["missing_deployment"] = type(error).__name__

    source = client.videos.create(prompt="A boat", model=DEPLOYMENT, size="1280x720", seconds="4")
    try:
        client.videos.create(prompt="Another", model=DEPLOYMENT)
    except openai.RateLimitError as error:
        body = error.response.json()
        seen["too_many"] = body["error"]["message"]
    done = client.videos.poll(source.id)
    remix = client.videos.remix(source.id, prompt="Now at night")
    night = client.videos.poll(remix.id)
    seen["status"] = [done.status, night.status]
    seen["seconds"] = done.seconds
    seen["film_starts"] = client.videos.download_content(source.id).read()[4:8].decode()
    seen["remixed_from_source"] = night.remixed_from_video_id == source.id
    seen["listed_newest_first"] = [video.id for video in client.videos.list(limit=1)] == [remix.id, source.id]
    seen["deleted"] = client.videos.delete(source.id).deleted and source.id not in {
        video.id for video in client.videos.list()
    }
    blocked = client.videos.create_and_poll(prompt="forbidden", model=DEPLOYMENT)
    seen["moderated"] = blocked.error.code if blocked.error else None
    print(json.dumps(seen))


main(sys.argv[1], sys.argv[2])
