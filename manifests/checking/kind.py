"""The kind of a video: which model, size and seconds a draft asks for, and whether the model can make that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from manifests.checking.pin import Pins
from manifests.draft import Draft
from manifests.key import canonical
from manifests.problem import Problems, excerpt
from manifests.readers.node import UNPRINTABLE
from manifests.vocabulary.amount import is_shape, seconds_of, size_of
from manifests.vocabulary.fields import nearest
from manifests.vocabulary.rules import ModelRule, rule_for
from manifests.vocabulary.spelling import tidy

DEFAULT_MODEL = "sora-2"
_REMEMBERED = 1_000

_Asked = tuple[str | None, str | None, str | None, str | None]


class Kind(NamedTuple):
    """What is ordered, and the model's rule. Where something is wrong, the model's defaults stand in for it.

    `named`: model, size and seconds. `deployment`: the only one that may make it; None for any of the model.
    """

    model: str
    rule: ModelRule
    size: str
    seconds: int
    named: tuple[str, str, int]
    deployment: str | None = None

    @property
    def priced(self) -> tuple[str, str, int] | tuple[str, str, int, str]:
        """What decides its price: `named`, and the deployment where only one may make it."""
        return self.named if self.deployment is None else (*self.named, self.deployment)


class Kinds:
    """Tells the kinds of drafts. A batch has few: what was found sound once is not looked at again."""

    def __init__(self, models: Mapping[str, ModelRule] | None, pins: Pins, problems: Problems) -> None:
        self._models, self._pins, self._problems = models, pins, problems
        self._sound: dict[_Asked, Kind] = {}
        self._contents: dict[tuple[_Asked, _Asked], str] = {}

    def kind(self, draft: Draft) -> Kind:
        """The kind of a draft; what is wrong with it is noted."""
        asked = _asked(draft.fields)
        if (known := self._sound.get(asked)) is not None:
            return known
        model = _model(draft.fields)
        rule = self._rule(draft, model)
        served = model in self._models if self._models is not None else not UNPRINTABLE.search(model)
        pin = self._pins.pin(draft, model, served=served)
        rule, maker = (pin.rule, f"{model} at {pin.name}") if pin.rule is not None else (rule, model)
        size, size_holds = self._size(draft, maker, rule)
        seconds, seconds_hold = self._seconds(draft, maker, rule)
        kind = Kind(model, rule, size, seconds, (model, size, seconds), pin.name)
        if served and pin.holds and size_holds and seconds_hold and len(self._sound) < _REMEMBERED:
            self._sound[asked] = kind
        return kind

    def content(self, draft: Draft) -> str:
        """What the row itself says of the video, canonical and spelled plainly: `8s` and `8` are one video, one key."""
        fields, row = draft.fields, draft.row.fields
        if draft.axes or "input_reference" in row or "remix_of" in row:
            return canonical(self._own(draft))
        said = _asked(row)
        asked = said, said if fields is row else _asked(fields)
        content = self._contents.get(asked)
        if content is None:
            content = canonical(self._own(draft))
            if len(self._contents) < _REMEMBERED:
                self._contents[asked] = content
        return content

    def _own(self, draft: Draft) -> Mapping[str, str]:
        own = draft.own()
        plain: dict[str, str | None] = {}
        if "model" in own:
            plain["model"] = _model(own)
        if "size" in own:
            model = _model({**draft.fields, **own})
            plain["size"] = size_of(own["size"], (self._models or {}).get(model) or rule_for(model))
        if "seconds" in own and (seconds := seconds_of(own["seconds"])) is not None:
            plain["seconds"] = str(seconds)
        return {**own, **{name: text for name, text in plain.items() if text is not None}} if plain else own

    def _rule(self, draft: Draft, model: str) -> ModelRule:
        if self._models is None:
            if UNPRINTABLE.search(model):
                self._wrong(draft, "model", "has an unprintable character", "type the name anew")
            return rule_for(model)
        if model in self._models:
            return self._models[model]
        near = nearest(model, self._models)
        served = ", ".join(self._models) or "none"
        hint = f"did you mean {near}? Served are: {served}" if near else f"served are: {served}"
        given = "model" in draft.fields
        spot = draft.spot("model")
        if not given:  # true of every item that names none: said once
            spot = spot._replace(line=None, column=None, path="model", shared=True)
        what = f"no deployment serves {excerpt(model)}" + ("" if given else ", which is meant where no model is given")
        self._problems.add(spot, model, what, hint)
        return rule_for("")

    def _size(self, draft: Draft, maker: str, rule: ModelRule) -> tuple[str, bool]:
        text = draft.fields.get("size", rule.default_size)
        size = size_of(text, rule)
        if size is not None and (rule.sizes is None or size in rule.sizes):
            return size, True
        can = f"it can make {', '.join(rule.sizes)}" if rule.sizes else f"write pixels, like {rule.default_size}"
        if size is None and not is_shape(text):
            known = f"one of {', '.join(rule.sizes)}" if rule.sizes else f"WIDTHxHEIGHT, like {rule.default_size}"
            self._wrong(draft, "size", "must be a width and a height in pixels with an x between", f"write {known}")
        elif size is None and rule.sizes is None:
            self._wrong(draft, "size", f"the sizes that {maker} can make are not known here", can)
        else:
            self._wrong(draft, "size", f"{maker} cannot make {size or excerpt(tidy(text))}", can)
        return size or rule.default_size, False

    def _seconds(self, draft: Draft, maker: str, rule: ModelRule) -> tuple[int, bool]:
        text = draft.fields.get("seconds")
        if text is None:
            return rule.default_seconds, True
        seconds = seconds_of(text)
        if seconds is not None and (rule.seconds is None or seconds in rule.seconds):
            return seconds, True
        can = _listed(rule.seconds) if rule.seconds is not None else ""
        if seconds is None:
            hint = f"write a whole number; {maker} can make {can}" if can else "write a whole number, like 4"
            self._wrong(draft, "seconds", "must be a whole number of seconds", hint)
            return rule.default_seconds, False
        self._wrong(draft, "seconds", f"{maker} cannot make {seconds} seconds", f"it can make {can}")
        return seconds, False

    def _wrong(self, draft: Draft, name: str, message: str, hint: str) -> None:
        self._problems.add(draft.spot(name), draft.fields.get(name, ""), message, hint)


def _asked(fields: Mapping[str, str]) -> _Asked:
    return fields.get("model"), fields.get("size"), fields.get("seconds"), fields.get("deployment")


def _model(fields: Mapping[str, str]) -> str:
    model = fields.get("model", DEFAULT_MODEL)
    return model if model.isascii() else tidy(model)


def _listed(seconds: tuple[int, ...]) -> str:
    """`1 to 20`, or `4, 8, 12`."""
    if len(seconds) > 2 and seconds == tuple(range(seconds[0], seconds[-1] + 1)):
        return f"{seconds[0]} to {seconds[-1]}"
    return ", ".join(map(str, seconds))
