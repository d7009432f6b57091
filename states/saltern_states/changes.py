"""Changes to files, shared by every kind that keeps one: a file, a drop-in, a modules-load line.

* A change holds what it expects to find; apply refuses (MovedError) where that has moved.
* A file that is wrong in content is written whole, with its mode and owner, in one rename;
  one that is wrong only in mode or owner is not rewritten.
* What others may not read on the node, nobody reads in a plan: it goes to terminals and the master.
* Nothing is written through or in place of a symlink, a directory or a device: Blocked.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from saltern_states.contract import BY_PACKAGE, BY_SERVICE, Blocked, Change
from saltern_states.ports import Entry, Host

MAX_SHOWN_BYTES = 64 * 1024
OTHERS_READ = 0o004


class WriteFile(Change, frozen=True, kw_only=True, tag="write-file"):
    """Make a file hold `content`, with this mode and owner, in place of `was`."""

    path: Path
    was: Entry | None
    before: (
        bytes | None
    )  # what it held, for the reader of a plan; None where that is not text of ours
    content: bytes
    mode: int
    owner: str
    group: str

    def __str__(self) -> str:
        verb = "write" if self.was else "create"
        access = f"{self.mode:04o} {self.owner}:{self.group}"
        return f"{verb} {self.path} ({len(self.content)} bytes, {access})"

    @property
    def detail(self) -> str:
        """A unified diff, where both sides are text and anybody may read them."""
        if _is_private(self.mode, self.was):
            return _withheld(self.path)
        return unified(str(self.path), self.before or b"", self.content)


class SetAccess(Change, frozen=True, kw_only=True, tag="set-access"):
    """Change the mode and owner of what stands at a path."""

    path: Path
    was: Entry
    mode: int
    owner: str
    group: str

    def __str__(self) -> str:
        before = f"{self.was.mode:04o} {self.was.owner}:{self.was.group}"
        return f"set {self.path} to {self.mode:04o} {self.owner}:{self.group} (was {before})"


class RemovePath(Change, frozen=True, kw_only=True, tag="remove-path"):
    """Remove a file, or an empty directory."""

    path: Path
    was: Entry
    before: bytes | None = None

    def __str__(self) -> str:
        return f"remove {self.path}"

    @property
    def detail(self) -> str:
        """What is lost, where it is text that anybody may read."""
        if _is_private(self.was.mode, self.was):
            return _withheld(self.path)
        return unified(str(self.path), self.before, b"") if self.before is not None else ""


FileChange = WriteFile | SetAccess | RemovePath


@dataclass(frozen=True, slots=True)
class SmallFile:
    """What stands where a small file is wanted."""

    entry: Entry | None
    content: bytes | None  # None: no regular file, or more than MAX_SHOWN_BYTES
    parent: Entry | None
    unknown: tuple[str, ...] = ()  # accounts that the node does not know
    asked: tuple[str, str] = ("root", "root")  # owner and group that it was observed for
    called: tuple[str, str] | None = None  # those two as an Entry names them


def observe_file(
    host: Host, path: Path, owner: str = "root", group: str = "root", expected: bytes | None = None
) -> SmallFile:
    """Read what stands at the path, and whether its directory is there.

    What has the hash of `expected` holds just that, and is not read once more.
    """
    entry = host.files.look(path)
    return SmallFile(
        entry=entry,
        content=_content(host, path, entry, expected),
        parent=host.files.look(path.parent) if entry is None else None,
        unknown=host.files.unknown_accounts(owner, group),
        asked=(owner, group),
        called=host.files.called(owner, group),
    )


def _content(host: Host, path: Path, entry: Entry | None, expected: bytes | None) -> bytes | None:
    if entry is None or entry.type != "file" or entry.size > MAX_SHOWN_BYTES:
        return None
    if expected is not None and entry.sha256 == sha256(expected).hexdigest():
        return expected
    return host.files.read(path)


def diff_file(  # a file is these five things
    path: Path | str,
    have: SmallFile,
    content: bytes,
    mode: int = 0o644,
    owner: str = "root",
    group: str = "root",
) -> tuple[FileChange | Blocked, ...]:
    """Compare by content, mode and owner; say why where it cannot be written."""
    same = have.entry is not None and have.entry.sha256 == sha256(content).hexdigest()
    if same and not have.unknown and _access_is(have, mode, owner, group):
        return ()
    place = Path(path)  # only here: most looks find all as declared
    write = WriteFile(
        path=place,
        was=have.entry,
        before=have.content,
        content=content,
        mode=mode,
        owner=owner,
        group=group,
    )
    if have.entry is not None and have.entry.type != "file":
        return (Blocked(in_the_way(place, have.entry), (write,)),)
    if have.entry is None:
        found = _create(place, have, write)
    elif not same:
        found = (write,)
    else:
        found = (SetAccess(path=place, was=have.entry, mode=mode, owner=owner, group=group),)
    return (no_account(place, have.unknown, found),) if have.unknown else found


def no_account(path: Path | str, unknown: tuple[str, ...], then: tuple[Change, ...]) -> Blocked:
    """Say which accounts the node does not know; `then`: what is done once it does."""
    return Blocked(f"{path}: this node has no {' and no '.join(unknown)}", then, BY_PACKAGE)


def no_directory(path: Path, parent: Entry | None, then: tuple[Change, ...]) -> Blocked | None:
    """Say that what a path shall stand in is not there, or is no directory; None: it is."""
    if parent is None:
        return Blocked(f"there is no directory {path.parent}", then, BY_SERVICE)
    if parent.type != "directory":
        return Blocked(f"{path.parent} is no directory ({parent.type})", then)
    return None


def _access_is(have: SmallFile, mode: int, owner: str, group: str) -> bool:
    known = have.called if have.asked == (owner, group) else None
    entry = have.entry
    return entry is not None and (entry.mode, entry.owner, entry.group) == (
        mode,
        *(known or (owner, group)),
    )


def remove_file(path: Path, have: SmallFile) -> tuple[FileChange | Blocked, ...]:
    """Take a file away; what is no file there is none of ours and stays."""
    if have.entry is None or have.entry.type != "file":
        return ()
    return (RemovePath(path=path, was=have.entry, before=have.content),)


def apply_file(host: Host, change: FileChange) -> None:
    """Make one change to a file."""
    if isinstance(change, WriteFile):
        host.files.write(
            change.path, change.was, change.content, change.mode, change.owner, change.group
        )
    elif isinstance(change, SetAccess):
        host.files.set_access(change.path, change.was, change.mode, change.owner, change.group)
    else:
        host.files.remove(change.path, change.was)


def in_the_way(path: Path | str, entry: Entry, wanted: str = "file") -> str:
    """Say what stands in the way of a file or directory, and what to do about it."""
    if entry.type != "symlink":
        return f"{path} is no {wanted} ({entry.type}); take it away first"
    return (
        f"{path} is no {wanted} (symlink, there or on the way, and none is followed); put the "
        "real thing in the link's place, or mount it there (mount --bind)"
    )


def _is_private(mode: int, was: Entry | None) -> bool:
    """Say whether a file is kept from others, before or after."""
    return not mode & OTHERS_READ or (was is not None and not was.mode & OTHERS_READ)


def _withheld(path: Path) -> str:
    return f"{path}: others may not read it, so no plan shows what is in it\n"


def unified(name: str, before: bytes, after: bytes) -> str:
    """Give a unified diff of two texts; a line that says so where one is no text."""
    try:
        old, new = before.decode(), after.decode()
    except UnicodeDecodeError:
        return f"binary {name}: {len(before)} bytes -> {len(after)} bytes\n"
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), name, name, n=2
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _create(path: Path, have: SmallFile, write: WriteFile) -> tuple[FileChange | Blocked, ...]:
    return (no_directory(path, have.parent, (write,)) or write,)
