"""Where the videos go: a directory or a container of Azure Blob Storage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from orchestrator.settings.entra import OwnEntra
from orchestrator.settings.secret_file import SecretFile, file_path
from orchestrator.settings.section import Section, read_secret, variable_name, web_address, wrong

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
# Parts of a connection string or a SAS token. Taken for a path, one would become a folder of that name.
CREDENTIAL = re.compile(
    r"(^|[;?&#])\s*(DefaultEndpointsProtocol|UseDevelopmentStorage|AccountName|AccountKey|\w+Endpoint"
    r"|SharedAccessSignature|sig)\s*=",
    re.IGNORECASE,
)


class ArchiveAuth(Section):
    """How to prove who we are to the storage account: exactly one of the five."""

    entra: OwnEntra = Field(
        None, description="true: Entra ID (workload or managed identity, az login); or {client_id, tenant_id}"
    )
    connection_string_env: Annotated[str, AfterValidator(variable_name)] | None = Field(
        None, description="name the variable that holds the connection string"
    )
    sas_env: Annotated[str, AfterValidator(variable_name)] | None = Field(
        None, description="name the variable that holds the SAS token"
    )
    connection_string_file: Annotated[str, AfterValidator(file_path)] | None = Field(
        None, description="the path of a file that holds the connection string; it is read again when it changes"
    )
    sas_file: Annotated[str, AfterValidator(file_path)] | None = Field(
        None, description="the path of a file that holds the SAS token; it is read again when it changes"
    )

    @model_validator(mode="after")
    def _one_way(self) -> ArchiveAuth:
        if sum(way is not None for _, way in self) != 1:
            hint = "write {entra: true}, {connection_string_env: VARIABLE} or {sas_env: VARIABLE}, or …_file: PATH"
            wrong("must say one way", hint)
        return self


def archive_address(value: str) -> str:
    """Check a plain path, a file URL with an absolute path, or a URL that names at least a container."""
    if CREDENTIAL.search(value) or CREDENTIAL.search(unquote(value)):
        wrong(
            "holds a connection string or a SAS token, which is a secret (not shown)",
            "write the container's URL here and auth: {connection_string_env: VARIABLE} or {sas_env: VARIABLE}",
        )
    scheme = SCHEME.match(value)
    if scheme is None:
        return value
    if scheme[1].lower() == "file":
        url = urlsplit(value)
        if url.netloc not in ("", "localhost") or not url.path.startswith("/"):
            wrong("must name an absolute path", "write file:///ABSOLUTE/PATH, with three slashes")
        return value
    if scheme[1].lower() not in ("http", "https"):
        wrong("must be a path, a file:// URL or an https:// URL", "other stores are not supported")
    web_address(value)
    if not urlsplit(value).path.strip("/"):
        wrong("must name a container", "write https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX")
    return value


class ArchiveSettings(Section):
    """`url`: https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX, file:///ABSOLUTE/PATH or a path."""

    url: Annotated[str, AfterValidator(archive_address)] = Field(
        "./archive", description="a path, or https://ACCOUNT.blob.core.windows.net/CONTAINER", min_length=1
    )
    auth: ArchiveAuth | None = Field(None, description="{entra: true} or {connection_string_env: …}")
    tier: Literal["hot", "cool", "cold"] | None = Field(
        None, description="the videos' access tier: hot, cool or cold; by default the account's own"
    )
    delete_remote: bool = Field(False, description="true: delete the remote video once its archive is proven")

    @model_validator(mode="after")
    def _place_and_auth(self) -> ArchiveSettings:
        if self.directory is None and self.auth is None:
            wrong(
                "needs auth for a container",
                "add auth: {entra: true} or {connection_string_env: VARIABLE}",
            )
        if self.auth is not None and self.auth.entra and self.url.lower().startswith("http://"):
            wrong("would send tokens of Entra ID without TLS", "write the container's URL with https://")
        if self.directory is not None and self.auth is not None:
            wrong("has auth, but a directory needs none", "leave auth out, or name a container in url")
        if self.directory is not None and self.tier is not None:
            wrong("has a tier, but a directory has none", "leave tier out, or name a container in url")
        return self

    @property
    def directory(self) -> Path | None:
        """The directory, relative to the working directory unless absolute; None for a container."""
        scheme = SCHEME.match(self.url)
        if scheme is None:
            return Path(self.url).expanduser()
        if scheme[1].lower() == "file":
            return Path(unquote(urlsplit(self.url).path))
        return None

    def connection_string(self, environ: Mapping[str, str]) -> SecretStr | SecretFile | None:
        """The connection string, or the file that holds it, when it is the way, else None. SettingsError when its
        variable is not set or the file cannot be used."""
        return self._secret(environ, "connection_string")

    def sas_token(self, environ: Mapping[str, str]) -> SecretStr | SecretFile | None:
        """The SAS token, likewise."""
        return self._secret(environ, "sas")

    def _secret(
        self, environ: Mapping[str, str], way: Literal["connection_string", "sas"]
    ) -> SecretStr | SecretFile | None:
        if (path := getattr(self.auth, f"{way}_file", None)) is not None:
            return SecretFile(path, "the archive", setting=f"archive.auth.{way}_file")
        variable: str | None = getattr(self.auth, f"{way}_env", None)
        return read_secret(environ, variable, "the archive", setting=f"archive.auth.{way}_env") if variable else None
