"""The pin of a draft: the one deployment that may make its video, and whether that one can."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from manifests.draft import Draft
from manifests.problem import Problems, excerpt
from manifests.vocabulary.fields import nearest
from manifests.vocabulary.rules import ModelRule, Served
from manifests.vocabulary.spelling import tidy

#: A name that a deployment can have in dailies.yaml.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Pin(NamedTuple):
    """`name`: the deployment's; None for any that serves the model. `rule`: what can be made there, where that is known
    to differ from the model's. `holds`: nothing is wrong with it."""

    name: str | None = None
    rule: ModelRule | None = None
    holds: bool = True


_ANY = Pin()


class Pins:
    """Tells the pins of drafts."""

    def __init__(self, deployments: Mapping[str, Served] | None, problems: Problems, *, kept: bool) -> None:
        """`deployments`: what each serves, by its name; None: any name of the right form may be one.
        `kept`: False passes over pins that hold, so that any deployment may make what is pinned."""
        self._deployments, self._problems, self._kept = deployments, problems, kept

    def pin(self, draft: Draft, model: str, *, served: bool) -> Pin:
        """The pin of a draft of this model, which some deployment is known to serve or not; what is wrong is noted."""
        if "deployment" not in draft.fields:
            return _ANY
        name = tidy(draft.fields["deployment"])
        if self._deployments is None:
            if _NAME.fullmatch(name) is not None:
                return Pin(name) if self._kept else _ANY
            hint = "write it as in dailies.yaml: letters, digits, dots, dashes and underscores, at most 64 of them"
            return self._wrong(draft, "cannot be the name of a deployment", hint)
        there = self._deployments.get(name)
        if there is None:
            near = nearest(name, self._deployments)
            known = ", ".join(self._deployments) or "none"
            hint = f"did you mean {near}? Configured are: {known}" if near else f"configured are: {known}"
            return self._wrong(draft, f"no deployment is named {excerpt(name)}", hint)
        if there.model == model:
            return Pin(name, there.rule) if self._kept else _ANY
        if not served:
            return Pin(holds=False)  # which is said of the model
        meant = "" if "model" in draft.fields else ", which is meant where no model is given"
        others = [other for other, its in self._deployments.items() if its.model == model]
        hint = f"write model: {there.model}" + (f", or deployment: {' or '.join(others)}" if others else "")
        return self._wrong(draft, f"{name} serves {there.model}, and not {excerpt(model)}{meant}", hint)

    def _wrong(self, draft: Draft, message: str, hint: str) -> Pin:
        self._problems.add(draft.spot("deployment"), draft.fields["deployment"], message, hint)
        return Pin(holds=False)
