"""A bus that lets its callers in and then says nothing, or goes, holds nobody up for long."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from saltern_agent.host.dbus import connect

from tests.open_descriptors import uncollected

TIMES: Final = 3


@contextmanager
def door(path: Path, *, stays: bool) -> Iterator[str]:
    """Give the address of a bus that lets in whoever comes, and never says more than that."""
    held: list[socket.socket] = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        letting = threading.Thread(target=_let_in, args=(listening, held, stays))
        letting.start()
        yield str(path)
        letting.join()
    for one in held:
        one.close()


def _let_in(listening: socket.socket, held: list[socket.socket], stays: bool) -> None:
    for _ in range(TIMES):
        one, _ = listening.accept()
        said = b""
        while b"BEGIN\r\n" not in said:  # what comes right behind it is Hello
            said += one.recv(1024)
            if b"AUTH" in said:
                one.sendall(b"OK 0123456789abcdef0123456789abcdef\r\n")
                said = b""
        if stays:
            held.append(one)
        else:
            one.close()


@pytest.mark.parametrize("stays", [True, False])
def test_it_is_left_in_time_and_nothing_stays_open(tmp_path: Path, stays: bool) -> None:
    with uncollected(), door(tmp_path / "bus", stays=stays) as address:
        counts: list[int] = []
        for _ in range(TIMES):
            with pytest.raises(ConnectionError):
                connect(address, seconds=0.05)
            counts.append(len(os.listdir("/proc/self/fd")) - (len(counts) + 1) * stays)
    assert counts == counts[:1] * TIMES
