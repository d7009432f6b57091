"""What a tar archive (plain, gz, bz2 or xz) may hold, and its members one by one.

* Files, directories, hard links to files that came before, and symlinks that stay inside.
* No absolute name, no `..`, no control character, no device, no FIFO, nothing twice,
  nothing below what is no directory: the tree that results is the one that was listed.
* A symlink may climb (`..`) only at its start and no higher than the tree's top. No
  member lies below a symlink, so the components that it climbs are real directories,
  and what it meets after that is under the same rule: no chain of links leads out.
* At most MAX_MEMBERS members and MAX_BYTES of content; a hard link has that of its file once more.
* Modes lose set-id, sticky and the write bits of group and others.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from typing import IO, Final, Literal

from saltern_states.ports import HostError

from saltern_agent.host.hashes import MAX_HASHED

MAX_MEMBERS: Final = 20_000
MAX_BYTES: Final = MAX_HASHED  # a larger member could not be compared any more
KEPT_MODE: Final = 0o755
FAULTS: Final = (  # KeyError: a hard link to a name that is written otherwise; the last two: sizes
    tarfile.TarError,
    EOFError,
    LZMAError,
    zlib.error,
    KeyError,
    ValueError,
    OverflowError,
)


@dataclass(frozen=True, slots=True)
class Part:
    """One member as it shall stand on the disk. Directories come before what is in them."""

    name: str
    type: Literal["file", "directory", "symlink"]
    mode: int = 0
    target: str = ""  # of a symlink


@contextmanager
def open_archive(source: IO[bytes], blob: str) -> Iterator[tarfile.TarFile]:
    """Open an archive that is told by its own first bytes; whatever is wrong is a HostError."""
    try:
        with tarfile.open(fileobj=source, mode="r:*") as tar:
            yield tar
    except FAULTS as error:
        raise HostError(
            f"cannot unpack blob {blob}: it is no whole tar archive ({error}); build it again"
        ) from error


def parts(tar: tarfile.TarFile, blob: str) -> Iterator[tuple[Part, IO[bytes] | None]]:
    """Give each part with its content, where it is a file; directories that are implied too."""
    seen: dict[str, Part] = {}
    sizes: dict[str, int] = {}
    size = 0
    for count, member in enumerate(tar):
        if member.size < 0:
            raise _odd(blob, member, "has a size below nothing")
        own = sizes.get(_plain(member.linkname), 0) if member.islnk() else member.size
        sizes[_plain(member.name)] = own
        size += own
        if count >= MAX_MEMBERS or size > MAX_BYTES:
            raise HostError(
                f"cannot unpack blob {blob}: more than {MAX_MEMBERS} members or "
                f"{MAX_BYTES} bytes; split it"
            )
        part = _part(member, seen, blob)
        if part is None:
            continue
        for above in _missing_above(part.name, seen):
            seen[above.name] = above
            yield above, None
        if part.name in seen:
            if part.type == seen[part.name].type == "directory":
                continue
            raise _odd(blob, member, "comes twice")
        seen[part.name] = part
        yield part, tar.extractfile(member) if part.type == "file" else None


def _part(member: tarfile.TarInfo, seen: dict[str, Part], blob: str) -> Part | None:
    name = _plain(member.name)
    if name in ("", "."):
        return None  # the top itself: its mode is the resource's
    _check_name(member, name, seen, blob)
    mode = member.mode & KEPT_MODE
    if member.isdir():
        return Part(name, "directory", mode | 0o700)
    if member.isreg():
        return Part(name, "file", mode)
    if member.islnk():
        first = seen.get(_plain(member.linkname))
        if first is None or first.type != "file":
            raise _odd(blob, member, "is a hard link to what is no earlier file")
        return Part(name, "file", first.mode)
    if member.issym():
        _check_target(member, name, blob)
        return Part(name, "symlink", 0, member.linkname)
    raise _odd(blob, member, "is no file, directory or link")


def _plain(name: str) -> str:
    return name.removeprefix("./").rstrip("/")


def _check_name(member: tarfile.TarInfo, name: str, seen: dict[str, Part], blob: str) -> None:
    names = name.split("/")
    if any(part in ("", ".", "..") for part in names) or len(name.encode()) > 1024:
        raise _odd(blob, member, "is no plain name inside the tree")
    if not name.isprintable() or names[0].startswith(".saltern-"):
        raise _odd(blob, member, "is a name that we cannot use")
    for end in range(1, len(names)):
        above = seen.get("/".join(names[:end]))
        if above is not None and above.type != "directory":
            raise _odd(blob, member, f"lies below {above.name}, which is a {above.type}")


def _check_target(member: tarfile.TarInfo, name: str, blob: str) -> None:
    steps = [step for step in member.linkname.split("/") if step not in ("", ".")]
    climbs = 0
    while climbs < len(steps) and steps[climbs] == "..":
        climbs += 1
    inside = not member.linkname.startswith("/") and climbs <= name.count("/")
    if not steps or not inside or ".." in steps[climbs:] or not member.linkname.isprintable():
        raise _odd(blob, member, f"is a link to {member.linkname!r}, which leads out of the tree")


def _missing_above(name: str, seen: dict[str, Part]) -> list[Part]:
    names = name.split("/")
    above = ["/".join(names[:end]) for end in range(1, len(names))]
    return [Part(each, "directory", KEPT_MODE) for each in above if each not in seen]


def _odd(blob: str, member: tarfile.TarInfo, why: str) -> HostError:
    return HostError(f"cannot unpack blob {blob}: {member.name!r} {why}; build it again")
