"""Who types a command: it is kept with what was asked."""

from __future__ import annotations

import getpass
import socket


def who() -> str:
    """`USER@MACHINE`; the machine alone where a user has no name, as in many containers."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        return socket.gethostname()
    return f"{user}@{socket.gethostname()}"
