"""Which Redis holds the state, and under which name."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr
from redis.asyncio.connection import parse_url

from orchestrator.redaction import remember
from orchestrator.settings.section import Section, wrong


def redis_address(value: SecretStr) -> SecretStr:
    """Check a redis://, rediss:// or unix:// URL. It may hold a password, so no part of it is repeated."""
    text, good = value.get_secret_value(), False
    try:
        url = urlsplit(text)
        if url.password:
            remember(url.password)
        parse_url(text)
        good = bool(url.path) if url.scheme == "unix" else bool(url.hostname) and url.port != 0
    except ValueError:
        pass
    if not good:
        hint = "for example redis://localhost:6379/0; percent-encode special characters of a password"
        wrong("must be a URL that begins with redis://, rediss:// or unix://", hint)
    return value


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
