"""Reads JSONL: one item a line, or lines of the OpenAI Batch form (`custom_id`, `method`, `url`, `body`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manifests.readers.entry import row_of
from manifests.readers.node import Node, NodePlaces
from manifests.readers.reading import Reading
from manifests.readers.row import Row
from manifests.readers.text_lines import lines
from manifests.vocabulary.fields import nearest

_BATCH = ("custom_id", "method", "url", "body")
_URLS = ("/v1/videos", "/openai/v1/videos")
# `metadata` and the like are refused as unknown: only what is rendered can stand in a body.
_BODY = ("prompt", "model", "size", "seconds", "input_reference")


class _TwiceNamed(ValueError):
    """An object names something twice. `.name` says what."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def read_rows(path: Path, reading: Reading) -> Iterator[Row]:
    """The rows, streaming. Blank lines are passed over."""
    for number, line in enumerate(lines(path, reading), 1):
        if not line.strip():
            continue
        try:
            content = _DECODER.decode(line.strip())
            node = _node(content)
        except _TwiceNamed as error:
            message = f"{error.name} stands twice in one object"
            reading.problem(number, None, error.name, error.name, message, "take one of them out")
            continue
        except json.JSONDecodeError as error:
            lead = len(line) - len(line.lstrip())
            hint = 'write one item a line, like {"prompt": "A paper boat"}'
            reading.problem(number, lead + error.colno, "", "", f"this is not JSON: {error.msg}", hint)
            continue
        except RecursionError:
            reading.problem(number, None, "", "", "values are nested too deeply", "an item is one flat object")
            continue
        places = NodePlaces(reading.file, "", node)
        batch = isinstance(content, dict) and not {"custom_id", "body", "url"}.isdisjoint(content)
        row = _batch_row(node, number, reading) if batch else row_of(node, places, number, reading)
        if row is not None:
            yield row


def _batch_row(node: Node, line: int, reading: Reading) -> Row | None:
    """An OpenAI Batch line as a row: its texts are taken as they are, braces included."""
    content = node.content if isinstance(node.content, dict) else {}
    for name in content.keys() - set(_BATCH):
        near = nearest(name, _BATCH)
        hint = f"did you mean {near}?" if near else f"a Batch line has {', '.join(_BATCH)}, and a body"
        reading.problem(line, None, name, name, f"{name} is not part of an OpenAI Batch line", hint)
    method, url = content.get("method", Node("POST")), content.get("url", Node(_URLS[0]))
    if method.text.upper() != "POST":
        reading.problem(line, None, "method", method.text, "only POST makes a video", 'write "method": "POST"')
    if url.text not in _URLS:
        reading.problem(line, None, "url", url.text, "the line is for another API", f'write "url": "{_URLS[0]}"')
    body = content.get("body", Node(None))
    if not isinstance(body.content, dict):
        message = f"body must be an object, and this is {body.kind}"
        reading.problem(line, None, "body", body.text, message, 'write "body": {"prompt": "…"}')
        return None
    fields = dict(body.content)
    for name in [name for name in fields if name not in _BODY]:
        del fields[name]
        near = nearest(name, _BODY)
        hint = f"did you mean {near}?" if near else f"a body may have {', '.join(_BODY)}"
        reading.problem(line, None, f"body.{name}", name, f"{name} is not a field that can be carried out here", hint)
    if "input_reference" in fields:
        fields["input_reference"] = _image(fields["input_reference"], line, reading)
    paths = {name: f"body.{name}" for name in fields} | {"key": "custom_id"}
    if "custom_id" in content:
        fields["key"] = content["custom_id"]
    item = Node(fields)
    row = row_of(item, NodePlaces(reading.file, "", item, paths=paths), line, reading)
    if row is not None:
        row.verbatim = True
    return row


def _image(node: Node, line: int, reading: Reading) -> Node:
    """`{"image_url": …}` as its URL. A file id names a file that only OpenAI has."""
    if not isinstance(node.content, dict):
        return node
    url = node.content.get("image_url")
    if url is None or len(node.content) > 1:
        names = ", ".join(node.content)
        message = "only an image_url can be carried out here"
        reading.problem(line, None, "body.input_reference", names, message, "write the path or URL of the image")
        return Node(None)
    return url


def _node(value: Any) -> Node:
    if isinstance(value, dict):
        return Node({name: _node(part) for name, part in value.items()})
    if isinstance(value, list):
        return Node([_node(part) for part in value])
    if isinstance(value, bool):
        return Node("true" if value else "false")
    return Node(value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceNamed(next(name for name in names if names.count(name) > 1))
    return content


# Numbers stay as they are written: `8` and `"8"` are the same, and no digit is lost.
_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_int=str, parse_float=str, parse_constant=str)
