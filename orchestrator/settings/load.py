"""From `dailies.yaml` and the environment to settings, or to every problem at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from manifests.problem import Problem
from orchestrator.settings.environment import CONFIG_VARIABLE, overlay, without_configuration
from orchestrator.settings.file import read_file
from orchestrator.settings.problems import SettingsError, problems_of
from orchestrator.settings.settings import Settings
from orchestrator.settings.tree import ENVIRONMENT, Tree

USUAL_FILE = Path("dailies.yaml")


def load_settings(config: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings: the file `config`, else the one DAILIES_CONFIG names, else ./dailies.yaml if there.

    The environment (`environ`, else this process's) beats the file. SettingsError has every problem found.
    """
    environ = os.environ if environ is None else environ
    tree = _file(config, environ)
    overlay(tree, environ, Settings)
    without_configuration(tree, environ)
    problems = [*tree.problems, *_clashes(tree)]
    settings: Settings | None = None
    try:
        settings = Settings(**tree.values)
    except ValidationError as error:
        problems += problems_of(error, tree, Settings)
    # Raised out here, so that no exception that holds the raw values hangs on to it.
    if problems or settings is None:
        raise SettingsError(sorted(problems, key=lambda p: (p.file == ENVIRONMENT, p.line or 0, p.column or 0)))
    return settings


def _file(config: Path | None, environ: Mapping[str, str]) -> Tree:
    if config is None and (named := environ.get(CONFIG_VARIABLE, "").strip()):
        config = Path(named)
    if config is None:
        return read_file(USUAL_FILE) if USUAL_FILE.exists() else Tree()
    return read_file(config)


def _clashes(tree: Tree) -> Iterator[Problem]:
    """What cannot stand together, found in the raw values: other problems do not hide them."""
    raw = tree.values.get("deployments")
    entries: list[Any] = raw if isinstance(raw, list) else []
    names: dict[str, int] = {}
    models: dict[str, int] = {}
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            continue
        name, model = entry.get("name"), entry.get("model")
        if isinstance(name, str) and names.setdefault(name, index) != index:
            hint = f"deployments[{names[name]}] has it already: choose another"
            yield tree.problem(("deployments", index, "name"), "must be unique", hint=hint)
        if not isinstance(model, str):
            continue
        first = entries[models.setdefault(model, index)]
        for key, default in (("api", "videos"), ("limits", None)):
            if first.get(key, default) != entry.get(key, default):
                hint = f"deployments[{models[model]}] serves this model too: make them equal"
                yield tree.problem(("deployments", index, key), "differs for one model", hint=hint)
    webhooks: dict[object, int] = {}
    for index, entry in enumerate(tree.values.get("notify") or ()):
        name = entry.get("name") if isinstance(entry, dict) else None
        if isinstance(name, str) and webhooks.setdefault(name, index) != index:
            hint = f"notify[{webhooks[name]}] has it already: choose another"
            yield tree.problem(("notify", index, "name"), "must be unique", hint=hint)
