"""Who is told by webhook how a night went, and of what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from manifests.problem import Problem
from orchestrator.logs.redaction import remember
from orchestrator.settings.inputs import allowed_place
from orchestrator.settings.problems import SettingsError
from orchestrator.settings.section import Section, read_secret, variable_name, wrong
from orchestrator.settings.tree import ENVIRONMENT

#: What can be told of: a batch that ended, one that stopped and needs a person, a finished video near its expiry.
Occasion = Literal["ended", "stopped", "expiry"]


#: A path or query of so many characters is no ordinary word, and is kept out of every text.
TELLING = 16


class Notify(Section):
    """One webhook. Its URL is a secret: who has it can write there."""

    name: str = Field(
        description="a name of ours, unique: letters, digits, dots, dashes, underscores",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
    )
    kind: Literal["generic", "slack", "teams"] = Field("generic", description="generic, slack or teams")
    url_env: Annotated[str, AfterValidator(variable_name)] = Field(
        description="name the variable that holds the webhook's URL"
    )
    secret_env: Annotated[str, AfterValidator(variable_name)] | None = Field(
        None, description="name the variable that holds the secret by which a generic webhook is signed"
    )
    on: tuple[Occasion, ...] = Field(
        ("ended", "stopped", "expiry"), description="a list of ended, stopped and expiry", min_length=1
    )
    allow: tuple[Annotated[str, AfterValidator(allowed_place)], ...] = Field(
        (), description="a list of networks, addresses and hosts besides public ones: [10.0.0.0/8, hooks.example.com]"
    )

    @model_validator(mode="after")
    def _signed(self) -> Notify:
        if self.secret_env is not None and self.kind != "generic":
            wrong("has secret_env, but only a generic webhook is signed", "leave secret_env out: the URL is the secret")
        return self

    def url(self, environ: Mapping[str, str]) -> SecretStr:
        """Where it is sent, read when it is first needed. Raises SettingsError; no part of it is repeated."""
        found = read_secret(environ, self.url_env, self._needed_by, setting="notify.url_env")
        try:
            url = urlsplit(found.get_secret_value())
            good = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
            safe = url.scheme == "https" or bool(self.allow)
        except ValueError:
            good = safe = False
        if not (good and safe):
            mend = "write the whole URL that the other side gave you, which begins with https://"
            if good:
                mend += "; http:// is for places that notify[].allow names"
            message = f"holds no URL that {self._needed_by} could be sent to (not shown, since it is a secret)"
            raise SettingsError([Problem(ENVIRONMENT, None, None, self.url_env, "", message, mend)])
        for part in (url.path.strip("/"), url.query):
            if len(part) >= TELLING:  # errors may name parts of it
                remember(part)
        return found

    def secret(self, environ: Mapping[str, str]) -> SecretStr | None:
        """What it is signed with; None where it is not. Raises SettingsError."""
        if self.secret_env is None:
            return None
        return read_secret(environ, self.secret_env, self._needed_by, setting="notify.secret_env")

    @property
    def _needed_by(self) -> str:
        return f"the webhook {self.name}"
