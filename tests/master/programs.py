"""Real programs for tests, made without a compiler: they print a text and end."""

from __future__ import annotations

import struct
from pathlib import Path

LOADED_AT = 0x400000
HEADERS = 64 + 56  # ELF header and one program header


def printing(text: str, machine: int = 62) -> bytes:
    """Give a static x86-64 ELF program that writes a text to standard output (elf(5))."""
    said = text.encode()
    code_size = 34
    # fmt: off
    code = (b"\xb8\x01\x00\x00\x00"                                              # mov eax, write
            + b"\xbf\x01\x00\x00\x00"                                            # mov edi, 1
            + b"\xbe" + struct.pack("<I", LOADED_AT + HEADERS + code_size)       # mov esi, text
            + b"\xba" + struct.pack("<I", len(said))                             # mov edx, length
            + b"\x0f\x05"                                                        # syscall
            + b"\xb8\x3c\x00\x00\x00" + b"\xbf\x00\x00\x00\x00" + b"\x0f\x05")   # exit(0)
    # fmt: on
    assert len(code) == code_size
    size = HEADERS + len(code) + len(said)
    entry = LOADED_AT + HEADERS
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header = ident + struct.pack(
        "<HHIQQQIHHHHHH", 2, machine, 1, entry, 64, 0, 0, 64, 56, 1, 0, 0, 0
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, LOADED_AT, LOADED_AT, size, size, 0x1000)
    return header + segment + code + said


def program(path: Path, text: str, machine: int = 62) -> Path:
    """Write such a program."""
    path.write_bytes(printing(text, machine))
    path.chmod(0o755)
    return path
