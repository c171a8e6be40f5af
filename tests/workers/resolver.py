"""A stand-in for the name service: what each host leads to, and who was asked for."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest


class Resolver:
    """`Resolver(monkeypatch, {"a.example": ["127.0.0.1"]})`, within a running loop. Of several answers in a list of
    lists, each is given once and the last one for ever; a host that is not there is asked of the system, which knows
    addresses in all their spellings."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, hosts: dict[str, list[list[str]]]) -> None:
        self.hosts = hosts
        loop = asyncio.get_running_loop()
        self._ask = loop.getaddrinfo
        monkeypatch.setattr(loop, "getaddrinfo", self._getaddrinfo)

    async def _getaddrinfo(self, host: Any, port: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in self.hosts:
            if not any(letter.isdigit() or letter == ":" for letter in name):
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return await self._ask(host, port, **more)
        answers = self.hosts[name]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [entry for address in found for entry in await self._ask(address, port, **more)]
