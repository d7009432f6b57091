"""The usher: does what the turnstile decides, at the two sockets that listen.

* Each port has two sockets that listen (sockets.Listener): libzmq's, and a waiting room that takes
  one connection and is not served. A classic BPF program (SO_ATTACH_REUSEPORT_CBPF, socket(7))
  sends some addresses, or all, to the room; there the kernel drops SYNs, and the clients' ask
  again. It needs no rights, and costs nothing for what is connected already. (SO_ATTACH_FILTER
  would need no room, but newer kernels keep it from TCP sockets of those without CAP_NET_ADMIN.)
* Who waits in the room is sent away in the next turn, and comes again by himself.
* Connections are looked at only while more descriptors are open than sessions and a share of
  strangers explain, and for no more than a twentieth of the time.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from contextlib import suppress
from typing import Final

from saltern_master.front.log import Log
from saltern_master.front.process import Peer, Process
from saltern_master.front.sockets import Listener
from saltern_master.front.turnstile import Bounds, Closed, Turn, turn

TELL_EVERY: Final = 10.0
MOST_ADDRESSES: Final = 500  # in one program: the kernel bounds its length (optmem_max)
_ATTACH: Final = 51  # asm-generic/socket.h: SO_ATTACH_REUSEPORT_CBPF
_WORD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # linux/bpf_common.h: LD W ABS, JEQ K, RET K
_SOURCE: Final = -0x100000 + 12 & 0xFFFFFFFF  # SKF_NET_OFF: in the IPv4 header
_ENTRANCE, _ROOM = 0, 1  # in the order in which they began to listen


class Usher:
    """Lets in, turns away, shows out."""

    def __init__(
        self, process: Process, link: Listener, door: Listener, bounds: Bounds, log: Log
    ) -> None:
        """Begin with all let in."""
        self._process, self._bounds, self._log = process, bounds, log
        self._listeners = {link.port: link, door.port: door}
        self._door = door.port
        for listener in (link, door):
            send_to_room(listener, frozenset())  # without a program the kernel shares them out
        self._closed = Closed()
        self._since: dict[Peer, float] = {}
        self._again_at = self._tell_at = 0.0

    @property
    def turns_away(self) -> bool:
        """Say whether there is anybody now who is not heard at the link."""
        return bool(self._closed.addresses or self._closed.ports - {self._door})

    def nobody(self, now: float) -> None:
        """Let nobody in for now: who fills us while we cannot read has to stay outside."""
        self._close(Closed(ports=frozenset(self._listeners)), "core does not read", now)

    def look(self, sessions: int, now: float) -> None:
        """Let in and turn away as it stands; sessions: of peers; now: seconds, monotonic."""
        if now < self._again_at:
            return
        descriptors = self._process.descriptors()
        bounds = self._bounds
        if descriptors < min(sessions + min(bounds.each, bounds.door), bounds.high):
            self._since.clear()
            self._close(Closed(), "", now)
            return
        began = time.perf_counter()
        self._do(self._decide(descriptors, now), now)
        self._again_at = now + 20 * (time.perf_counter() - began)

    def _decide(self, descriptors: int, now: float) -> Turn:
        connections = self._process.connections(frozenset(self._listeners))
        self._since = {one.peer: self._since.get(one.peer, now) for one in connections}
        return turn(connections, self._since, self._door, descriptors, self._bounds, now)

    def _do(self, decided: Turn, now: float) -> None:
        self._process.shut(decided.shut)
        self._close(decided.closed, "too many connections do not say who they are", now)

    def _close(self, closed: Closed, why: str, now: float) -> None:
        if self._closed != Closed():
            for listener in self._listeners.values():
                _empty(listener.room)
        if closed == self._closed:
            return
        for port, listener in self._listeners.items():
            everybody = port in closed.ports or len(closed.addresses) > MOST_ADDRESSES
            send_to_room(listener, None if everybody else closed.addresses)
        self._closed = closed
        if closed != Closed() and now >= self._tell_at:
            self._tell_at = now + TELL_EVERY
            self._tell(closed, why)

    def _tell(self, closed: Closed, why: str) -> None:
        ports = [f"port {port}" for port in sorted(closed.ports)]
        addresses = [f"from {address}" for address in sorted(closed.addresses)]
        whose = ", ".join((*ports, *addresses))
        self._log.say(f"{why}: no new connections, {whose}")


def program(addresses: frozenset[str] | None) -> bytes:
    """Give the program that sends these addresses to the room; None: all of them. Pure."""
    if addresses is None:
        steps = [(_RETURN, 0, 0, _ROOM)]
    else:
        steps = [(_WORD, 0, 0, _SOURCE)]
        for address in sorted(addresses):
            number = int.from_bytes(socket.inet_aton(address), "big")
            steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ROOM)]
        steps.append((_RETURN, 0, 0, _ENTRANCE))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def send_to_room(listener: Listener, addresses: frozenset[str] | None) -> None:
    """Let nobody of these addresses come to the entrance; None: nobody at all."""
    code = program(addresses)
    held = ctypes.create_string_buffer(code)
    filled = struct.pack("=HxxxxxxQ", len(code) // 8, ctypes.addressof(held))
    listener.entrance.setsockopt(socket.SOL_SOCKET, _ATTACH, filled)


def _empty(room: socket.socket) -> None:
    with suppress(OSError):  # nobody waits; or no descriptor is left, and he waits on
        while True:
            room.accept()[0].close()
