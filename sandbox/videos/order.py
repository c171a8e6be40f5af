"""Reads what a Sora 2 create asks for, from JSON or from a form with a picture."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from sandbox.body import Body
from sandbox.config import SandboxDeployment
from sandbox.films.studio import Studio
from sandbox.job import Order
from sandbox.refusals import invalid_value, unknown_parameter, wrong_type
from sandbox.rules import check_seconds, check_size, check_text, rule_for

LONGEST_PROMPT = 32_000

_WHOLE = re.compile(r"[1-9][0-9]{0,2}")
_FIELDS = ("prompt", "model", "seconds", "size", "input_reference")
_PICTURES = ("image/jpeg", "image/png", "image/webp")
_LONGEST_DATA_URL = 20_971_520


async def read_order(body: Body, deployment: SandboxDeployment, studio: Studio) -> Order:
    """Raises a 400 that names the field. `seconds` is a string, as the real service insists."""
    for name in (*body.fields, *(file.field for file in body.files)):
        if name not in _FIELDS:
            raise unknown_parameter(name)
    rule = rule_for(deployment.model)
    prompt = check_text(body.fields, "prompt", LONGEST_PROMPT)
    size = body.fields.get("size", "720x1280")
    if not isinstance(size, str):
        raise wrong_type("size", "a string such as '720x1280'", size)
    width, height = check_size(rule, size)
    seconds = body.fields.get("seconds", "4")
    if not isinstance(seconds, str):
        raise wrong_type("seconds", "one of '4', '8', or '12'", seconds)
    if not _WHOLE.fullmatch(seconds):
        raise invalid_value("seconds", f"Invalid value: '{seconds}'.")
    length = check_seconds(rule, int(seconds), "seconds")
    picture = _reference(body)
    digest = None
    if picture is not None:
        await _check_picture(picture, width, height, studio)
        digest = hashlib.sha256(picture).hexdigest()
    return Order(deployment.name, prompt, width, height, length, input_reference_sha256=digest)


async def _check_picture(picture: bytes, width: int, height: int, studio: Studio) -> None:
    measured = await studio.inspect(picture)
    if measured is None:
        raise invalid_value("input_reference", "The reference is no JPEG, PNG or WebP picture.")
    if measured != (width, height):
        raise invalid_value(
            "input_reference",
            "Inpaint image must match the requested width and height: "
            f"it is {measured[0]}x{measured[1]}, but {width}x{height} was requested.",
        )


def _reference(body: Body) -> bytes | None:
    """The picture's bytes, from a file part or from JSON {"image_url": a data URL}."""
    files = [file for file in body.files if file.field == "input_reference"]
    if len(files) > 1:
        raise invalid_value("input_reference", "Only one reference can be given.")
    if files:
        if files[0].content_type not in _PICTURES:
            raise invalid_value(
                "input_reference",
                f"Unsupported mimetype ('{files[0].content_type}'). "
                "Supported values are: 'image/jpeg', 'image/png', and 'image/webp'.",
            )
        return files[0].data
    given = body.fields.get("input_reference")
    if given is None:
        return None
    if not isinstance(given, dict):
        raise wrong_type("input_reference", "an object with image_url, or a file", given)
    url = given.get("image_url")
    if not isinstance(url, str) or "file_id" in given:
        raise invalid_value("input_reference", "Give image_url; the sandbox keeps no files to name by file_id.")
    head, comma, data = url.partition(",")
    if not (head.startswith("data:image/") and head.endswith(";base64") and comma):
        raise invalid_value("input_reference.image_url", "Give a base64 data URL: the sandbox fetches nothing.")
    if len(url) > _LONGEST_DATA_URL:
        raise invalid_value("input_reference.image_url", f"At most {_LONGEST_DATA_URL} characters are taken.")
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise invalid_value("input_reference.image_url", f"The data URL is no base64: {error}.") from error
