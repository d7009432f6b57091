"""The probe: knocks at our own link with a key that nobody knows, and must be refused.

Whether a CURVE socket asks anybody at all hangs on two settings and a thread, and libzmq says
nothing when they are wrong. So it is tried: at the start, before anybody is served, and every
EVERY seconds. Let in: GateError at once. No answer: at the start GateError, later after MISSES in
a row, for a gate under a storm of handshakes is late and still closed. While the usher turns
strangers away, he turns us away too: no answer says nothing then, or a flood at the turnstile
would end the front, and with it every node's connection.
"""

from __future__ import annotations

import errno
import struct
from typing import Final

import zmq

from saltern_master.front.gate import GateError
from saltern_master.front.sockets import Context, Router

EVERY: Final = 30.0
PATIENCE: Final = 10.0
MISSES: Final = 3
_REFUSED: Final = zmq.EVENT_HANDSHAKE_FAILED_AUTH
_LET_IN: Final = zmq.EVENT_HANDSHAKE_SUCCEEDED
_EVENT: Final = struct.Struct("=HI")  # event and value, zmq_socket_monitor(3)


class Probe:
    """Knocks; look() is to be called now and then."""

    def __init__(self, context: Context, endpoint: str, server: bytes) -> None:
        self._context, self._endpoint, self._server = context, endpoint, server
        self._socket: Router | None = None
        self._monitor: Router | None = None
        self._began = float("-inf")
        self._missed = 0
        self._turned_away = False  # since this trial began
        self.passed = 0

    def look(self, now: float, turned_away: bool = False) -> None:
        """Go on with the trial, or begin one; GateError: a stranger could come in.

        `turned_away`: the usher does not let everybody come to the entrance now.
        """
        self._turned_away = turned_away or (self._turned_away and self._monitor is not None)
        if self._monitor is None:
            if now - self._began >= EVERY:
                self._begin(now)
            return
        while self._monitor is not None and self._monitor.poll(0):
            event, _value = _EVENT.unpack(self._monitor.recv_multipart()[0])
            self._hear(event)  # zmq.utils.monitor would read it too, and bring asyncio along
        if self._monitor is not None and now - self._began >= PATIENCE:
            self._miss()

    def close(self) -> None:
        """Take the trial's socket away."""
        if self._socket is not None and self._monitor is not None:
            self._socket.disable_monitor()
            self._monitor.close(linger=0)
        if self._socket is not None:
            self._socket.close(linger=0)
        self._socket = self._monitor = None

    def _begin(self, now: float) -> None:
        """Knock; where no descriptor is left for that, once more in a second."""
        try:
            self._knock()
            self._began = now
        except zmq.ZMQError as error:
            if error.errno != errno.EMFILE:
                raise
            self.close()
            self._began = now - EVERY + 1

    def _knock(self) -> None:
        public, secret = zmq.curve_keypair()
        self._socket = socket = self._context.socket(zmq.DEALER)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
        socket.setsockopt(zmq.CURVE_SERVERKEY, self._server)
        socket.setsockopt(zmq.RECONNECT_IVL, -1)
        self._monitor = socket.get_monitor_socket(_REFUSED | _LET_IN)
        socket.connect(self._endpoint)

    def _hear(self, event: int) -> None:
        self.close()
        if event == _LET_IN:
            raise GateError(f"cannot go on: {self._endpoint} let in a key that nobody knows")
        self.passed += 1
        self._missed = 0

    def _miss(self) -> None:
        self.close()
        if self._turned_away and self.passed:
            return
        self._missed += 1
        if not self.passed or self._missed >= MISSES:
            what = f"{self._endpoint} did not refuse an unknown key within {PATIENCE:.0f} s"
            raise GateError(f"cannot go on: {what}")
