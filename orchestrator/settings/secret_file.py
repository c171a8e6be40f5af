"""Secrets in files, as Kubernetes and Docker mount them: read when needed, and again when the file has changed."""

from __future__ import annotations

import os
from pathlib import Path

import structlog
from pydantic import SecretStr

from manifests.problem import Problem
from orchestrator.logs.redaction import remember
from orchestrator.settings.problems import SettingsError
from orchestrator.settings.section import wrong

log = structlog.get_logger("orchestrator.secret_file")

#: No key, SAS or connection string is a hundredth of it (bytes).
LARGEST = 64 * 1024


def file_path(value: str) -> str:
    """Check that a `…_file` key holds a path. A secret written there by mistake is not repeated."""
    if len(value) > 1000 or not value.startswith(("/", "./", "../", "~/")) or "\n" in value:
        wrong("must be the path of a file, beginning with / or ./", "write the path here, never the secret itself")
    return value


class SecretFile:
    """A file that holds one secret. What was read stays in use while the file is away, empty or not readable: whoever
    renews a secret may write it in two steps."""

    def __init__(self, path: str, needed_by: str, *, setting: str) -> None:
        """Reads it. Raises SettingsError, which names the key `setting` and says who needs it."""
        self._path = Path(path).expanduser()
        self._setting = setting
        self._seen: tuple[int, ...] = ()
        try:
            self._secret = self._read()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            message = f"names the file {path}, which {needed_by} needs and which cannot be used: {why}"
            hint = "mount the secret there, and let this user read it"
            raise SettingsError([Problem(path, None, None, setting, "", message, hint)]) from None

    def __repr__(self) -> str:
        return f"SecretFile({str(self._path)!r})"

    @property
    def last(self) -> SecretStr:
        """The secret as it was read last: nothing is read."""
        return self._secret

    def secret(self, *, again: bool = False) -> SecretStr:
        """The secret; read anew where the file has changed since, or in any case (`again`). A network's file system may
        hang: where an event loop turns, this belongs into a thread."""
        try:
            if again or self._signs() != self._seen:
                self._secret = self._read()
        except (OSError, ValueError) as error:
            log.warning("secret_file.not_read", setting=self._setting, path=str(self._path), error=str(error))
        return self._secret

    def _signs(self) -> tuple[int, ...]:
        found = os.stat(self._path)  # through the links by which Kubernetes swaps a whole volume
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> SecretStr:
        seen = self._signs()
        if seen[2] > LARGEST:
            raise ValueError(f"it is larger than {LARGEST >> 10} KiB")
        value = self._path.read_text(encoding="utf-8").strip()
        if not value:
            raise ValueError("it is empty")
        remember(value)
        self._seen = seen
        return SecretStr(value)
