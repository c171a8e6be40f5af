"""Which Redis holds the state, how to get in, and under which name the state stands there."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from orchestrator.logs.redaction import remember
from orchestrator.settings.entra import OwnApiEntra
from orchestrator.settings.redis_address import RedisAddress
from orchestrator.settings.secret_file import file_path
from orchestrator.settings.section import Section, variable_name, wrong

_FILE = Annotated[str, AfterValidator(file_path)] | None
_VARIABLE = Annotated[str, AfterValidator(variable_name)] | None


def redis_address(value: SecretStr) -> SecretStr:
    """Check a URL of Redis (`RedisAddress`). It may hold a password, so no part of it is repeated."""
    text, problem = value.get_secret_value(), ""
    try:
        password = urlsplit(text).password
        if password:
            remember(password)
        RedisAddress.parse(text)
    except ValueError as error:
        problem = str(error) if str(error).startswith("must ") else "must be a URL of Redis"
    if problem:
        hint = "for example redis://localhost:6379/0; percent-encode special characters of a password"
        wrong(problem, hint)
    return value


class SentinelAuth(Section):
    """A user and its password; the password from a variable or a file."""

    user: str | None = Field(None, description="the name of an ACL user; absent: Redis's default user", min_length=1)
    password_env: _VARIABLE = Field(None, description="name the variable that holds the password")
    password_file: _FILE = Field(None, description="the path of a file that holds the password")

    def ways(self) -> list[object]:
        """What is given to prove who we are."""
        return [way for way in (self.password_env, self.password_file) if way is not None]

    @model_validator(mode="after")
    def _one_way(self) -> SentinelAuth:
        if len(self.ways()) != 1:
            wrong("must say one way", "write {user: NAME, password_env: VARIABLE} or {user: NAME, password_file: PATH}")
        return self


class RedisAuth(SentinelAuth):
    """How to prove who we are to Redis: by password, or by tokens of Entra ID."""

    entra: OwnApiEntra = Field(
        None, description="true: Entra ID (workload or managed identity, az login); or {client_id, tenant_id, scope}"
    )

    def ways(self) -> list[object]:
        return super().ways() + ([self.entra] if self.entra is not None else [])


class RedisTls(Section):
    """PEM files. Whether TLS is used, the URL says."""

    ca_file: _FILE = Field(None, description="the path of a file with the CA's certificate; absent: the system's CAs")
    cert_file: _FILE = Field(None, description="the path of a file with our own certificate, where Redis asks for one")
    key_file: _FILE = Field(None, description="the path of a file with the key of cert_file")
    server_name: str | None = Field(
        None,
        description="the name in Redis's certificate, where Sentinel or a cluster names servers by address",
        min_length=1,
    )

    @model_validator(mode="after")
    def _a_pair(self) -> RedisTls:
        if (self.cert_file is None) != (self.key_file is None):
            wrong("needs cert_file and key_file together", "add the other, or leave both out")
        return self


class RedisSettings(Section):
    """`url` None is the embedded Redis, kept under `state_dir`. Every key carries `{namespace}`."""

    url: Annotated[SecretStr, AfterValidator(redis_address)] | None = Field(
        None, description="for example redis://localhost:6379/0; absent: an embedded Redis"
    )
    namespace: str = Field(
        "dailies",
        description="1 to 64 letters, digits, dots, dashes, underscores",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
    )
    auth: RedisAuth | None = Field(None, description="{user: NAME, password_env: VARIABLE} or {entra: true}")
    sentinel_auth: SentinelAuth | None = Field(
        None, description="{user: NAME, password_env: VARIABLE}, for the Sentinels"
    )
    tls: RedisTls | None = Field(None, description="ca_file, cert_file, key_file and server_name")

    @model_validator(mode="after")
    def _fit(self) -> RedisSettings:
        if self.url is None:
            if self.auth or self.sentinel_auth or self.tls:
                wrong("needs url for auth and tls", "the embedded Redis has neither: add url, or leave them out")
            return self
        address = RedisAddress.parse(self.url.get_secret_value())
        if self.auth and ("password" in address.options or "username" in address.options):
            wrong("has a user or a password in url, and auth too", "take them out of url")
        if self.sentinel_auth and address.primary is None:
            wrong("has sentinel_auth, but url names no Sentinels", "write url: redis+sentinel://HOST:26379/NAME")
        if self.tls and not address.tls:
            wrong("has tls, but url is not encrypted", "write url: rediss://… or rediss+sentinel://…")
        if self.auth and self.auth.entra and not address.tls:
            wrong("would send tokens unencrypted", "write url: rediss://… with auth: {entra: true}")
        return self
