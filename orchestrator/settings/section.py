"""What every level of the settings shares: strict about keys, frozen, and silent about values in errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr
from pydantic_core import PydanticCustomError

from manifests.problem import Problem
from orchestrator.logs.redaction import remember
from orchestrator.settings.problems import SettingsError
from orchestrator.settings.tree import ENVIRONMENT

VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A key is a name by its letters too: only what nobody takes for one is printed, and no long run without a `_`.
PRINTABLE_NAME = re.compile(r"(?!.*[A-Z0-9]{24})[A-Z][A-Z0-9_]{0,40}")


class Section(BaseModel):
    """One level of the settings. An unknown key is an error; pydantic's own messages never repeat a value."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True, allow_inf_nan=False
    )


def wrong(message: str, hint: str) -> NoReturn:
    """Refuse a value from within a validator, with the mend."""
    # Both go in as context, so that a brace in them is not taken for a placeholder.
    raise PydanticCustomError("refused", "{message}", {"message": message, "hint": hint})


def variable_name(value: str) -> str:
    """Check that a `…_env` key names a variable. A secret written there by mistake is not repeated."""
    if len(value) > 100 or not VARIABLE_NAME.fullmatch(value):
        wrong(
            "must be the name of an environment variable",
            "write its name here, never the secret itself",
        )
    return value


def web_address(value: str) -> str:
    """Check an http(s) URL that carries no user, password, query or fragment."""
    try:
        url = urlsplit(value)
        good = url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        good = False
    if not good:
        wrong(
            "must be a URL that begins with https:// or http://",
            "for example https://RESOURCE.openai.azure.com",
        )
    if url.username is not None or url.query or url.fragment:
        wrong(
            "must have no user, password, query or fragment",
            "secrets go into auth, by variable",
        )
    return value


def read_secret(environ: Mapping[str, str], variable: str, needed_by: str, *, setting: str) -> SecretStr:
    """Read a secret from its variable, which the key `setting` names.

    SettingsError when it is unset or empty, saying who needs it. The secret is remembered for redaction. The name
    is shown only where it cannot be a secret that was written in its place.
    """
    value = environ.get(variable, "").strip()
    if value:
        remember(value)
        return SecretStr(value)
    if PRINTABLE_NAME.fullmatch(variable):
        message = f"is not set, but {needed_by} needs it"
        hint = f"set it before you start: export {variable}=…"
        raise SettingsError([Problem(ENVIRONMENT, None, None, variable, "", message, hint)])
    message = f"names a variable that is not set, but {needed_by} needs it; not shown, since it may be a secret"
    hint = "write the NAME of a variable there, never the secret itself, and export that variable"
    raise SettingsError([Problem(ENVIRONMENT, None, None, setting, "", message, hint)])
