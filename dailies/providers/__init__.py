"""Deployments and everything else that a night needs, looked at by a person."""
