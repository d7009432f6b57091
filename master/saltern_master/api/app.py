"""The table of routes as an ASGI application.

Whatever is asked, the answer is of the route's type or a Problem. What a ServiceError says is
told as it is; any other error is told as the master's own, and its trace is in the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Place
from starlette.types import Receive, Scope, Send

from saltern_master.api.answer import Row, answer
from saltern_master.api.master import Master
from saltern_master.api.openapi import document
from saltern_master.api.page import page
from saltern_master.api.problem import MEDIA, problem_of
from saltern_master.api.routes import ROUTES
from saltern_master.api.rows import JSON
from saltern_master.api.service import ServiceError
from saltern_master.errors import MasterError

OPENAPI: Final = "/v1/openapi.json"
DOCS: Final = "/v1/docs"


@dataclass(frozen=True, slots=True)
class Fixed:
    """Bytes that are always the same."""

    data: bytes
    media: str


@dataclass(frozen=True, slots=True)
class Resource:
    """What stands under one path: a row of the table, or fixed bytes, for each method."""

    service: Master
    stop: asyncio.Event
    rows: Mapping[str, Row | Fixed] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        request = Request(scope, receive)
        row = self.rows.get(request.method)
        if row is None:
            allowed = ", ".join(sorted(self.rows))
            text = f"cannot {request.method} {request.url.path}; use {allowed}"
            response = _problem(ServiceError("no-such-method", text), {"Allow": allowed})
        elif isinstance(row, Fixed):
            response = Response(row.data, media_type=row.media)
        else:
            response = await answer(self.service, row, request, self.stop)
        await response(scope, receive, send)


def make_app(service: Master, stop: asyncio.Event, release: str) -> Starlette:
    """Give the application. Streams end when `stop` is set."""
    told = document(ROUTES, release)
    pages: dict[str, dict[str, Row | Fixed]] = {
        OPENAPI: {"GET": Fixed(msgspec.json.encode(told), JSON)},
        DOCS: {"GET": Fixed(page(told).encode(), "text/html")},
    }
    by_path = _by_path(ROUTES) | pages
    app = Starlette(
        routes=[Place(path, Resource(service, stop, rows)) for path, rows in by_path.items()],
        exception_handlers={
            HTTPException: _no_route,
            MasterError: _refused,
            Exception: _failed,
        },
    )
    app.router.redirect_slashes = False
    return app


def _by_path(table: Iterable[Row]) -> dict[str, dict[str, Row | Fixed]]:
    found: dict[str, dict[str, Row | Fixed]] = {}
    for row in table:
        found.setdefault(row.path, {})[row.method] = row
    return found


def _problem(error: ServiceError, headers: dict[str, str] | None = None) -> Response:
    problem = problem_of(error)
    return Response(msgspec.json.encode(problem), problem.status, headers, MEDIA)


async def _no_route(request: Request, error: Exception) -> Response:
    text = f"cannot find {request.url.path}; what there is stands in {OPENAPI}"
    return _problem(ServiceError("not-found", text))


async def _refused(request: Request, error: Exception) -> Response:
    known = error if isinstance(error, ServiceError) else ServiceError("internal", str(error))
    return _problem(known)


async def _failed(request: Request, error: Exception) -> Response:
    text = f"cannot answer {request.method} {request.url.path}: the master's log says why"
    return _problem(ServiceError("internal", text))
