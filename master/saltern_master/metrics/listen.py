"""/metrics over TCP, and nothing else: GET or HEAD of one path, without authentication.

Off unless `saltern master run --metrics` says where: see address.py. One answer is made at a time.
Whoever reaches it may connect, so a connection costs the master little: who has not asked within
IDLE_SECONDS is let go, and so is everybody after MOST_SECONDS; beyond MOST_OPEN nobody is let in.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Final

import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from saltern_master.api.serve import Server, SocketError, serve_until
from saltern_master.metrics.address import Address
from saltern_master.metrics.brief import Brief

PATH: Final = "/metrics"
BACKLOG: Final = 16
IDLE_SECONDS: Final = 5

Telling = Callable[[str], Awaitable[tuple[bytes, str]]]
"""What a client accepts -> the text and its media type."""


def telling_app(tell: Telling) -> ASGIApp:
    """Give the application that answers for /metrics alone."""
    one_by_one = asyncio.Lock()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response: Response = PlainTextResponse(f"there is {PATH} here, and nothing else\n", 404)
        if request.url.path == PATH and request.method in ("GET", "HEAD"):
            async with one_by_one:
                data, media = await tell(request.headers.get("accept", ""))
            response = Response(data, headers={"content-type": media})
        elif request.url.path == PATH:
            response = PlainTextResponse("use GET\n", 405, {"allow": "GET, HEAD"})
        await response(scope, receive, send)

    return app


async def serve_metrics(
    tell: Telling,
    address: Address,
    stop: asyncio.Event,
    ready: Callable[[Address], None],
    idle: int = IDLE_SECONDS,
) -> None:
    """Answer until `stop` is set; `ready` is told where it listens really. SocketError."""
    listening = _listen(address)
    ready(Address(*listening.getsockname()[:2]))
    config = uvicorn.Config(
        telling_app(tell),
        backlog=BACKLOG,
        http=Brief,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=idle,
        timeout_graceful_shutdown=1,
    )
    await serve_until(Server(config), listening, stop)


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address.host, address.port))
        made.listen(BACKLOG)
        made.setblocking(False)
    except OSError as error:
        made.close()
        raise SocketError(
            f"cannot tell metrics on {address}: {error.strerror or error}; choose another "
            "address, or leave --metrics away"
        ) from error
    return made
