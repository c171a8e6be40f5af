"""An item: one video to make, after expansion."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """One video to make.

    - `key`: safe as a file name, at most 100 characters, unique in the batch without case
    - `size`: `WIDTHxHEIGHT` in pixels; `seconds`: its length
    - `input_reference`: the absolute path or http(s) URL of an image
    - `image_sha256`: hex hash of a local image's bytes; None for a URL until it was fetched
    - `remix_of`: key of an item of this batch, or the id of a remote video (`video_…`, `task_…`)
    - `priority`: larger first
    - `labels`: carried along; the written key stands there as `key` when it had to be transliterated
    - `line`: where it stands in its file, from 1
    - `deployment`: the only one that may make it; None for any that serves the model
    """

    key: str
    prompt: str
    model: str
    size: str
    seconds: int
    input_reference: str | None
    image_sha256: str | None
    remix_of: str | None
    priority: int
    labels: Mapping[str, str]
    line: int
    deployment: str | None = None

    @property
    def fingerprint(self) -> str:
        """`v1:` and the hex SHA-256 of all that decides what is rendered, and of nothing else.

        Stable across releases: an archived row is known again by it. It says which image only by the hash of its bytes.
        """
        content = {
            "image_sha256": self.image_sha256,
            "model": self.model,
            "prompt": self.prompt,
            "remix_of": self.remix_of,
            "seconds": self.seconds,
            "size": self.size,
        }
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return "v1:" + hashlib.sha256(canonical.encode("ascii")).hexdigest()
