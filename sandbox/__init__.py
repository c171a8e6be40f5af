"""The two video APIs of Azure OpenAI, pretend: a server for anybody to start, with quotas and real MP4s."""

from __future__ import annotations

from sandbox.config import SandboxConfig, SandboxDeployment
from sandbox.server import SandboxServer, serve

__all__ = ["SandboxConfig", "SandboxDeployment", "SandboxServer", "serve"]
