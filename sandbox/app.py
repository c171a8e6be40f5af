"""Puts the parts together as one ASGI app."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from sandbox.control import Control
from sandbox.gate import Gate
from sandbox.jobs.api import JobsApi
from sandbox.refusals import ApiError, no_such_route
from sandbox.service import Service
from sandbox.videos.api import VideosApi

_PREFIXES = ("/openai/v1", "/v1")
"""Azure's paths, and OpenAI's for the same API."""


def build_app(service: Service) -> ASGIApp:
    """Both APIs under both prefixes, and the sandbox's own pages."""
    videos, jobs = VideosApi(service), JobsApi(service)
    routes = Control(service).routes()
    for prefix in _PREFIXES:
        routes += [*videos.routes(prefix), *jobs.routes(prefix)]
    app = Starlette(routes=routes, exception_handlers={ApiError: _refuse, HTTPException: _refuse_plainly})
    return Gate(app, service)


async def _refuse(_: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    return JSONResponse(error.body, error.status, error.headers)


async def _refuse_plainly(_: Request, error: Exception) -> Response:
    """What Starlette itself refuses: unknown paths, wrong methods, forms that cannot be read."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 404:
        body = no_such_route().body
    else:
        body = {"error": {"code": str(error.status_code), "message": error.detail}}
    return JSONResponse(body, error.status_code, error.headers)
