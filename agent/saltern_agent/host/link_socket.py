"""The socket to the master: ZeroMQ DEALER over CURVE, and the monitor that tells how it stands.

* libzmq never connects again by itself (RECONNECT_IVL -1): its waits have no jitter, and after a
  refused key it would never try again at all. Who wants another connection opens another socket.
* Its descriptor is edge-triggered (zmq_getsockopt(3), ZMQ_FD): after each wake and each send
  whatever is there must be taken: call read() after each, and again while it says `more`. Where
  there was neither, libzmq is not asked at all: other turns of the loop cost nothing here.
* Nothing is linked to a person or a name: the key of the channel is the node. No routing id.
* No HEARTBEAT_IVL: libzmq 4.3.5 ends the process that PINGs, or that a PING comes to, by an
  assertion, where that side's input waits for its reader and the connection fails meanwhile
  (stream_engine_base.cpp, out_event). It ended the front so, when a node came back that had been
  out of reach. Health and Beat tell more, and link/pace.py gives a mute connection up.
* Nobody is waited for: what cannot be sent at once is refused, and closing drops what is left.

zmq is imported when the first socket is opened: a node that has joined nobody does without it.
"""

from __future__ import annotations

import struct
from collections.abc import Container
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from saltern_protocol.messages import MAX_ON_WIRE

if TYPE_CHECKING:
    import zmq

EVENT: Final = struct.Struct("=HI")  # zmq_socket_monitor(3): the event and its value
HIGH_WATER: Final = 64  # messages
SECONDS: Final = 1000
MOST: Final = 64  # messages of one read()


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """Three CURVE keys, raw: the master's public one, and the node's own pair."""

    server: bytes
    public: bytes
    secret: bytes


@dataclass(frozen=True, slots=True)
class Read:
    """What has come."""

    opened: bool = False
    lost: str = ""  # why there is no connection (any more)
    frames: tuple[bytes, ...] = ()

    @property
    def more(self) -> bool:
        """Whether to read again although the descriptor may not tell."""
        return len(self.frames) == MOST


class LinkSocket:
    """One socket at a time. One thread uses one LinkSocket."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._socket: zmq.Socket[bytes] | None = None
        self._monitor: zmq.Socket[bytes] | None = None
        self._descriptors: tuple[int, ...] = ()
        self._unheard = False  # the monitor wakes nobody who has not found it empty once
        self.unsure = False  # read() although nothing woke: it is new, or a send used up the wake

    def open(self, address: str, port: int) -> None:
        """Set out to connect; read() tells how that goes. OSError: it cannot even be tried."""
        import zmq  # see above

        self.close()
        if self._context is None:
            self._context = zmq.Context(io_threads=1)
        link = self._context.socket(zmq.DEALER)
        try:
            self._set_up(link)
            monitor = link.get_monitor_socket()
            self._socket, self._monitor = link, monitor
            link.connect(f"tcp://{address}:{port}")
        except zmq.ZMQError as error:
            link.close(linger=0)
            self.close()
            raise OSError(error.errno, str(error)) from error
        self._descriptors = tuple(int(one.getsockopt(zmq.FD)) for one in (link, monitor))
        self._unheard = self.unsure = True

    def close(self) -> None:
        """Let go of the connection, and of what was not sent."""
        link, monitor = self._socket, self._monitor
        self._socket, self._monitor, self._descriptors = None, None, ()
        self._unheard = self.unsure = False
        if link is not None:
            link.disable_monitor()
            link.close(linger=0)
        if monitor is not None:
            monitor.close(linger=0)

    def end(self) -> None:
        """Let go of everything."""
        self.close()
        if self._context is not None:
            self._context.term()
            self._context = None

    def filenos(self) -> tuple[int, ...]:
        """Give the descriptors to poll for reading, none while there is no connection."""
        return self._descriptors

    def send(self, data: bytes) -> bool:
        """Send a message; False where it would have to wait, or there is no connection."""
        import zmq

        if self._socket is None:
            return False
        self.unsure = True
        try:
            self._socket.send(data, zmq.NOBLOCK)
        except zmq.ZMQError:
            return False
        return True

    def read(self, woken: Container[int]) -> Read:
        """Give what has come since. `woken`: the descriptors that can be read."""
        link, monitor = self._socket, self._monitor
        if link is None or monitor is None:
            return Read()
        of_link, of_monitor = self._descriptors
        heard = of_monitor in woken or self._unheard
        opened, lost = _happenings(monitor) if heard else (False, "")
        frames = _frames(link) if of_link in woken or self.unsure else ()
        self._unheard, self.unsure = False, len(frames) == MOST
        return Read(opened, lost, frames)

    def _set_up(self, link: zmq.Socket[bytes]) -> None:
        import zmq

        options: dict[int, int | bytes] = {
            zmq.CURVE_SERVERKEY: self._credentials.server,
            zmq.CURVE_PUBLICKEY: self._credentials.public,
            zmq.CURVE_SECRETKEY: self._credentials.secret,
            zmq.RECONNECT_IVL: -1,
            zmq.LINGER: 0,
            zmq.SNDHWM: HIGH_WATER,
            zmq.RCVHWM: HIGH_WATER,
            zmq.MAXMSGSIZE: MAX_ON_WIRE,
            zmq.HANDSHAKE_IVL: 10 * SECONDS,
            zmq.CONNECT_TIMEOUT: 10 * SECONDS,
            zmq.TCP_MAXRT: 60 * SECONDS,
        }
        for option, value in options.items():
            link.setsockopt(option, value)


def _frames(link: zmq.Socket[bytes]) -> tuple[bytes, ...]:
    """Take the messages, at most MOST. One of several frames is none of ours: it reads as empty."""
    frames: list[bytes] = []
    while len(frames) < MOST and _waits(link):
        parts = link.recv_multipart()
        frames.append(parts[0] if len(parts) == 1 else b"")
    return tuple(frames)


def _waits(of: zmq.Socket[bytes]) -> bool:
    import zmq

    return bool(int(of.getsockopt(zmq.EVENTS)) & int(zmq.POLLIN))


def _happenings(monitor: zmq.Socket[bytes]) -> tuple[bool, str]:
    import zmq

    opened, lost = False, ""
    while _waits(monitor):
        event, value = EVENT.unpack(monitor.recv_multipart()[0])
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            opened = True
        elif event == zmq.EVENT_DISCONNECTED:
            lost = lost or "the connection was closed"
        elif event == zmq.EVENT_CLOSED:
            lost = lost or "nobody answers there"
        elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            lost = (
                "the master does not know this node's key, or knows it no more; see there: "
                "saltern status"
            )
        elif event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
            lost = f"what answers there is not this master (ZMTP error {value:#x})"
        elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            lost = "the handshake failed; it may not be the master whose key was pinned"
    return opened, lost
