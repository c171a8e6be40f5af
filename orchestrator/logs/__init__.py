"""Logs: how they are written, how much may stand in them, and what never may."""

from orchestrator.logs.writer import configure

__all__ = ["configure"]
