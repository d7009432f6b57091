"""Requests to the HTTP API as bytes, and the application that answers them in memory.

The first line is METHOD, a space and the target; the rest is the body. A request that the
application itself cannot answer, so that its server would have to, is raised.
"""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Callable, MutableMapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from saltern_master.api.app import make_app
from saltern_master.testing.service import FakeService

from tests.master.clusters import SMALL

REQUESTS: Final = (
    b"GET /v1/status\n",
    b"GET /v1/nodes\n",
    b"GET /v1/nodes/w1\n",
    b'POST /v1/nodes/w1/approve\n{"fingerprint": "0123-4567"}',
    b"POST /v1/nodes/w1/revoke\n",
    b"DELETE /v1/nodes/w1?force=true\n",
    b"GET /v1/tokens\n",
    b'POST /v1/tokens\n{"node": "w2", "node_class": "worker", "seconds": 60, "approval": true}',
    b"POST /v1/apply\n" + SMALL.encode(),
    b"GET /v1/turns/1\n",
    b"GET /v1/turns/1/events\n",
    b"GET /v1/drift?node=w1&most=5&open=true\n",
    b"GET /v1/drift/events?node=w1\n",
    b"GET /v1/openapi.json\n",
    b"POST /v1/kubeconfig\n-----BEGIN CERTIFICATE REQUEST-----\n",
)
NOW: Final = 1_800_000_000.0


def asking() -> Callable[[bytes], object]:
    """Give what asks an application of its own one request, and gives the status."""
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)
    stop = asyncio.Event()
    stop.set()  # streams end with their first line
    app = make_app(FakeService(lambda: NOW), stop, "0")

    async def ask(data: bytes) -> int:
        line, _, body = data.partition(b"\n")
        method, _, target = line.partition(b" ")
        target = bytes(one for one in target if 0x20 < one < 0x7F)  # h11 lets nothing else through
        path, _, query = target.partition(b"?")
        scope = {
            "type": "http", "http_version": "1.1", "scheme": "http", "root_path": "",
            "method": method.decode("latin-1"), "headers": [], "query_string": query,
            "raw_path": path, "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        }  # fmt: skip
        status = 0
        parts = iter(({"type": "http.request", "body": body, "more_body": False},))

        async def receive() -> MutableMapping[str, Any]:
            return next(parts, {"type": "http.disconnect"})

        async def send(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)

        await app(scope, receive, send)
        assert 200 <= status < 600, "no answer"
        assert status != 500, "the master's own fault"
        return status

    return lambda data: loop.run_until_complete(ask(data))
