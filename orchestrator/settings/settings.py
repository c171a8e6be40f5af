"""Everything that can be configured, in one value."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from manifests.vocabulary.rules import ModelRule
from orchestrator.settings.archive import ArchiveSettings
from orchestrator.settings.budgets import NO_BUDGETS, Budgets
from orchestrator.settings.deployment import Auth, Deployment, Poll
from orchestrator.settings.inputs import InputSettings
from orchestrator.settings.monitor import MonitorSettings
from orchestrator.settings.notify import Notify
from orchestrator.settings.quota import Quota, shared
from orchestrator.settings.redis import RedisSettings

NEVER_USD = Decimal(10**9)
SANDBOX_POLL = Poll(first_s=0.5, every_s=0.5, min_s=0.1, most_per_s=100)
SANDBOX_RENDER_S = 2.5  # the middle of what `dailies run --sandbox` makes it take
SANDBOX_QUOTA = Quota(per_minute=600, burst=4, concurrent=4)


class Settings(BaseSettings):
    """The settings. `load_settings` reads file and environment; made directly, arguments alone count."""

    model_config = SettingsConfigDict(
        env_prefix="DAILIES_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    redis: RedisSettings = Field(RedisSettings(), description="url and namespace")
    state_dir: Path = Field(Path(".dailies"), description="a directory for the embedded Redis")
    keep_days: int = Field(30, description="days that a final batch is kept in Redis", ge=1)
    claim_s: float = Field(30.0, description="seconds after which a dead worker's step is taken over", gt=0)
    confirm_over_usd: Decimal = Field(Decimal(25), description="US dollars, 0 or more", ge=0)
    budgets: Budgets = Field(NO_BUDGETS, description="day_usd, month_usd and timezone")
    quotas: dict[str, Quota] = Field({}, description="quotas by name, for deployments that share one")
    deployments: tuple[Deployment, ...] = Field((), description="a list of model deployments")
    archive: ArchiveSettings = Field(ArchiveSettings(), description="url, auth and delete_remote")
    inputs: InputSettings = Field(InputSettings(), description="allow")
    notify: tuple[Notify, ...] = Field((), description="a list of webhooks that are told how nights go")
    monitor: MonitorSettings = Field(MonitorSettings(), description="host and port")

    @model_validator(mode="before")
    @classmethod
    def _share_quotas(cls, data: Any) -> Any:
        """Deployments that name a quota have it."""
        written = data.get("quotas") if isinstance(data, dict) else None
        deployments = data.get("deployments", ()) if isinstance(data, dict) else None
        if not isinstance(written, dict | None) or not isinstance(deployments, list | tuple):
            return data
        quotas, deployments = shared(written or {}, deployments)
        return {**data, "quotas": quotas, "deployments": deployments}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments alone: `load_settings` lays the environment over the file, and keeps each key's place."""
        return (init_settings,)

    def model_rules(self) -> dict[str, ModelRule]:
        """What each served model takes, by the name that manifests ask for."""
        return {deployment.model: deployment.model_rule() for deployment in self.deployments}

    def for_sandbox(self, url: str) -> Settings:
        """These settings with the sandbox at `url` for all that is outside: own state, own archive."""
        served = (("sora-2", "videos"), ("sora", "jobs"))
        deployments = [
            Deployment(
                name=model,
                api=api,
                endpoint=url,
                model=model,
                auth=Auth.with_key("sandbox"),
                quota=SANDBOX_QUOTA,
                poll=SANDBOX_POLL,
                render_s=SANDBOX_RENDER_S,
            )
            for model, api in served
        ]
        return Settings(
            redis=RedisSettings(namespace=self.redis.namespace),
            state_dir=self.state_dir / "sandbox",
            keep_days=self.keep_days,
            confirm_over_usd=NEVER_USD,  # pretend money
            deployments=tuple(deployments),
            archive=ArchiveSettings(url="./archive-sandbox"),
            inputs=self.inputs,
        )
