"""The usher: does what the turnstile decides, at the two sockets that listen.

* Who is not to be heard is dropped by the kernel: a classic BPF program at the listening socket
  (SO_ATTACH_FILTER, socket(7)) passes over SYNs of some addresses, or all. It needs no rights, and
  costs nothing for what is connected already.
* Connections are looked at only while there are more descriptors than sessions explain, and for
  no more than a tenth of the time.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from saltern_master.front.log import Log
from saltern_master.front.process import Peer, Process
from saltern_master.front.turnstile import Bounds, Closed, Turn, turn

SLACK: Final = 64
"""Descriptors that need no explanation: the front's own, and a few that come and go."""
MOST_ADDRESSES: Final = 500  # in one program: the kernel bounds its length (optmem_max)
_ATTACH, _DETACH = 26, 27  # asm-generic/socket.h
_BYTE, _WORD, _AND, _SET, _EQUAL, _RETURN = 0x30, 0x20, 0x54, 0x45, 0x15, 0x06
_FLAGS: Final = 13  # offset in the TCP header, where the program begins to read
_SYN, _ACK = 0x02, 0x10
_SOURCE: Final = -0x100000 + 12 & 0xFFFFFFFF  # SKF_NET_OFF: in the IPv4 header
_PASS: Final = 0xFFFFFFFF


class Usher:
    """Lets in, turns away, shows out."""

    def __init__(
        self, process: Process, listeners: Mapping[str, socket.socket], bounds: Bounds, log: Log
    ) -> None:
        self._process, self._bounds, self._log = process, bounds, log
        self._listeners = {one.getsockname()[1]: one for one in listeners.values()}
        self._door = listeners["door"].getsockname()[1]
        self._closed = Closed()
        self._since: dict[Peer, float] = {}
        self._again_at = 0.0

    def look(self, sessions: int, now: float) -> None:
        """Let in and turn away as it stands; sessions: of peers; now: seconds, monotonic."""
        if now < self._again_at:
            return
        descriptors = self._process.descriptors()
        if descriptors <= sessions + SLACK:
            self._since.clear()
            self._close(Closed())
            return
        began = time.perf_counter()
        self._do(self._decide(descriptors, now))
        self._again_at = now + 10 * (time.perf_counter() - began)

    def _decide(self, descriptors: int, now: float) -> Turn:
        connections = self._process.connections(frozenset(self._listeners))
        self._since = {one.peer: self._since.get(one.peer, now) for one in connections}
        return turn(connections, self._since, self._door, descriptors, self._bounds)

    def _do(self, decided: Turn) -> None:
        self._process.shut(decided.shut)
        self._close(decided.closed)

    def _close(self, closed: Closed) -> None:
        if closed == self._closed:
            return
        for port, listener in self._listeners.items():
            everybody = port in closed.ports or len(closed.addresses) > MOST_ADDRESSES
            _attach(listener, None if everybody else closed.addresses)
        self._tell(closed)
        self._closed = closed

    def _tell(self, closed: Closed) -> None:
        before = self._closed
        if bool(closed.ports) != bool(before.ports):
            ports = ", ".join(map(str, sorted(closed.ports)))
            many = f"no new connections on port {ports}: too many did not say who they are"
            self._log.say(many if closed.ports else "new connections are taken again")
        for address in closed.addresses - before.addresses:
            self._log.say(f"no new connections from {address}: too many did not say who they are")
        for address in before.addresses - closed.addresses:
            self._log.say(f"new connections from {address} are taken again")


def program(addresses: frozenset[str] | None) -> bytes:
    """Give the program that passes over SYNs of these addresses; None: of all. Pure."""
    steps: list[tuple[int, int, int, int]] = [
        (_BYTE, 0, 0, _FLAGS),
        (_AND, 0, 0, _SYN | _ACK),
        (_EQUAL, 1, 0, _SYN),
        (_RETURN, 0, 0, _PASS),
    ]
    if addresses is not None:
        steps.append((_WORD, 0, 0, _SOURCE))
        for address in sorted(addresses):
            number = int.from_bytes(socket.inet_aton(address), "big")
            steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, 0)]
        steps.append((_RETURN, 0, 0, _PASS))
    else:
        steps.append((_RETURN, 0, 0, 0))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _attach(listener: socket.socket, addresses: frozenset[str] | None) -> None:
    if addresses is not None and not addresses:
        with suppress(FileNotFoundError):  # there was none
            listener.setsockopt(socket.SOL_SOCKET, _DETACH, 0)
        return
    code = ctypes.create_string_buffer(program(addresses))
    length = (len(code) - 1) // 8
    listener.setsockopt(
        socket.SOL_SOCKET, _ATTACH, struct.pack("=HxxxxxxQ", length, ctypes.addressof(code))
    )
