"""Settings: `dailies.yaml` and the environment in, one checked value out, or every problem with its mend."""

from orchestrator.settings.archive import ArchiveAuth, ArchiveSettings
from orchestrator.settings.budgets import NO_BUDGETS, Budgets
from orchestrator.settings.deployment import Auth, Deployment, Limits, Poll
from orchestrator.settings.load import load_settings
from orchestrator.settings.notify import Notify
from orchestrator.settings.problems import SettingsError
from orchestrator.settings.quota import AUTO_START, Quota
from orchestrator.settings.redis import RedisSettings
from orchestrator.settings.settings import Settings

__all__ = [
    "AUTO_START",
    "NO_BUDGETS",
    "ArchiveAuth",
    "ArchiveSettings",
    "Auth",
    "Budgets",
    "Deployment",
    "Limits",
    "Notify",
    "Poll",
    "Quota",
    "RedisSettings",
    "Settings",
    "SettingsError",
    "load_settings",
]
