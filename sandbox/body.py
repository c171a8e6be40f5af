"""What a create sent, whichever way: a JSON object, or a form with text fields and files."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from sandbox.refusals import ApiError


@dataclass(frozen=True, slots=True)
class SentFile:
    field: str
    name: str
    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Body:
    """Fields by name. In a form every value is text; in JSON it is what JSON says."""

    fields: dict[str, Any]
    files: list[SentFile] = field(default_factory=list)
    is_form: bool = False


async def read_body(request: Request) -> Body:
    """Raises a 400 where the body cannot be read, a 415 where it is of another type."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type in ("multipart/form-data", "application/x-www-form-urlencoded"):
        return await _read_form(request)
    if content_type not in ("application/json", ""):
        raise ApiError(415, f"Unsupported content type: '{content_type}'. Use JSON or multipart/form-data.")
    try:
        fields = json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise ApiError(400, f"We could not parse the JSON body of your request: {error}") from error
    if not isinstance(fields, dict):
        raise ApiError(400, "The JSON body of your request is not an object.")
    return Body(fields)


async def _read_form(request: Request) -> Body:
    fields: dict[str, Any] = {}
    files: list[SentFile] = []
    async with request.form() as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                kind = value.content_type or "application/octet-stream"
                files.append(SentFile(name, value.filename or "", kind, await value.read()))
            else:
                fields[name] = value
    return Body(fields, files, is_form=True)
