"""A line that carries all that one end says and little of what the other does: 1 KB a second."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

A_SECOND: Final = 1024
SMALL: Final = 4096  # bytes that the kernel keeps for us


@contextmanager
def slow_line(port: int) -> Iterator[int]:
    """Give a port of loopback that leads to another, and from there at 1 KB a second."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()
        thread = threading.Thread(target=_carry, args=(server, port, over), daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        over.set()


def _carry(server: socket.socket, port: int, over: threading.Event) -> None:
    with suppress(OSError):
        near, _ = server.accept()
        far = socket.socket()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        far.connect(("127.0.0.1", port))
        threading.Thread(target=_pump, args=(near, far, over, False), daemon=True).start()
        _pump(far, near, over, True)


def _pump(source: socket.socket, sink: socket.socket, over: threading.Event, slow: bool) -> None:
    began, carried = time.monotonic(), 0
    with suppress(OSError):
        while not over.is_set() and (data := source.recv(A_SECOND if slow else 65536)):
            sink.sendall(data)
            carried += len(data)
            if slow and carried > 4 * A_SECOND:  # the handshake and a lease go through at once
                over.wait(max(0.0, began + carried / A_SECOND - time.monotonic()))
