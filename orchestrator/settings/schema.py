"""Which keys the settings have, read off the models themselves, so that no second list can fall behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class WrittenAs:
    """Annotates a value that is no level of the settings, but is written as one: with the keys of `model`, from which
    `make` makes it. A value that is made already is taken as it is."""

    model: type[BaseModel]
    made: type
    make: Callable[[Any], object]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """As pydantic asks for it."""
        return core_schema.no_info_wrap_validator_function(
            self._read, handler.generate_schema(self.model), serialization=core_schema.to_string_ser_schema()
        )

    def _read(self, value: Any, check: Callable[[Any], BaseModel]) -> Any:
        return value if value is None or isinstance(value, self.made) else self.make(check(value))


def unwrap(annotation: Any) -> Any:
    """`X` for `X | None`; anything else as it is."""
    if get_origin(annotation) in (Union, UnionType):
        inner = [arg for arg in get_args(annotation) if arg is not NoneType]
        return inner[0] if len(inner) == 1 else annotation
    return annotation


def nullable(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, UnionType) and NoneType in get_args(annotation)


def is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def is_list(annotation: Any) -> bool:
    return get_origin(annotation) in (list, tuple, frozenset)


def is_map(annotation: Any) -> bool:
    return get_origin(annotation) is dict


def children(model: type[BaseModel]) -> dict[str, Any]:
    """Each key of a model with its annotation: of what is written there."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        written = next((mark.model for mark in field.metadata if isinstance(mark, WrittenAs)), None)
        found[name] = written | None if written is not None else field.annotation
    return found


def step(annotation: Any, part: str | int) -> Any:
    """The annotation one level down, or None when there is no such key. A list takes an index, a map any name."""
    annotation = unwrap(annotation)
    if is_map(annotation):
        return get_args(annotation)[1]
    if is_model(annotation):
        return children(annotation).get(str(part))
    if is_list(annotation) and isinstance(part, int):
        return get_args(annotation)[0]
    return None


def model_at(root: type[BaseModel], location: Location) -> type[BaseModel] | None:
    """The model that holds the keys at `location`, if a model stands there."""
    annotation: Any = root
    for part in location:
        annotation = step(annotation, part)
    annotation = unwrap(annotation)
    return annotation if is_model(annotation) else None


def known_locations(annotation: Any, before: Location = ()) -> list[Location]:
    """Every key there is, levels included; list entries stand as index 0, and a map's as NAME."""
    annotation = unwrap(annotation)
    if is_map(annotation):
        return known_locations(get_args(annotation)[1], (*before, "NAME"))
    if is_list(annotation) and is_model(get_args(annotation)[0]):
        return known_locations(get_args(annotation)[0], (*before, 0))
    if not is_model(annotation):
        return []
    found: list[Location] = []
    for name, inner in children(annotation).items():
        found += [(*before, name), *known_locations(inner, (*before, name))]
    return found


def known_paths(root: type[BaseModel]) -> list[str]:
    """Every key as it is written in text: `redis.url`, `deployments[].quota.burst`."""
    return [path_text(location).replace("[0]", "[]") for location in known_locations(root)]


def path_text(location: Location) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
