"""The legacy back end's rules of one table, as bytes that differ when the rules do.

* The kernel hands them out whole (getsockopt IPT_SO_GET_ENTRIES): a tenth of a millisecond, where
  iptables-legacy-save takes five. Counters, which every packet changes, are left out.
* Reading makes nothing: a table that nobody made would be made by asking for it, so it is asked
  for only where /proc/net/ip_tables_names has it.

Numbers and structs are of <linux/netfilter_ipv4/ip_tables.h>.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from pathlib import Path
from typing import Final

NAMES: Final = Path("/proc/self/net/ip_tables_names")
GET_INFO, GET_ENTRIES = 64, 65  # IPT_SO_GET_INFO, IPT_SO_GET_ENTRIES
INFO: Final = struct.Struct("=32s5I5I3I")  # name, hooks and entries, underflow, number, size
ENTRIES: Final = struct.Struct("=32sI4x")  # name, size, padding before the first ipt_entry
NEXT_AT: Final = 90  # offsets in struct ipt_entry: next_offset, and the counters
COUNTERS: Final = slice(96, 112)
ENTRY_BYTES: Final = 112


class LegacyRules:
    """Reads tables of the legacy back end; OSError where the kernel does not give them."""

    def __init__(self, names: Path = NAMES) -> None:
        self._names = names
        self._getsockopt = ctypes.CDLL(None, use_errno=True).getsockopt

    def read(self, table: str) -> bytes:
        """Give the table's rules without counters; b"" where there is no such table."""
        if not self._is_there(table):
            return b""
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        with socket.socket(socket.AF_INET, kind, socket.IPPROTO_RAW) as asking:
            info = bytearray(INFO.size)
            info[: len(table)] = table.encode()
            size = INFO.unpack(self._ask(asking, GET_INFO, info))[-1]
            wanted = bytearray(ENTRIES.size + size)
            ENTRIES.pack_into(wanted, 0, table.encode(), size)
            return without_counters(self._ask(asking, GET_ENTRIES, wanted)[ENTRIES.size :])

    def _is_there(self, table: str) -> bool:
        try:
            return table in self._names.read_text().split()
        except FileNotFoundError:
            return False  # a kernel without the legacy back end

    def _ask(self, asking: socket.socket, option: int, buffer: bytearray) -> bytearray:
        held = (ctypes.c_char * len(buffer)).from_buffer(buffer)
        length = ctypes.c_uint32(len(buffer))
        done = self._getsockopt(
            asking.fileno(), socket.IPPROTO_IP, option, held, ctypes.byref(length)
        )
        if done != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return buffer


def without_counters(entries: bytes | bytearray) -> bytes:
    """Give the entries with each one's counters zero."""
    plain, at = bytearray(entries), 0
    while at + ENTRY_BYTES <= len(plain):
        (step,) = struct.unpack_from("=H", plain, at + NEXT_AT)
        plain[at + COUNTERS.start : at + COUNTERS.stop] = bytes(COUNTERS.stop - COUNTERS.start)
        if step < ENTRY_BYTES:
            break
        at += step
    return bytes(plain)
