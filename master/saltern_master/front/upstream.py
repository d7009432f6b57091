"""The socket pair to core: frames in, frames out, never waiting.

* What core does not read is kept up to FULL bytes; from then on `full` is true, and the front
  stops reading from nodes until it drains. One turn of the loop may add to it, no more.
* When core closes its end, gone is true: the front has nobody to work for, and ends.
"""

from __future__ import annotations

import socket
from typing import Final

from saltern_master.front.frames import Frame, Frames, ToFront, to_bytes, to_front

FULL: Final = 4 * 2**20
_READ: Final = 256 * 1024


class Upstream:
    """Core, as the front sees it."""

    def __init__(self, pair: socket.socket) -> None:
        pair.setblocking(False)
        self._pair, self._frames, self._out = pair, Frames(), bytearray()
        self.gone = False

    def fileno(self) -> int:
        """Give the descriptor, for poll."""
        return self._pair.fileno()

    @property
    def full(self) -> bool:
        """Say whether core has to read before anything may be added."""
        return len(self._out) >= FULL

    @property
    def waiting(self) -> bool:
        """Say whether something is to be written."""
        return bool(self._out)

    def tell(self, frame: Frame) -> None:
        """Put a frame behind what waits."""
        self._out += to_bytes(frame)

    def write(self) -> None:
        """Write what core takes now."""
        try:
            while self._out and not self.gone:
                with memoryview(self._out) as view:
                    written = self._pair.send(view[: 1 << 20], socket.MSG_NOSIGNAL)
                del self._out[:written]
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            self.gone = True

    def read(self) -> list[ToFront]:
        """Take what core said; ValueError or MalformedError: it is not our core."""
        try:
            data = self._pair.recv(_READ)
        except BlockingIOError:
            return []
        except ConnectionResetError:
            data = b""
        if not data:
            self.gone = True
        return [to_front(frame) for frame in self._frames.feed(data)]
