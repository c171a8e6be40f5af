"""Reads what a Sora 1 create asks for, from JSON or from a form with files."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from sandbox.body import Body, SentFile
from sandbox.config import SandboxDeployment
from sandbox.films.studio import Studio
from sandbox.job import Order
from sandbox.refusals import invalid_value, missing_parameter, wrong_type
from sandbox.rules import check_seconds, check_size, check_text, rule_for

_LONGEST_PROMPT = 4_000
_WHOLE = re.compile(r"[0-9]{1,9}")
_WHOLE_FRAME = {"left_fraction": 0.0, "top_fraction": 0.0, "right_fraction": 1.0, "bottom_fraction": 1.0}
_LONGEST_AT_1080P_S = 10


async def read_order(body: Body, deployment: SandboxDeployment, studio: Studio) -> Order:
    """Raises a 400 that names the field."""
    rule = rule_for(deployment.model)
    prompt = check_text(body.fields, "prompt", _LONGEST_PROMPT)
    width = _integer(body, "width", None)
    height = _integer(body, "height", None)
    check_size(rule, f"{width}x{height}", "width")
    seconds = check_seconds(rule, _integer(body, "n_seconds", 5), "n_seconds")
    variants = _integer(body, "n_variants", 1)
    if rule.sizes is not None:
        most = _most_variants(width, height)
        if not 1 <= variants <= most:
            raise invalid_value("n_variants", f"Invalid value: {variants}. At {width}x{height} there are 1 to {most}.")
        if min(width, height) >= 1080 and seconds > _LONGEST_AT_1080P_S:
            raise invalid_value("n_seconds", f"Invalid value: {seconds}. At 1080p at most {_LONGEST_AT_1080P_S}.")
    items, first = await _inpaint(body, studio)
    digest = hashlib.sha256(first.data).hexdigest() if first else None
    return Order(
        deployment.name,
        prompt,
        width,
        height,
        seconds,
        variants=variants,
        input_reference_sha256=digest,
        inpaint_items=items,
    )


def _most_variants(width: int, height: int) -> int:
    shorter = min(width, height)
    return 1 if shorter >= 1080 else 2 if shorter >= 720 else 4


def _integer(body: Body, name: str, default: int | None) -> int:
    value = body.fields.get(name)
    if value is None:
        if default is None:
            raise missing_parameter(name)
        return default
    if body.is_form and isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(name, "an integer", value)
    return value


async def _inpaint(body: Body, studio: Studio) -> tuple[list[dict[str, Any]] | None, SentFile | None]:
    """The items with their defaults filled in, and the file that the first one names."""
    given = body.fields.get("inpaint_items")
    files = {file.name: file for file in body.files if file.field == "files"}
    if given is None:
        if files:
            raise missing_parameter("inpaint_items")
        return None, None
    if isinstance(given, str):  # a form carries it as a JSON string
        try:
            given = json.loads(given)
        except ValueError as error:
            raise invalid_value("inpaint_items", f"inpaint_items is no JSON: {error}") from error
    if not isinstance(given, list) or not given:
        raise wrong_type("inpaint_items", "an array of objects", given)
    items = [_item(number, item, files) for number, item in enumerate(given)]
    for item in items:
        if await studio.inspect(files[item["file_name"]].data) is None:
            raise invalid_value("files", f"'{item['file_name']}' is no {item['type']} that can be read.")
    return items, files[items[0]["file_name"]]


def _item(number: int, item: object, files: dict[str, SentFile]) -> dict[str, Any]:
    at = f"inpaint_items[{number}]"
    if not isinstance(item, dict):
        raise wrong_type(at, "an object", item)
    kind, name, frame = item.get("type"), item.get("file_name"), item.get("frame_index", 0)
    if kind not in ("image", "video"):
        raise invalid_value(f"{at}.type", f"Invalid value: '{kind}'. Supported values are: 'image' and 'video'.")
    if name not in files:
        raise invalid_value(f"{at}.file_name", f"No uploaded file is named '{name}'.")
    if isinstance(frame, bool) or not isinstance(frame, int):
        raise wrong_type(f"{at}.frame_index", "an integer", frame)
    crop = item.get("crop_bounds") or _WHOLE_FRAME
    if not isinstance(crop, dict) or any(
        not isinstance(crop.get(side), int | float) or not 0 <= crop[side] <= 1 for side in _WHOLE_FRAME
    ):
        raise invalid_value(f"{at}.crop_bounds", f"Give {', '.join(_WHOLE_FRAME)}, each from 0 to 1.")
    return {"frame_index": frame, "type": kind, "file_name": name, "crop_bounds": crop}
