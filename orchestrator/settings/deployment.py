"""One model deployment as configured: where it is, what it serves, and how much it may be asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, SecretStr, model_validator

from manifests.vocabulary.rules import ModelRule, rule_for
from manifests.window import Window
from orchestrator.settings.entra import OwnApiEntra
from orchestrator.settings.quota import Quota, own_or_named, with_defaults
from orchestrator.settings.schema import WrittenAs
from orchestrator.settings.secret_file import SecretFile, file_path
from orchestrator.settings.section import Section, read_secret, variable_name, web_address, wrong
from orchestrator.settings.window import WindowSettings


class Auth(Section):
    """How to prove who we are: exactly one of the three."""

    api_key_env: Annotated[str, AfterValidator(variable_name)] | None = Field(
        None, description="name the variable that holds the key, for example AZURE_OPENAI_API_KEY"
    )
    api_key_file: Annotated[str, AfterValidator(file_path)] | None = Field(
        None, description="the path of a file that holds the key; it is read again when it changes"
    )
    entra: OwnApiEntra = Field(
        None, description="true: Entra ID (workload or managed identity, az login); or {client_id, tenant_id, scope}"
    )
    _key: SecretStr | None = PrivateAttr(None)  # the sandbox's; no configuration can set it

    @model_validator(mode="after")
    def _one_way(self) -> Auth:
        if self._key is None and [self.api_key_env, self.api_key_file, self.entra].count(None) != 2:
            wrong("must say one way", "write {api_key_env: VARIABLE}, {api_key_file: PATH} or {entra: true}")
        return self

    @property
    def sandbox(self) -> bool:
        """Whether this is the bundled sandbox's own key."""
        return self._key is not None

    @classmethod
    def with_key(cls, key: str) -> Auth:
        """Authentication by a key that is no secret, for the sandbox."""
        auth = cls.model_construct()
        auth._key = SecretStr(key)
        return auth


class Limits(Section):
    """What the model takes, where no rules are shipped for it. None is unchecked."""

    sizes: tuple[Annotated[str, Field(pattern=r"^[1-9]\d*x[1-9]\d*$")], ...] | None = Field(
        None, description="a list such as [1280x720, 720x1280]", min_length=1
    )
    seconds: tuple[Annotated[int, Field(ge=1)], ...] | None = Field(
        None, description="a list such as [4, 8, 12]", min_length=1
    )
    prompt_chars: int | None = Field(None, description="the longest prompt, in characters", ge=1)


class Poll(Section):
    """When to look at a remote job, in seconds, while nothing is known of its kind or it is overdue; the closest looks
    ever; and how many looks a second all jobs of the deployment may cost, over all workers."""

    first_s: float = Field(20.0, description="seconds to the first look, until render times are learned", gt=0)
    every_s: float = Field(10.0, description="seconds between two looks, where nothing says when it ends", gt=0)
    min_s: float = Field(2.0, description="seconds that two looks at a job are apart at least", gt=0)
    most_per_s: float = Field(10.0, description="the most looks a second at all jobs of the deployment", gt=0)


class Deployment(Section):
    """A deployment and its quota. Durations in seconds, money in US dollars."""

    name: str = Field(
        description="a name of ours, unique: letters, digits, dots, dashes, underscores",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
    )
    api: Literal["videos", "jobs"] = Field("videos", description="videos is Sora 2's API, jobs Sora 1's")
    endpoint: Annotated[str, AfterValidator(web_address)] = Field(
        description="for example https://RESOURCE.openai.azure.com"
    )
    model: str = Field(description="what manifests ask for, for example sora-2", min_length=1)
    deployment: str = Field("", description="its name on the wire; absent: the model's")
    auth: Auth = Field(description="write {api_key_env: VARIABLE}, {api_key_file: PATH} or {entra: true}")
    quota: Annotated[Quota, BeforeValidator(own_or_named)] = Field(
        description="leave the key out for the defaults, write some of its keys, or the name of an entry of quotas"
    )
    weight: int = Field(1, description="its share beside other deployments of its order, 1 to 100", ge=1, le=100)
    order: int = Field(0, description="smaller is asked first, while it has room", ge=-1000, le=1000)
    window: Annotated[Window | None, WrittenAs(WindowSettings, Window, WindowSettings.window)] = Field(
        None, description='hours in which creates may start: {start: "22:00", end: "06:00", timezone: Europe/Stockholm}'
    )
    shared: bool = Field(False, description="true: other programs create videos here too")
    gateway: bool = Field(False, description="true: a proxy before it sends requests again by itself")
    limits: Limits | None = Field(None, description="what the model takes, where no rules are shipped for it")
    poll: Poll = Field(Poll(), description="when to look at a remote job: first_s, every_s, min_s, most_per_s")
    retention_s: float = Field(86400.0, description="seconds a video is kept, where no expiry is named", gt=0)
    price_per_second_usd: Decimal | None = Field(None, description="dollars a second of video", ge=0)
    on_expired: Literal["hold", "rerender"] = Field(
        "hold", description="when a finished video is lost: hold, or rerender (a new one, paid again, once)"
    )
    create_timeout_s: float = Field(60.0, description="seconds that one create call may take in all", gt=0)
    settle_s: float = Field(10.0, description="seconds until an accepted create shows in the listing", gt=0)
    render_s: float | None = Field(None, description="seconds a render takes, for plans until some were seen", gt=0)
    on_unknown: Literal["hold", "retry"] = Field(
        "hold", description="a create whose outcome no list can tell: hold it, or retry, which may pay twice"
    )
    max_render_s: float = Field(3600.0, description="seconds after which a lost create holds no slot", gt=0)

    @model_validator(mode="after")
    def _no_token_in_the_open(self) -> Deployment:
        url = urlsplit(self.endpoint)
        if self.auth.entra and url.scheme == "http" and url.hostname not in ("localhost", "127.0.0.1", "::1"):
            wrong("would send tokens of Entra ID without TLS", "write the endpoint with https://")
        return self

    @model_validator(mode="before")
    @classmethod
    def _defaults_by_api(cls, data: Any) -> Any:
        """Fill in what depends on other keys: absent quota keys by the API, the wire name by the model."""
        if not isinstance(data, dict):
            return data
        filled = {**data, "quota": with_defaults(data.get("quota", {}), data.get("api", "videos"))}
        if not filled.get("deployment"):
            filled["deployment"] = filled.get("model", "")
        return filled

    def api_key(self, environ: Mapping[str, str]) -> SecretStr | SecretFile:
        """The key, read when the deployment is used, or the file that holds it. Raises SettingsError when its variable
        is not set, or the file cannot be used.

        Not for a deployment with `auth.entra`: that one has no key (ValueError).
        """
        if self.auth._key is not None:
            return self.auth._key
        needed_by = f"the deployment {self.name}"
        if self.auth.api_key_file is not None:
            return SecretFile(self.auth.api_key_file, needed_by, setting="auth.api_key_file")
        if self.auth.api_key_env is None:
            raise ValueError(f"the deployment {self.name} uses Entra ID and has no key")
        return read_secret(environ, self.auth.api_key_env, needed_by, setting="auth.api_key_env")

    def model_rule(self) -> ModelRule:
        """What its model takes: the shipped rule, with the limits configured here over it."""
        rule = rule_for(self.model, self.api)
        if self.limits is None:
            return rule
        given = {name: value for name, value in self.limits if value is not None}
        rule = dataclasses.replace(rule, **given)
        if rule.sizes and rule.default_size not in rule.sizes:
            rule = dataclasses.replace(rule, default_size=rule.sizes[0])
        if rule.seconds and rule.default_seconds not in rule.seconds:
            rule = dataclasses.replace(rule, default_seconds=min(rule.seconds))
        return rule
