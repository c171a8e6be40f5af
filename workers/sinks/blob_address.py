"""Which account, container and prefix an archive URL names."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from workers.sinks.errors import ArchiveUnavailable

_FORM = "Write archive.url as https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX."


@dataclass(frozen=True, slots=True)
class BlobAddress:
    """`account` is the URL of the blob service; `prefix` is empty or ends with `/`."""

    account: str
    container: str
    prefix: str

    @property
    def url(self) -> str:
        """Of the archive's root; ends with `/`."""
        return f"{self.account}/{quote(self.container)}/{quote(self.prefix)}"


def address_of(url: str, account: str | None = None) -> BlobAddress:
    """Takes an archive URL apart. `account` is the blob service's URL where a connection string names it.

    Without it, a host that is a name with dots is an account of its own; an address (Azurite) has the account as the
    first part of the path. Raises ArchiveUnavailable where the URL names no container, or another account.
    """
    parts = urlsplit(url)
    if parts.query or parts.username:
        raise ArchiveUnavailable("archive.url holds a query or a user.", "Name the SAS under archive.auth instead.")
    root = f"{parts.scheme}://{parts.netloc}".lower()
    segments = [unquote(each) for each in parts.path.split("/") if each]
    if account is None:
        own = 1 if _path_style(parts.hostname or "") else 0
        account = "/".join([root, *segments[:own]])
        segments = segments[own:]
    else:
        known = urlsplit(account)
        above = [unquote(each) for each in known.path.split("/") if each]
        if root != f"{known.scheme}://{known.netloc}".lower() or segments[: len(above)] != above:
            raise ArchiveUnavailable(
                f"archive.url is not in the account of the connection string, {account}.",
                "Make the two name the same account.",
            )
        segments = segments[len(above) :]
    if not segments:
        raise ArchiveUnavailable(f"archive.url names no container: {root}{parts.path}.", _FORM)
    return BlobAddress(account.rstrip("/"), segments[0], "".join(f"{each}/" for each in segments[1:]))


def _path_style(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." not in host
    return True
