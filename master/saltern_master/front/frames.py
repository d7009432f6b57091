"""What front and core say to each other, over a socket pair that core made.

    core -> front    Setup, Peers, Admit, Expel, Grant, Tell, Answer
    front -> core    Ready, Heard, Up, Silent, Knock, Load

* A frame is four bytes of length (big endian) and as many of msgpack.
* A peer is its CURVE key, raw: what the key stands for (node, incarnation) only core knows.
* Front forwards a message only after it has read it as one that a node may send, in turn and
  within the peer's budget. Core reads it again: it trusts the front for nothing but the key.
* Health that says nothing new is not forwarded one by one: see front/peer.py.
"""

from __future__ import annotations

import struct
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct
from saltern_protocol import wire
from saltern_protocol.messages import MAX_MESSAGE, Key
from saltern_protocol.terms import Digest, Natural, ShortText, Text

MAX_FRAME: Final = 8 * 1024 * 1024
LENGTH: Final = struct.Struct(">I")

Confinement = Literal["whole", "partial"]
"""What a front does where its kernel cannot keep it in: it ends, or it says so and goes on."""
Data = Annotated[bytes, Meta(max_length=MAX_MESSAGE)]
Port = Annotated[int, Meta(ge=0, le=65535)]


class Frame(Struct, frozen=True, kw_only=True, tag_field="f", forbid_unknown_fields=True):
    """What every frame is."""


class Setup(Frame, frozen=True, tag="setup"):
    """What the front is to be. The first frame that core sends, once; no argument, no environment.

    The blobs' directory is opened before the front gives up being root: below it, files need to
    be readable by others (0644) and the directory searchable (0711); what is above may be 0700.
    """

    bind: ShortText  # an IPv4 address; 0.0.0.0: all
    link_port: Port  # 0: any
    door_port: Port
    blobs: Text  # a directory whose files are named by their SHA-256, in hex
    secret: Key  # the master's CURVE key
    confinement: Confinement = "whole"


class Peers(Frame, frozen=True, tag="peers"):
    """The whole allow map, in place of what was before. Follows Setup; Ready comes after it."""

    keys: tuple[Key, ...]


class Admit(Frame, frozen=True, tag="admit"):
    """One more peer may speak."""

    key: Key


class Expel(Frame, frozen=True, tag="expel"):
    """A peer may speak no more, from its next message on. It is told why."""

    key: Key
    reason: ShortText = "revoked"
    why: Text = "this key is no node of this master"


class Grant(Frame, frozen=True, tag="grant"):
    """The blobs that a peer may ask for, in place of those before."""

    key: Key
    blobs: tuple[Digest, ...]


class Tell(Frame, frozen=True, tag="tell"):
    """Send a message to a peer, over the connection that its last Hello came on."""

    key: Key
    data: Data


class Answer(Frame, frozen=True, tag="answer"):
    """Answer a knock."""

    route: bytes
    data: Data


class Ready(Frame, frozen=True, tag="ready"):
    """The front listens; the ports that it really has (0 was asked for: any)."""

    link_port: Natural
    door_port: Natural


class Heard(Frame, frozen=True, tag="heard"):
    """A peer said this."""

    key: Key
    data: Data


class Up(Frame, frozen=True, tag="up"):
    """A peer said Hello, and a session begins; its Hello follows as Heard."""

    key: Key


class Silent(Frame, frozen=True, tag="silent"):
    """A session ended: 45 seconds of nothing, a connection gone, a quarantine.

    What was told to this peer and not answered may be lost. The next thing from it is Up, or once
    more Silent, `linked`: its connection is up, and it says nothing.
    """

    key: Key
    linked: bool = False
    quiet_us: Natural | None = None  # since its last message, of whatever kind; None: not known


class Knock(Frame, frozen=True, tag="knock"):
    """A stranger asks to be enrolled; `route` is for the Answer."""

    route: bytes
    key: Key
    data: Data


class Load(Frame, frozen=True, tag="load"):
    """What the front saw and did since it started; every 15 seconds."""

    messages: Natural
    bytes_in: Natural
    bytes_out: Natural
    refused: Natural  # handshakes of unknown keys
    malformed: Natural
    dropped: Natural  # out of turn or over budget
    cpu_us: Natural
    peers: Natural = 0  # sessions
    descriptors_percent: Natural = 0  # of what this process may open


ToFront = Setup | Peers | Admit | Expel | Grant | Tell | Answer
ToCore = Ready | Heard | Up | Silent | Knock | Load


def to_bytes(frame: Frame) -> bytes:
    """Give a frame with its length before it."""
    data = wire.pack(frame)
    return LENGTH.pack(len(data)) + data


def to_front(data: bytes) -> ToFront:
    """Read what core sent, without its length."""
    return wire.unpack(data, ToFront, MAX_FRAME)  # type: ignore[arg-type]


def to_core(data: bytes) -> ToCore:
    """Read what a front sent, without its length."""
    return wire.unpack(data, ToCore, MAX_FRAME)  # type: ignore[arg-type]


class Frames:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take what came; give the frames that are whole. ValueError: one is too long."""
        self._held += data
        whole: list[bytes] = []
        while len(self._held) >= LENGTH.size:
            (size,) = LENGTH.unpack_from(self._held)
            if size > MAX_FRAME:
                raise ValueError(f"cannot take a frame of {size} bytes: the limit is {MAX_FRAME}")
            end = LENGTH.size + size
            if len(self._held) < end:
                break
            whole.append(bytes(self._held[LENGTH.size : end]))
            del self._held[:end]
        return whole
