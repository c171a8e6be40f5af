"""Secrets of a storage account in files: looked up at each request, so that a renewed one counts at once.

Azure's own clients read a SAS at each request, but an account's key once: their policy is given one that is looked up.
Both are asked on the event loop, and so read nothing themselves: `PatientRetry` has read the file before, in a thread.
"""

from __future__ import annotations

import re

from azure.core.credentials import AzureSasCredential
from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy

from orchestrator.settings.secret_file import SecretFile

_NAME = re.compile(r"(?:^|;)\s*AccountName\s*=\s*([^;]+)", re.IGNORECASE)
_KEY = re.compile(r"(?:^|;)\s*AccountKey\s*=\s*([^;]+)", re.IGNORECASE)


class SasFromFile(AzureSasCredential):
    """A SAS token as its file has it now."""

    def __init__(self, file: SecretFile) -> None:
        self._file = file
        super().__init__(self.signature)

    @property
    def signature(self) -> str:
        return self._file.last.get_secret_value().lstrip("?")


class KeyFromFile(SharedKeyCredentialPolicy):
    """The account key of a connection string, as its file has it now. The account itself stays the same."""

    def __init__(self, file: SecretFile) -> None:
        self._file = file
        text = file.last.get_secret_value()
        name, key = _NAME.search(text), _KEY.search(text)
        self._last = key[1].strip() if key else ""
        super().__init__(name[1].strip() if name else "", self._last)  # type: ignore[no-untyped-call]

    @staticmethod
    def of(connection_string: str) -> bool:
        """Whether a connection string holds an account's key (it may hold a SAS instead)."""
        return bool(_NAME.search(connection_string) and _KEY.search(connection_string))

    @property
    def account_key(self) -> str:
        found = _KEY.search(self._file.last.get_secret_value())
        if found:
            self._last = found[1].strip()
        return self._last

    @account_key.setter
    def account_key(self, _: str) -> None:
        """The file's is taken."""
