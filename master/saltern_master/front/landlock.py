"""Which files and ports the front may reach (Landlock, landlock(7)); what seccomp cannot read.

* For this thread and those that it makes: to be called before the first one.
* Of files: those below the given directories, to read. Of ports: TCP connections to the given
  one, nothing bound. No abstract socket and no process outside gets anything from us.
* Kernels know it since 5.13; ports since 6.7, sockets and signals since 6.12. What this kernel
  does not know is given back, in words: who calls decides what that means.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Sequence
from typing import Final

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # on every machine
_ASK_VERSION: Final = 1
_PATH_BENEATH, _NET_PORT = 1, 2
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_CONNECT_TCP: Final = 1 << 1
_FILES: Final = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF}  # linux/landlock.h, by version
_ALL_FILES: Final = 0xFFFF
_NETWORK: Final = 0b11  # to bind, to connect
_SCOPES: Final = 0b11  # abstract sockets, signals
PORTS_SINCE: Final = 4
SCOPES_SINCE: Final = 6


def version() -> int:
    """Give what this kernel knows; 0: nothing."""
    try:
        return _call(_CREATE, None, 0, _ASK_VERSION)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP):
            return 0
        raise


def restrict(known: int, readable: Sequence[int], port: int) -> None:
    """Keep to these directories (descriptors) and this port; known: version(), at least 1."""
    network, scopes = _NETWORK * (known >= PORTS_SINCE), _SCOPES * (known >= SCOPES_SINCE)
    files = _FILES.get(known, _ALL_FILES)
    fields = struct.pack("=QQQ", files, network, scopes)
    length = 24 if scopes else 16 if network else 8
    rules = _call(_CREATE, fields, length, 0)
    try:
        for directory in readable:
            _call(_ADD, rules, _PATH_BENEATH, _beneath(directory), 0)
        if network:
            _call(_ADD, rules, _NET_PORT, struct.pack("=QQ", _CONNECT_TCP, port), 0)
        _call(_RESTRICT, rules, 0)
    finally:
        os.close(rules)


def _beneath(directory: int) -> bytes:
    return struct.pack("=Qi", _READ_FILE | _READ_DIR, directory)


def _call(number: int, *arguments: int | bytes | None) -> int:
    given = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    answer = int(ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *given))
    if answer < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"Landlock: {os.strerror(error)}")
    return answer
