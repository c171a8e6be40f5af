"""Validation: a draft becomes an order, or its problems are told, all of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from manifests.checking.image import UnusableImage, look_at
from manifests.checking.kind import Kind, Kinds
from manifests.checking.order import Order
from manifests.checking.pin import Pins
from manifests.draft import Draft
from manifests.key import LONGEST, default_key, is_remote_id, reserved, safe
from manifests.problem import Problems
from manifests.readers.node import UNPRINTABLE
from manifests.vocabulary.amount import size_of, whole_of
from manifests.vocabulary.rules import ModelRule

HIGHEST_PRIORITY = 1_000_000
_NO_IMAGE = (None, None)


class Validation:
    """Checks drafts against what the models can do. `folder`: what paths of images are relative to."""

    def __init__(self, folder: Path, models: Mapping[str, ModelRule] | None, pins: Pins, problems: Problems) -> None:
        self._folder, self._problems = folder, problems
        self._kinds = Kinds(models, pins, problems)

    def key(self, draft: Draft) -> str | None:
        """The item's key; None when it cannot be told, which is noted."""
        if "key" in draft.broken:
            return None
        written = draft.fields.get("key")
        if written is None:
            if "prompt" not in draft.fields:
                return None
            key = default_key(draft.fields["prompt"], self._kinds.content(draft))
        else:
            key = made = safe(written)
        if draft.take > 1:
            key += f"-{draft.take}"
        if written is None:
            return key
        if not made:
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

    def order(self, draft: Draft, key: str | None) -> Order | None:
        """What is ordered, None when anything is wrong with it; every problem is noted."""
        before = self._problems.count
        fields = draft.fields
        kind = self._kinds.kind(draft)
        model, rule = kind.model, kind.rule
        prompt = self._prompt(draft, model, rule)
        priority = self._priority(draft) if "priority" in fields else 0
        remix_of = self._remix_of(draft, model, rule) if "remix_of" in fields else None
        image = self._image(draft, kind) if "input_reference" in fields else _NO_IMAGE
        for name, label in draft.labels.items():
            if not label.isprintable() and UNPRINTABLE.search(label):
                spot = draft.label_spot(name)
                self._problems.add(spot, label, "has an unprintable character", "type the text anew")
        if key is None or prompt is None or draft.broken or self._problems.count > before:
            return None
        return Order(prompt, kind, image, remix_of, priority)

    def _prompt(self, draft: Draft, model: str, rule: ModelRule) -> str | None:
        prompt = draft.fields.get("prompt")
        if prompt is None:
            if "prompt" not in draft.broken:
                self._wrong(draft, "prompt", "the prompt is missing", "write what shall be seen")
        elif not prompt.isprintable() and (found := UNPRINTABLE.search(prompt)):
            message = f"has an unprintable character, U+{ord(found[0]):04X}"
            self._wrong(draft, "prompt", message, "type the text around it anew")
        elif rule.prompt_chars is not None and len(prompt) > rule.prompt_chars:
            message = f"is {len(prompt):,} characters long, and {model} takes {rule.prompt_chars:,}"
            self._wrong(draft, "prompt", message, "shorten it")
        return prompt

    def _priority(self, draft: Draft) -> int:
        priority = whole_of(draft.fields["priority"])
        if priority is not None and abs(priority) <= HIGHEST_PRIORITY:
            return priority
        message = f"must be a whole number from -{HIGHEST_PRIORITY} to {HIGHEST_PRIORITY}"
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

    def _image(self, draft: Draft, kind: Kind) -> tuple[str | None, str | None]:
        reference, rule = draft.fields["input_reference"], kind.rule
        if not rule.input_reference:
            self._wrong(draft, "input_reference", f"the API of {kind.model} takes no input image", "take it out")
            return _NO_IMAGE
        holds = size_of(draft.fields.get("size", kind.size), rule) == kind.size
        ordered = kind.size if holds and kind.size in (rule.sizes or (kind.size,)) else None
        try:
            return look_at(reference, self._folder, ordered, rule.sizes)
        except UnusableImage as error:
            self._wrong(draft, "input_reference", error.message, error.hint)
            return _NO_IMAGE

    def _wrong(self, draft: Draft, name: str, message: str, hint: str) -> None:
        self._problems.add(draft.spot(name), draft.fields.get(name, ""), message, hint)
