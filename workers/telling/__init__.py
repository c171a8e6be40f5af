"""Telling people by webhook how a night goes."""
