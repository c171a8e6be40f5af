"""Validation: a draft becomes an item, or its problems are told, all of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from manifests.amount import is_shape, seconds_of, size_of, whole_of
from manifests.draft import Draft
from manifests.fields import nearest
from manifests.image import UnusableImage, look_at
from manifests.item import Item
from manifests.key import LONGEST, default_key, is_remote_id, reserved, safe
from manifests.node import UNPRINTABLE
from manifests.problem import Problems, excerpt
from manifests.rules import ModelRule, rule_for
from manifests.spelling import tidy

DEFAULT_MODEL = "sora-2"
_HIGHEST_PRIORITY = 1_000_000


class Validation:
    """Checks drafts against what the models can do. `folder`: what paths of images are relative to."""

    def __init__(self, folder: Path, models: Mapping[str, ModelRule] | None, problems: Problems) -> None:
        self._folder, self._models, self._problems = folder, models, problems

    def key(self, draft: Draft) -> str | None:
        """The item's key; None when it cannot be told, which is noted."""
        if "key" in draft.broken:
            return None
        written = draft.fields.get("key")
        if written is None:
            if "prompt" not in draft.fields:
                return None
            key = default_key(draft.fields["prompt"], self._own(draft))
        else:
            key = safe(written)
        if draft.take > 1:
            key += f"-{draft.take}"
        if written is None:
            return key
        if not safe(written):
            message = "has no character that can stand in the name of a file"
            self._wrong(draft, "key", message, "use letters and digits")
        elif why := reserved(key):
            self._wrong(draft, "key", why, f"write another key, for example {key}-1")
        elif len(key) > LONGEST:
            message = f"is {len(key)} characters long as the name of a file, and {LONGEST} are possible"
            self._wrong(draft, "key", message, "write a shorter key")
        else:
            return key
        return None

    def _own(self, draft: Draft) -> Mapping[str, str]:
        """What the row itself says of the video, spelled plainly: `8s` and `8` are the same video, and so one key."""
        own = draft.own
        plain: dict[str, str | None] = {}
        if "model" in own:
            plain["model"] = _model(draft)
        if "size" in own:
            model = _model(draft)
            plain["size"] = size_of(own["size"], (self._models or {}).get(model) or rule_for(model))
        if "seconds" in own and (seconds := seconds_of(own["seconds"])) is not None:
            plain["seconds"] = str(seconds)
        return {**own, **{name: text for name, text in plain.items() if text is not None}} if plain else own

    def item(self, draft: Draft, key: str | None) -> Item | None:
        """The item, None when anything is wrong with it; every problem is noted."""
        before = self._problems.count
        fields = draft.fields
        model = _model(draft)
        rule = self._rule(draft, model)
        prompt = self._prompt(draft, model, rule)
        size = self._size(draft, model, rule)
        seconds = self._seconds(draft, model, rule)
        priority = self._priority(draft)
        remix_of = self._remix_of(draft, model, rule) if "remix_of" in fields else None
        image: tuple[str | None, str | None] = (None, None)
        if "input_reference" in fields:
            image = self._image(draft, model, rule)
        for name, label in draft.labels.items():
            if UNPRINTABLE.search(label):
                spot = draft.label_spot(name)
                self._problems.add(spot, label, "has an unprintable character", "type the text anew")
        if key is None or prompt is None or draft.broken or self._problems.count > before:
            return None
        labels = draft.labels
        written = fields.get("key")
        if written is not None and safe(written) != written:
            labels = {**labels, "key": written}
        return Item(key, prompt, model, size, seconds, *image, remix_of, priority, labels, draft.row.line)

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

    def _prompt(self, draft: Draft, model: str, rule: ModelRule) -> str | None:
        prompt = draft.fields.get("prompt")
        if prompt is None:
            if "prompt" not in draft.broken:
                self._wrong(draft, "prompt", "the prompt is missing", "write what shall be seen")
        elif found := UNPRINTABLE.search(prompt):
            message = f"has an unprintable character, U+{ord(found[0]):04X}"
            self._wrong(draft, "prompt", message, "type the text around it anew")
        elif rule.prompt_chars is not None and len(prompt) > rule.prompt_chars:
            message = f"is {len(prompt):,} characters long, and {model} takes {rule.prompt_chars:,}"
            self._wrong(draft, "prompt", message, "shorten it")
        return prompt

    def _size(self, draft: Draft, model: str, rule: ModelRule) -> str:
        text = draft.fields.get("size", rule.default_size)
        size = size_of(text, rule)
        can = f"it can make {', '.join(rule.sizes)}" if rule.sizes else f"write pixels, like {rule.default_size}"
        if size is None and not is_shape(text):
            known = f"one of {', '.join(rule.sizes)}" if rule.sizes else f"WIDTHxHEIGHT, like {rule.default_size}"
            self._wrong(draft, "size", "must be a width and a height in pixels with an x between", f"write {known}")
        elif size is None and rule.sizes is None:
            self._wrong(draft, "size", f"the sizes that {model} can make are not known here", can)
        elif size is None or (rule.sizes is not None and size not in rule.sizes):
            self._wrong(draft, "size", f"{model} cannot make {size or excerpt(tidy(text))}", can)
        return size or rule.default_size

    def _seconds(self, draft: Draft, model: str, rule: ModelRule) -> int:
        text = draft.fields.get("seconds")
        if text is None:
            return rule.default_seconds
        seconds = seconds_of(text)
        can = _listed(rule.seconds) if rule.seconds is not None else ""
        if seconds is None:
            hint = f"write a whole number; {model} can make {can}" if can else "write a whole number, like 4"
            self._wrong(draft, "seconds", "must be a whole number of seconds", hint)
            return rule.default_seconds
        if rule.seconds is not None and seconds not in rule.seconds:
            self._wrong(draft, "seconds", f"{model} cannot make {seconds} seconds", f"it can make {can}")
        return seconds

    def _priority(self, draft: Draft) -> int:
        text = draft.fields.get("priority")
        if text is None:
            return 0
        priority = whole_of(text)
        if priority is not None and abs(priority) <= _HIGHEST_PRIORITY:
            return priority
        message = f"must be a whole number from -{_HIGHEST_PRIORITY} to {_HIGHEST_PRIORITY}"
        self._wrong(draft, "priority", message, "larger goes first; leave it out for 0")
        return 0

    def _remix_of(self, draft: Draft, model: str, rule: ModelRule) -> str:
        source = draft.fields["remix_of"]
        if not rule.remix:
            hint = "take it out, or use a model such as sora-2"
            self._wrong(draft, "remix_of", f"the API of {model} has no remix", hint)
        elif "input_reference" in draft.fields:
            message = "a remix takes no input image: it begins from its source"
            self._wrong(draft, "input_reference", message, "take input_reference or remix_of out")
        return source if is_remote_id(source) else safe(source)

    def _image(self, draft: Draft, model: str, rule: ModelRule) -> tuple[str | None, str | None]:
        reference = draft.fields["input_reference"]
        if not rule.input_reference:
            self._wrong(draft, "input_reference", f"the API of {model} takes no input image", "take it out")
            return None, None
        try:
            return look_at(reference, self._folder)
        except UnusableImage as error:
            self._wrong(draft, "input_reference", error.message, error.hint)
            return None, None

    def _wrong(self, draft: Draft, name: str, message: str, hint: str) -> None:
        self._problems.add(draft.spot(name), draft.fields.get(name, ""), message, hint)


def _model(draft: Draft) -> str:
    model = draft.fields.get("model", DEFAULT_MODEL)
    return model if model.isascii() else tidy(model)


def _listed(seconds: tuple[int, ...]) -> str:
    """`1 to 20`, or `4, 8, 12`."""
    if len(seconds) > 2 and seconds == tuple(range(seconds[0], seconds[-1] + 1)):
        return f"{seconds[0]} to {seconds[-1]}"
    return ", ".join(map(str, seconds))
