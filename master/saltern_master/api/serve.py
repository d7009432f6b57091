"""The API on a unix socket, inside somebody's event loop.

* Only the socket's owner and its group can connect: its mode is 0660 before it listens.
* A socket that a dead master left is replaced; one that a living master listens on is not.
* No signal handler is installed: whoever owns the loop says when to stop.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final

import uvicorn

from saltern_master.api.app import make_app
from saltern_master.api.master import Master
from saltern_master.errors import MasterError

MODE: Final = 0o660
BACKLOG: Final = 128
LAST_SECONDS: Final = 2  # that answers under way have when the master stops


class SocketError(MasterError):
    """The API's socket cannot be made."""


class Server(uvicorn.Server):
    """A server that leaves signals to the loop's owner."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install nothing."""
        yield


async def serve(service: Master, path: Path, stop: asyncio.Event) -> None:
    """Answer on `path` until `stop` is set. It listens before anything is awaited; SocketError."""
    config = uvicorn.Config(
        make_app(service, stop, version("saltern-master")),
        backlog=BACKLOG,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=LAST_SECONDS,
    )
    listening = listen(path)  # before: what stands there is not ours until then
    try:
        await serve_until(Server(config), listening, stop)
    finally:
        path.unlink(missing_ok=True)


async def serve_until(server: Server, listening: socket.socket, stop: asyncio.Event) -> None:
    """Answer on a socket until `stop` is set, and close it."""
    running = asyncio.ensure_future(server.serve([listening]))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await running
    finally:
        stopping.cancel()
        running.cancel()
        listening.close()


def listen(path: Path) -> socket.socket:
    """Give a socket that listens on `path`; SocketError."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        _remove_dead(path)
        made.bind(str(path))
        path.chmod(MODE)  # nobody can connect before listen()
        made.listen(BACKLOG)
        made.setblocking(False)
    except OSError as error:
        made.close()
        raise SocketError(f"cannot listen on {path}: {error.strerror or error}") from error
    except SocketError:
        made.close()
        raise
    return made


def _remove_dead(path: Path) -> None:
    """Take a socket away on which nobody listens."""
    if not path.is_socket():
        return  # bind() tells what else stands there
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        try:
            asking.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise SocketError(f"cannot listen on {path}: another master runs there; stop it first")
