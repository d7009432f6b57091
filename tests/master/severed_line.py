"""A line to the front that keeps back what a client says, and then gives it all at once and fails.

What comes so stands in one buffer of the receiver's, with the connection's end right behind it.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from typing import Final

import zmq
from zmq.utils.monitor import recv_monitor_message

from tests.master.front_stand import Keys, curve_client

AT_ONCE: Final = 1 << 16
SECONDS: Final = 10.0
RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST, socket(7)


class SeveredLine:
    """A client of CURVE that PINGs every millisecond, and the line that it is on."""

    def __init__(self, keys: Keys, master: bytes, port: int) -> None:
        """Connect, and finish the handshake."""
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self._client = self._dial(keys, master, listening.getsockname()[1])
            self._near, _ = listening.accept()
        self._far = socket.create_connection(("127.0.0.1", port), SECONDS)
        monitor = self._client.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        until = time.monotonic() + SECONDS
        while not monitor.poll(0):
            assert time.monotonic() < until, "no handshake"
            self._carry(self._near, self._far)
            self._carry(self._far, self._near)
        recv_monitor_message(monitor)
        self._client.disable_monitor()
        monitor.close(linger=0)

    def say_and_fail(self, data: bytes, size: int) -> None:
        """Have the client say `data` until it is `size` bytes; bring them at once, and reset."""
        held = bytearray()
        while len(held) < size:
            self._client.send(data)
            if select.select([self._near], [], [], 0.0005)[0]:
                held += self._near.recv(AT_ONCE)
        self._far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._far.sendall(held)
        self.close()

    def close(self) -> None:
        """Close both ends."""
        self._far.close()
        self._near.close()
        self._client.close(linger=0)
        self._context.term()

    def _dial(self, keys: Keys, master: bytes, port: int) -> zmq.Socket[bytes]:
        client = curve_client(self._context, keys, master)
        client.setsockopt(zmq.HEARTBEAT_IVL, 1)
        client.setsockopt(zmq.HEARTBEAT_TIMEOUT, 60_000)
        client.connect(f"tcp://127.0.0.1:{port}")
        return client

    def _carry(self, of: socket.socket, to: socket.socket) -> None:
        if select.select([of], [], [], 0.001)[0]:
            to.sendall(of.recv(AT_ONCE))
