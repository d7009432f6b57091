"""What a program file is made for, read from its ELF header.

Facts: elf(5); EI_CLASS is at 4, EI_DATA at 5, e_machine at 18.
Laws: pure; a file that is no 64-bit ELF program of a known machine is a BinaryError.
"""

from __future__ import annotations

from types import MappingProxyType

from saltern_master.binaries.components import BinaryError

HEADER_BYTES = 20

_MACHINES = MappingProxyType({62: "amd64", 183: "arm64"})


def elf_architecture(header: bytes, name: str) -> str:
    """Give the architecture, in Go's words, from a file's first 20 bytes."""
    if len(header) < HEADER_BYTES or not header.startswith(b"\x7fELF"):
        raise BinaryError(f"cannot use {name}: it is no ELF program; it begins {header[:4]!r}")
    if header[4] != 2 or header[5] != 1:
        raise BinaryError(f"cannot use {name}: not a 64-bit little-endian program")
    machine = int.from_bytes(header[18:20], "little")
    if machine not in _MACHINES:
        raise BinaryError(f"cannot use {name}: made for ELF machine {machine}, known: amd64, arm64")
    return _MACHINES[machine]
