"""The archive: whether it is there, what may be done in it, and whether others may look in."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Awaitable, Callable
from functools import partial

from azure.core.exceptions import AzureError
from azure.storage.blob.aio import BlobClient, BlobServiceClient

from orchestrator.settings.archive import ArchiveSettings
from workers.checkup import grants
from workers.checkup.claims import Claims
from workers.checkup.finding import Finding, failed, fine, warning
from workers.sinks import ArchiveError, ArchiveUnavailable
from workers.sinks.blob_address import BlobAddress
from workers.sinks.blob_errors import code_of, in_our_words
from workers.sinks.blob_probe import remove
from workers.sinks.directory import DirectorySink

_PART = "archive"
#: Of this process alone, so that two at once do not meet.
_NAME = f"dailies-doctor-{secrets.token_hex(4)}"
_QUESTION = b"dailies doctor asks what it may do here\n"
#: Less room than this in a directory is warned of (bytes).
ROOM = 2 * 1024**3
_PUBLIC = {"blob": "anybody who knows a video's URL may read it", "container": "anybody may list and read everything"}


async def directory(settings: ArchiveSettings) -> list[Finding]:
    """A directory: whether it may be written, and how much room there is."""
    path = settings.directory
    if path is None:
        raise ValueError("the archive is a container")
    try:
        async with DirectorySink(path) as sink:
            await sink.probe()
    except ArchiveError as error:
        return [failed(_PART, "write", str(error))]
    free = (await asyncio.to_thread(shutil.disk_usage, path)).free
    says = f"{path.absolute()} may be written; {free / 1e9:.1f} GB are free"
    if free < ROOM:
        return [warning(_PART, "write", says, "free some: a video of 12 seconds is up to 20 MB")]
    return [fine(_PART, "write", says)]


async def container(
    settings: ArchiveSettings, service: BlobServiceClient, address: BlobAddress, who: Claims | None
) -> list[Finding]:
    """A container of Azure Blob Storage. Its one blob, of a few bytes, is removed again, where that is allowed."""
    place = f"{address.account}/{address.container}"
    client = service.get_container_client(address.container)
    proves = _proves(settings, who)
    found: list[Finding] = []
    try:
        looks = await client.get_container_properties()
    except AzureError as error:
        error_code = code_of(error)
        if error_code == "ContainerNotFound":
            line = f"az storage container create --account-name {_name(address)} --name {address.container}"
            line += " --auth-mode login"
            return [failed(_PART, "reach", f"{place} is not there", "create it", line)]
        if getattr(error, "status_code", None) is None:
            return [_unavailable("reach", in_our_words(error, place))]
        found.append(fine(_PART, "reach", f"{place} answers; its properties are not shown ({error_code})"))
    else:
        found.append(fine(_PART, "reach", f"{place} is there"))
        if looks.public_access:
            line = (
                f"az storage container set-permission --account-name {_name(address)} --name {address.container} "
                "--public-access off"
            )
            says = f"the container is public: {_PUBLIC.get(str(looks.public_access), str(looks.public_access))}"
            found.append(warning(_PART, "public", says, "close it", line))
        if looks.has_immutability_policy or looks.has_legal_hold:
            why = "a legal hold" if looks.has_legal_hold else "an immutability policy"
            says = f"{why} keeps everything: nothing can be rewritten, and a report goes into a new file each time"
            found.append(warning(_PART, "kept", says, "it is no fault where that is wanted"))
    found += await _rights(client.get_blob_client(_probe(address)), place, proves, address, who)
    return [*found, *await _website(service, address)]


async def _rights(blob: BlobClient, place: str, proves: str, address: BlobAddress, who: Claims | None) -> list[Finding]:
    may, found = [], []
    steps: tuple[tuple[str, Callable[[], Awaitable[object]]], ...] = (
        ("write", partial(blob.upload_blob, _QUESTION, length=len(_QUESTION), overwrite=True)),
        ("read", blob.download_blob),
        ("delete", partial(remove, blob)),
    )
    for what, step in steps:
        try:
            await step()
            may.append(what)
        except AzureError as error:
            found.append(_refused(what, error, place, proves, address, who))
            if what == "write":
                break
    if may:
        found.insert(0, fine(_PART, "rights", f"{proves} may {' and '.join(may)}"))
    return found


def _refused(
    what: str, error: AzureError, place: str, proves: str, address: BlobAddress, who: Claims | None
) -> Finding:
    code, status = code_of(error), getattr(error, "status_code", None)
    told = f"{code or type(error).__name__}" + (f", HTTP {status}" if status else "")
    if status not in (401, 403, 409):
        return _unavailable(what, in_our_words(error, place))
    if what == "delete" and status in (403, 409):
        says = f"{proves} may not delete ({told}): {_probe(address)} stays there"
        return warning(_PART, "delete", says, "it is no fault: nothing of the archive is ever deleted")
    if code in ("AuthorizationFailure", "PublicAccessNotPermitted"):
        mend = "let this network in: Networking of the storage account, or a private endpoint"
        return failed(_PART, what, f"refused by the account's network rules or settings ({told})", mend)
    if code == "KeyBasedAuthenticationNotPermitted":
        return failed(_PART, what, f"the account takes no keys ({told})", "write archive.auth: {entra: true}")
    if who is not None or proves == "the identity":
        line = grants.blob_role(address.account, address.container, who)
        mend = f"give it the role {grants.BLOB_ROLE}; a new assignment counts after up to ten minutes"
        return failed(_PART, what, f"{proves} may not {what} ({told})", mend, line)
    mend = "make a new one, with the permissions read, add, create, write and list"
    return failed(_PART, what, f"{proves} may not {what} ({told})", mend)


async def _website(service: BlobServiceClient, address: BlobAddress) -> list[Finding]:
    if address.container == "$web":
        says = "$web is the account's static website: every video in it is public where that is switched on"
        return [warning(_PART, "public", says, "use another container")]
    try:
        looks = await service.get_service_properties()
    except AzureError:
        return []  # a right of the account's own that the role for data does not hold
    website = looks.get("static_website")
    if getattr(website, "enabled", False):
        return [fine(_PART, "website", "the account serves a static website, from $web alone")]
    return []


def _unavailable(check: str, error: ArchiveError) -> Finding:
    if isinstance(error, ArchiveUnavailable):
        return failed(_PART, check, error.problem, error.mend)
    return failed(_PART, check, str(error))


def _proves(settings: ArchiveSettings, who: Claims | None) -> str:
    auth = settings.auth
    if auth is None or auth.entra is not None:
        return f"the {who.words()}" if who else "the identity"
    return "the SAS" if auth.sas_env or auth.sas_file else "the connection string"


def _probe(address: BlobAddress) -> str:
    return f"{address.prefix}{_NAME}"


def _name(address: BlobAddress) -> str:
    return address.account.partition("://")[2].partition(".")[0]
