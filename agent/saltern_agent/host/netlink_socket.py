"""A netlink socket for questions and commands: one request, its answers, or the kernel's refusal.

* An answer counts only if the kernel sent it and it bears the request's sequence number:
  what is left over from a request that was given up is passed over.
* A dump that the kernel calls interrupted (NLM_F_DUMP_INTR: what was dumped changed under
  it) is asked for again, at most TRIES times; then it is InterruptedError, never a part.
* One request at a time: a second thread waits.

Numbers are of <linux/netlink.h>.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from saltern_agent.host.events.netlink import HEADER, aligned, attributes, text

REQUEST, ACK, EXCL, CREATE, REPLACE, DUMP = 0x1, 0x4, 0x200, 0x400, 0x100, 0x300
ERROR, DONE = 2, 3
DUMP_INTERRUPTED: Final = 0x10
ACK_TLVS: Final = 0x200
SOL_NETLINK: Final = 270
CAP_ACK, EXT_ACK, GET_STRICT_CHK = 10, 11, 12
ERROR_MESSAGE: Final = 1  # NLMSGERR_ATTR_MSG
CODE: Final = struct.Struct("=i")

TRIES: Final = 10
SECONDS: Final = 5.0
DATAGRAM_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """One message of an answer."""

    type: int
    body: bytes


class NetlinkSocket:
    """A socket to one netlink family, of the network namespace in which it is made."""

    def __init__(self, family: int) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family
        )
        self._socket.settimeout(SECONDS)
        for option in (CAP_ACK, EXT_ACK, GET_STRICT_CHK):
            self._socket.setsockopt(SOL_NETLINK, option, 1)
        self._socket.bind((0, 0))
        self._lock = threading.Lock()
        self._sequence = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def ask(self, kind: int, flags: int, body: bytes) -> tuple[Answer, ...]:
        """Send a request and give what answers it; OSError with the kernel's errno and words."""
        with self._lock:
            return retried(lambda: self._once(kind, flags | REQUEST, body))

    def _once(self, kind: int, flags: int, body: bytes) -> tuple[Answer, ...] | None:
        self._sequence = (self._sequence + 1) % 2**32
        header = HEADER.pack(HEADER.size + len(body), kind, flags, self._sequence, 0)
        self._socket.send(header + body)
        until_end = flags & DUMP == DUMP or bool(flags & ACK)
        try:
            return gather(self._datagrams(), self._sequence, until_end)
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                return None  # part of the answer was lost
            raise

    def _datagrams(self) -> Iterator[bytes]:
        while True:
            data, (port, _groups) = self._socket.recvfrom(DATAGRAM_BYTES)
            if port == 0:  # the kernel's
                yield data


def retried(attempt: Callable[[], tuple[Answer, ...] | None]) -> tuple[Answer, ...]:
    """Give the first answer that is whole; InterruptedError after TRIES that are not."""
    for _ in range(TRIES):
        answers = attempt()
        if answers is not None:
            return answers
    raise InterruptedError(errno.EINTR, f"it changed {TRIES} times while it was read")


def gather(datagrams: Iterable[bytes], sequence: int, until_end: bool) -> tuple[Answer, ...] | None:
    """Collect the answer to one request; None where a dump was interrupted.

    It ends with the kernel's word of the end; without `until_end` also with the first message.
    """
    found: list[Answer] = []
    whole = True
    for data in datagrams:
        for answer, number, marks in _cut(data):
            if number != sequence:
                continue
            whole = whole and not marks & DUMP_INTERRUPTED
            if answer.type in (ERROR, DONE):
                _check(answer, marks)
                return tuple(found) if whole else None
            found.append(answer)
        if found and not until_end:
            return tuple(found)
    return None


def _cut(data: bytes) -> list[tuple[Answer, int, int]]:
    """Give the messages of a datagram, each with its sequence number and flags."""
    found, at = [], 0
    while at + HEADER.size <= len(data):
        length, kind, flags, sequence, _port = HEADER.unpack_from(data, at)
        if length < HEADER.size or at + length > len(data):
            break
        found.append((Answer(kind, data[at + HEADER.size : at + length]), sequence, flags))
        at += aligned(length)
    return found


def _check(answer: Answer, flags: int) -> None:
    """Raise OSError where an ERROR or DONE says that the request failed."""
    code = -CODE.unpack_from(answer.body)[0] if len(answer.body) >= CODE.size else 0
    if code <= 0:
        return
    words = os.strerror(code)
    start = CODE.size + (HEADER.size if answer.type == ERROR else 0)
    if flags & ACK_TLVS:
        for kind, value in attributes(answer.body, start):
            if kind == ERROR_MESSAGE:
                words = f"{words} ({text(value)})"
    raise OSError(code, words)
