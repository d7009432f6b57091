"""The file, to the byte: a tar that any tar lists, in one form and no other. Pure.

    head             who signed                  head.py
    manifest.json    what follows, in this order manifest.py
    cluster.yaml     the cluster file
    blobs/SHA256 ... the contents, sorted
    1024 zeros       the end, of a tar and of the file

Every byte follows from the head, the manifest and the contents: names, sizes, mode 0444, no
owner, no time. So a reader makes the headers itself and compares; it follows none.

The header is that of POSIX.1-1988 (ustar): 512 bytes, numbers in octal, a checksum that counts
its own field as blanks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from saltern_master.bundle.manifest import Manifest, entries

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)
HEAD: Final = "head"
MANIFEST: Final = "manifest.json"
CLUSTER: Final = "cluster.yaml"
BLOBS: Final = "blobs/"
_OCTAL: Final = re.compile(rb"([0-7]{11})[ \0]\Z")


@dataclass(frozen=True, slots=True)
class Member:
    """A part of the file: its name, its content's size in bytes, its SHA-256, what it is."""

    name: str
    size: int
    sha256: str
    what: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.what})" if self.what else self.name

    @property
    def room(self) -> int:
        """Bytes that it takes, its header among them."""
        return BLOCK + self.size + padding(self.size)


@dataclass(frozen=True, slots=True)
class Header:
    """What somebody's header says. None of it is believed."""

    name: str
    size: int
    is_file: bool


def members(manifest: Manifest) -> tuple[Member, ...]:
    """Give what follows the manifest, in order."""
    cluster = manifest.cluster_file
    what = {agent.sha256: agent.name for agent in manifest.agents}
    what |= {one: str(entry) for entry in entries(manifest.stock) for one, _ in entry.contents}
    return (
        Member(CLUSTER, cluster.size, cluster.sha256),
        *(
            Member(BLOBS + part.sha256, part.size, part.sha256, what.get(part.sha256, ""))
            for part in manifest.parts
        ),
    )


def file_size(head: int, statement: int, manifest: Manifest) -> int:
    """Give the bytes of the whole file. `head`, `statement`: those of head and manifest.json."""
    first = (Member(HEAD, head, ""), Member(MANIFEST, statement, ""))
    return sum(one.room for one in (*first, *members(manifest))) + len(END)


def padding(size: int) -> int:
    """Give how many zeros follow a content of so many bytes."""
    return -size % BLOCK


def header(name: str, size: int) -> bytes:
    """Give the header of a member."""
    before = b"".join(
        (
            name.encode("ascii").ljust(100, b"\0"),
            b"0000444\0" + b"0000000\0" + b"0000000\0",  # mode, user, group
            b"%011o\0" % size,
            b"%011o\0" % 0,  # time
        )
    )
    after = (b"0" + bytes(100) + b"ustar\x0000").ljust(BLOCK - len(before) - 8, b"\0")
    return before + b"%06o\0 " % (sum(before) + 8 * ord(" ") + sum(after)) + after


def read_header(data: bytes) -> Header | None:
    """Read a header that is not the one that belongs there, to tell of it; None: it is none."""
    size = _OCTAL.match(data[124:136])
    checksum = re.match(rb"([0-7]{6})[ \0]{2}\Z", data[148:156])
    if size is None or checksum is None or len(data) != BLOCK:
        return None
    if int(checksum[1], 8) != sum(data[:148]) + 8 * ord(" ") + sum(data[156:]):
        return None
    name = data[:100].partition(b"\0")[0]
    prefix = data[345:500].partition(b"\0")[0]
    whole = prefix + b"/" + name if prefix else name
    is_file = data[156:157] in {b"0", b"\0"}
    return Header(whole.decode("ascii", "backslashreplace"), int(size[1], 8), is_file)
