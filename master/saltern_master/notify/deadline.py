"""A deadline for a whole conversation: who gives a byte now and then is cut off all the same.

A timeout of a socket counts from the last byte. So what is spoken over is shut down from beside
once the time is up, and whoever waits for it gets its end: also within a TLS handshake.
"""

from __future__ import annotations

import socket
from threading import Lock, Timer
from types import TracebackType
from typing import Any, Self


class Deadline:
    """So many seconds for all that is done within; it ends when that is left."""

    def __init__(self, seconds: float) -> None:
        self.over = False
        self.seconds = seconds
        self._lock = Lock()
        self._watched: list[socket.socket] = []
        self._timer = Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        with self._lock:
            for one in self._watched:
                one.close()
            self._watched.clear()

    def watch(self, connection: socket.socket) -> None:
        """Have a connection cut when the time is up. By another descriptor: TLS takes this one."""
        with self._lock:
            self._watched.append(connection.dup())
        if self.over:
            self._cut()

    def hear(self, event: str, info: dict[str, Any]) -> None:
        """Watch what httpx connects: for its extension "trace"."""
        if event == "connection.connect_tcp.complete":
            self.watch(info["return_value"].get_extra_info("socket"))

    def _cut(self) -> None:
        with self._lock:
            self.over = True
            for one in self._watched:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # it ended by itself
