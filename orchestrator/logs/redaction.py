"""Secrets this process has read, and how to keep them out of text.

Whoever reads a secret (a key's variable, a Redis password) tells this module; whoever writes text for people
or for a log asks it to `redact` first. So a secret in some library's own error message is still not printed.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

MASK = "**********"
SHORTEST = 6  # shorter ones would blank out ordinary words wherever they occur

_secrets: set[str] = set()


def remember(secret: str) -> None:
    """Take note of a secret, as it is and as it looks inside a URL."""
    for form in (secret, quote(secret, safe=""), unquote(secret)):
        if len(form) >= SHORTEST:
            _secrets.add(form)


def forget(secret: str) -> None:
    """It ended long ago: each that is remembered is looked for in every line of the log."""
    _secrets.difference_update((secret, quote(secret, safe=""), unquote(secret)))


def redact(text: str) -> str:
    """The text with every remembered secret blanked, the longest first so that no tail of one is left."""
    for secret in sorted(_secrets, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, MASK)
    return text
