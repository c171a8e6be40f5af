"""The two video APIs of Azure OpenAI, pretend: a server that anybody can start, with real quotas and real MP4s."""

from __future__ import annotations

from sandbox.config import SandboxConfig, SandboxDeployment
from sandbox.server import SandboxServer, serve

__all__ = ["SandboxConfig", "SandboxDeployment", "SandboxServer", "serve"]
