"""How much a deployment may be asked: its own quota, or one of `quotas` that several share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError, model_validator

from orchestrator.settings.problems import nearest_name
from orchestrator.settings.section import Section, wrong

# Azure's quota is 2 creates a minute for Sora 2, and 60 with 2 jobs at once for Sora 1; its pages once
# swapped the two, so both limits are assumed for both.
QUOTAS: Mapping[str, Mapping[str, int | None]] = {
    "videos": {"per_minute": 2, "burst": 1, "concurrent": 2},
    "jobs": {"per_minute": 60, "burst": 1, "concurrent": 2},
}
#: How many jobs at once `concurrent: auto` begins with.
AUTO_START = 2


def _concurrent(value: object) -> object:
    """A number, null, or auto: one message for what is none of them."""
    if isinstance(value, str) and value.strip().lower() == "auto":
        return "auto"
    try:
        good = value is None or int(str(value)) >= 1
    except ValueError:
        good = False
    return value if good else wrong("must be a whole number, 1 or more, or auto, or null", "for example 2")


Concurrent = Annotated[int | Literal["auto"] | None, BeforeValidator(_concurrent)]


class Reserve(Section):
    """What of a quota is left to other programs."""

    per_minute: int = Field(0, description="creates a minute for other programs", ge=0)
    concurrent: int = Field(0, description="remote jobs at once for other programs", ge=0)


class Quota(Section):
    """What is allowed. None is no such limit; `auto` is found out, from 2 at once upwards."""

    per_minute: int | None = Field(description="creates a minute, or null for no such limit", ge=1)
    burst: int = Field(description="creates at once after a pause, 1 or more", ge=1)
    concurrent: Concurrent = Field(description="remote jobs at once: a number, auto, or null for no such limit")
    reserve: Reserve = Field(Reserve(), description="what is left to other programs: {per_minute, concurrent}")
    _shared_as: str = PrivateAttr("")

    @model_validator(mode="after")
    def _leaves_something(self) -> Quota:
        for name, limit, left in (
            ("per_minute", self.per_minute, self.reserve.per_minute),
            ("concurrent", self.concurrent, self.reserve.concurrent),
        ):
            if left and not isinstance(limit, int):
                wrong(f"reserves some of {name}, which has no number", f"write a number for {name}, or reserve none")
            if isinstance(limit, int) and left >= limit:
                wrong(f"reserves all of {name}", f"leave at least one: reserve.{name} below {limit}")
        return self

    @property
    def shared_as(self) -> str:
        """Its name among `quotas`; empty where it is a deployment's own."""
        return self._shared_as

    @property
    def own_per_minute(self) -> int | None:
        """Creates a minute that are ours."""
        return None if self.per_minute is None else self.per_minute - self.reserve.per_minute

    @property
    def own_concurrent(self) -> int | None:
        """Remote jobs at once that are ours; None where there is no number, by `null` or `auto`."""
        return self.concurrent - self.reserve.concurrent if isinstance(self.concurrent, int) else None

    @property
    def auto(self) -> bool:
        """Whether the number of jobs at once is found out."""
        return self.concurrent == "auto"


class _Nameless:
    """A quota was named that is not there."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name, self.known = name, sorted(known)


def own_or_named(value: object) -> object:
    """A quota's keys, or one of `quotas` that was put in the place of its name."""
    if isinstance(value, _Nameless):
        hint = nearest_name(value.name, value.known) if value.known else "write quotas: with an entry of this name"
        wrong(f"names a quota that is not among quotas: {value.name}", hint)
    return value


def with_defaults(written: object, api: object) -> object:
    """A quota as written, with the keys that were left out as the API's usual quota has them."""
    return {**QUOTAS.get(str(api), QUOTAS["videos"]), **written} if isinstance(written, Mapping) else written


def shared(written: Mapping[str, Any], deployments: Iterable[Any]) -> tuple[dict[str, Any], list[Any]]:
    """The quotas with their defaults, and the deployments with the quota itself in place of each name of one.

    Defaults are those of the API of the first deployment that names it. What is wrong with a quota is said where it is
    written, not at those who name it.
    """
    quotas = {name: (with_defaults(quota, "videos")) for name, quota in written.items()}
    made: dict[str, Quota] = {}
    found = []
    for entry in deployments:
        name = entry.get("quota") if isinstance(entry, Mapping) else None
        if not isinstance(name, str):
            found.append(entry)
            continue
        if name in written and name not in made:
            quotas[name] = with_defaults(written[name], entry.get("api", "videos"))
            made[name] = _made(quotas[name], name)
        found.append({**entry, "quota": made.get(name) or _Nameless(name, written)})
    return quotas, found


def _made(facts: object, name: str) -> Quota:
    try:
        quota = Quota.model_validate(facts)
    except ValidationError:
        quota = Quota.model_validate(QUOTAS["videos"])
    quota._shared_as = name
    return quota
