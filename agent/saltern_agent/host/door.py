"""The way to the master's door: one question, one answer, over CURVE.

* The master's key is the token's: whoever answers without it is not heard.
* Each question has a socket of its own: after a refused handshake libzmq never tries again.
* Nothing is waited for without end, and closing waits for nothing (LINGER 0).
* What kind of silence it was is told, since each has another remedy.

Monitor events: zmq_socket_monitor(3); a frame of an event (16 bits) and a value (32 bits).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

import zmq
from saltern_protocol.messages import MAX_ON_WIRE
from saltern_protocol.sealed import sealing_public
from saltern_protocol.token import JoinToken

from saltern_agent.join import Silence

EVENT: Final = struct.Struct("=HI")
REFUSALS: Final = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)
ENDS: Final = REFUSALS | zmq.EVENT_CLOSED | zmq.EVENT_DISCONNECTED
WATCHED: Final = ENDS | zmq.EVENT_CONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED
HANDSHAKE_MS: Final = 5_000
ANSWER_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class CurveDoor:
    """The door that a token names, for a node with this private key. Close it after use."""

    context: zmq.Context[zmq.Socket[bytes]]
    token: JoinToken
    secret: bytes
    monotonic: Callable[[], float]
    seconds: float = ANSWER_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.destroy(linger=0)

    def ask(self, address: str, frame: bytes) -> bytes | Silence:
        """Say one frame at this address; give the answer, or what kind of silence it was."""
        socket = self.context.socket(zmq.DEALER)
        monitor = socket.get_monitor_socket(WATCHED)
        try:
            self._set(socket)
            socket.connect(f"tcp://{address}:{self.token.door_port}")
            say(socket, frame)
            return self._await(socket, monitor, f"{address}:{self.token.door_port}")
        except zmq.ZMQError as error:
            return Silence(f"cannot connect to {address}:{self.token.door_port}: {error}")
        finally:
            socket.disable_monitor()
            monitor.close(linger=0)
            socket.close(linger=0)

    def _set(self, socket: zmq.Socket[bytes]) -> None:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
        socket.setsockopt(zmq.RECONNECT_IVL, -1)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_ON_WIRE)
        socket.setsockopt(zmq.RCVHWM, 16)
        socket.setsockopt(zmq.CURVE_SERVERKEY, self.token.server)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, sealing_public(self.secret))
        socket.setsockopt(zmq.CURVE_SECRETKEY, self.secret)

    def _await(
        self, socket: zmq.Socket[bytes], monitor: zmq.Socket[bytes], place: str
    ) -> bytes | Silence:
        poller = zmq.Poller()
        poller.register(socket, zmq.POLLIN)
        poller.register(monitor, zmq.POLLIN)
        deadline, seen = self.monotonic() + self.seconds, 0
        while (left := deadline - self.monotonic()) > 0:
            ready = dict(poller.poll(int(left * 1000) + 1))
            if socket in ready:
                return _one_frame(socket.recv_multipart(), place)
            if monitor in ready:
                event, _ = EVENT.unpack(monitor.recv_multipart()[0])
                seen |= event
                if event & ENDS:
                    break
        return Silence(_silence(seen, place))


def say(socket: zmq.Socket[bytes], frame: bytes) -> None:
    """Send it; where the connection has failed already, nothing: the monitor tells how."""
    with suppress(zmq.Again):  # libzmq would wait for a connection that never comes
        socket.send(frame, zmq.NOBLOCK)


def _one_frame(frames: list[bytes], place: str) -> bytes | Silence:
    if len(frames) == 1:
        return frames[0]
    return Silence(f"{place} answered in {len(frames)} frames, which no master does")


def _silence(seen: int, place: str) -> str:
    if seen & zmq.EVENT_HANDSHAKE_SUCCEEDED:
        return f"the master at {place} is there, but has not answered"
    if seen & (REFUSALS | zmq.EVENT_CONNECTED):
        return (
            f"something listens at {place}, but it is not the master that the token names "
            "(or it is too busy): see that the address is right"
        )
    return (
        f"nothing answers at {place}: see that the address is right, that the master runs, and "
        "that no firewall is between"
    )
