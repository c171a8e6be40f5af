"""What Azure Blob Storage answers when it does not do what was asked, told once, in our words."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from workers.identity.words import NoIdentity
from workers.sinks.errors import ArchiveError, ArchiveFull, ArchiveUnavailable, Immutable, NoContainer, WriteRefused

_BUSY = "Wait: it is tried again by itself."
_NO_ACCESS = (
    "Give this identity the role 'Storage Blob Data Contributor' on the container, or renew the SAS "
    "(permissions read, add, create, write and list) or the connection string; look at the account's firewall too."
)
_WHOLE_STORE = {"ContainerNotFound", "ContainerBeingDeleted", "ContainerDisabled", "AccountBeingCreated"}
_KEPT = {"BlobImmutableDueToPolicy", "BlobImmutableDueToLegalHold", "UnauthorizedBlobOverwrite"}
_TIERS = {"AccessTierNotSupportedForBlobType", "BlobTieringNotSupportedForAccount", "InvalidBlobTier"}

#: The longest that one call may take, its repetitions included (seconds): an answer that comes byte by byte never ends.
CALL_TIMEOUT_S = 300.0


@asynccontextmanager
async def answered(container: str, name: str = "") -> AsyncIterator[None]:
    """As `azure_errors`, for what must be over in time."""
    async with in_time(container):
        with azure_errors(container, name):
            yield


@asynccontextmanager
async def in_time(container: str) -> AsyncIterator[None]:
    """Raises ArchiveUnavailable after CALL_TIMEOUT_S."""
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            yield
    except TimeoutError:
        raise ArchiveUnavailable(f"{container}: no whole answer in {CALL_TIMEOUT_S:.0f} seconds.", _BUSY) from None


@contextmanager
def azure_errors(container: str, name: str = "") -> Iterator[None]:
    """Raises ArchiveError instead of the SDK's errors. `container` is a URL without a signature."""
    try:
        yield
    except AzureError as error:
        raise in_our_words(error, container, name) from None


def in_our_words(error: AzureError, container: str, name: str = "") -> ArchiveError:
    """The error that an SDK error stands for: the whole archive, or this one object."""
    status, code = _status(error), code_of(error)
    what = f"{container}: {code or type(error).__name__}" + (f" (HTTP {status})." if status else ".")
    if code == "ContainerNotFound":
        return NoContainer(what, "Create the container, or let this identity create it.")
    if code in _WHOLE_STORE:
        return ArchiveUnavailable(what, _BUSY)
    if isinstance(error, NoIdentity):
        end = ":" if error.mend else "."
        return ArchiveUnavailable(f"{container}: no token of Entra ID. {error.problem}{end}", error.mend)
    if isinstance(error, ClientAuthenticationError) and status is None:
        return ArchiveUnavailable(what, "Nobody could be logged in; run az login, or check the workload identity.")
    if code in _KEPT:
        return Immutable(f"{container}{'/' if name else ''}{name} stands there for good: {code} (HTTP {status}).")
    if status in (401, 403):
        return ArchiveUnavailable(what, _NO_ACCESS, status=status)
    if code in _TIERS:
        return ArchiveUnavailable(what, "This account has no such access tier: change archive.tier, or leave it out.")
    if status == 507 or code in ("AccountLimitExceeded", "InsufficientStorage"):
        return ArchiveFull(what, "Raise the account's limit or free space.")
    if status is None:
        return ArchiveUnavailable(what, "Check that the account exists and can be reached from here.")
    if status in (408, 429) or status >= 500:
        return ArchiveUnavailable(what, _BUSY, retry_after_s=_retry_after(error))
    return WriteRefused(f"{container}{'/' if name else ''}{name} was refused: {code or 'no reason'} (HTTP {status}).")


def code_of(error: AzureError) -> str:
    """The service's error code ("BlobNotFound"), or an empty string."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


def _status(error: AzureError) -> int | None:
    return error.status_code if isinstance(error, HttpResponseError) else None


def _retry_after(error: AzureError) -> float | None:
    return seconds_asked(getattr(getattr(error, "response", None), "headers", {}))


def seconds_asked(headers: Mapping[str, str]) -> float | None:
    """How long the store asks to be left alone (Retry-After); None where it does not."""
    try:
        seconds = float(headers.get("Retry-After", math.nan))
    except ValueError:
        return None
    return min(seconds, 86400.0) if seconds >= 0 else None
