"""Settings from the environment: `DAILIES_REDIS__URL`, `DAILIES_DEPLOYMENTS__0__NAME`; or none at all.

A variable says its key with `__` between levels; lists and whole levels may be given as JSON. The environment
beats the file. An empty variable counts as not set, since templates leave such ones behind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from manifests.problem import Problem
from orchestrator.settings.problems import nearest_name
from orchestrator.settings.schema import (
    Location,
    is_list,
    is_model,
    known_locations,
    nullable,
    step,
    unwrap,
)
from orchestrator.settings.tree import ENVIRONMENT, Place, Tree

PREFIX = "DAILIES_"
CONFIG_VARIABLE = "DAILIES_CONFIG"
#: What `dailies worker --only` says, where that is not given.
ONLY_VARIABLE = "DAILIES_WORKER_ONLY"
# Kubernetes gives each pod variables for every Service of its namespace: one named dailies-redis brings such
# as these (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
SERVICE_LINK = re.compile(r"DAILIES_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_[A-Z]+(_(PROTO|PORT|ADDR))?)?)")


def overlay(tree: Tree, environ: Mapping[str, str], root: type[BaseModel]) -> None:
    """Put each DAILIES_ variable over the tree; unknown ones and broken JSON join the tree's problems."""
    names = [name for name, value in environ.items() if name.upper().startswith(PREFIX) and value.strip()]
    for name in sorted(names, key=_whole_levels_first):
        if name.upper() in (CONFIG_VARIABLE, ONLY_VARIABLE):
            continue
        location = _location(name)
        annotation: Any = root
        for part in location:
            annotation = step(annotation, part)
        if annotation is None:
            if not SERVICE_LINK.fullmatch(name):
                tree.problems.append(_unknown(name, location, root))
            continue
        try:
            value = _value(environ[name], annotation)
        except json.JSONDecodeError as error:
            message = f"is not JSON: {error.msg} at character {error.pos + 1}"
            hint = "write a list or a whole level as JSON, or set each key by a variable of its own"
            tree.problems.append(Problem(ENVIRONMENT, None, None, name, "", message, hint))
            continue
        if not tree.put(location, value, Place(ENVIRONMENT, variable=name)):
            message = "changes an entry or a level that is not there"
            hint = "entries count from 0, and the next new one is the number of those there are"
            tree.problems.append(Problem(ENVIRONMENT, None, None, name, "", message, hint))


def without_configuration(tree: Tree, environ: Mapping[str, str]) -> None:
    """With no deployments anywhere, the usual variables of Azure OpenAI, else of OpenAI, make one."""
    if "deployments" in tree.values:
        return
    for name, url_variable, key_variable in (
        ("azure", "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY"),
        ("openai", "OPENAI_BASE_URL", "OPENAI_API_KEY"),
    ):
        if url := environ.get(url_variable, "").strip():
            # Entra ID is Azure's: no other server is sent its tokens for want of a key.
            entra = name == "azure" and not environ.get(key_variable, "").strip()
            auth: dict[str, Any] = {"entra": True} if entra else {"api_key_env": key_variable}
            # How many may run at once differs by account and tier, so it is found out.
            quota = {"concurrent": "auto"}
            entry = {"name": name, "api": "videos", "endpoint": url, "model": "sora-2", "auth": auth, "quota": quota}
            tree.put(("deployments",), [entry], Place(ENVIRONMENT, variable=url_variable))
            tree.places["deployments", 0, "endpoint"] = Place(ENVIRONMENT, variable=url_variable)
            return


def _location(name: str) -> Location:
    parts = name[len(PREFIX) :].lower().split("__")
    return tuple(int(part) if part.isdecimal() else part for part in parts)


def _whole_levels_first(name: str) -> tuple[int, list[tuple[int, str]]]:
    """So that DAILIES_DEPLOYMENTS comes before DAILIES_DEPLOYMENTS__0__NAME, and entry 2 before entry 10."""
    location = _location(name)
    return len(location), [(part, "") if isinstance(part, int) else (-1, part) for part in location]


def _value(text: str, annotation: Any) -> object:
    inner = unwrap(annotation)
    if is_model(inner) or is_list(inner):
        word = text.strip().lower()
        return json.loads(word if word in ("true", "false") else text)
    if nullable(annotation) and text.strip().lower() in ("null", "none"):
        return None
    return text


def _unknown(name: str, location: Location, root: type[BaseModel]) -> Problem:
    index = next((part for part in location if isinstance(part, int)), 0)
    known = [CONFIG_VARIABLE, ONLY_VARIABLE]
    for path in known_locations(root):
        known += [PREFIX + "__".join(str(part or index).upper() for part in path)]
    near = nearest_name(name.upper(), known).split("; known here")[0]
    return Problem(ENVIRONMENT, None, None, name, "", "is not a setting of this program", near)
