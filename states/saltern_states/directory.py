"""directory: with its mode and owner and, where `only` is given, with nothing else in it.

A stray file is removed, and the plan shows what it held: of the first SHOWN_STRAYS, so that
a plan has its bounds. A stray directory is removed if it is empty; with something in it, it
is named and left, and so is what is neither. Names that begin with a dot pass. More than
MAX_STRAYS are no accident: none is read and none goes until a person has looked. When the
resource is taken back, the directory goes if it is empty; what is in it may be others'.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from saltern_protocol.policy import Claim

from saltern_states.changes import (
    MAX_SHOWN_BYTES,
    FileChange,
    RemovePath,
    SetAccess,
    SmallFile,
    apply_file,
    in_the_way,
    no_account,
    no_directory,
    observe_file,
)
from saltern_states.contract import (
    AbsolutePath,
    AccountName,
    Blocked,
    Change,
    Kind,
    Mode,
    Spec,
    Watch,
    WatchPath,
)
from saltern_states.ports import Entry, Host

SHOWN_STRAYS = 20
MAX_STRAYS = 100


class Directory(Spec, frozen=True, kw_only=True, tag="directory/1"):
    """A directory. `only` names all that may stand in it: a stray file is removed.

    (The kubelet runs any file of its manifest directory, a forgotten backup too:
    kubernetes/kubernetes#136962. Names that begin with a dot it passes over, and so do we.)
    """

    path: AbsolutePath
    mode: Mode = "0755"
    owner: AccountName = "root"
    group: AccountName = "root"
    only: tuple[str, ...] | None = None


class MakeDirectory(Change, frozen=True, kw_only=True, tag="make-directory"):
    """Make one directory."""

    path: Path
    mode: int
    owner: str
    group: str

    def __str__(self) -> str:
        return f"make directory {self.path} ({self.mode:04o} {self.owner}:{self.group})"


@dataclass(frozen=True, slots=True)
class Stray:
    """What stands in the directory and shall not."""

    name: str
    entry: Entry
    content: bytes | None = None  # of a small file, where the plan shows it
    inside: int = 0  # names in it, where it is a directory


@dataclass(frozen=True, slots=True)
class Observed:
    """What the node has at the path, and in it."""

    place: SmallFile
    names: tuple[str, ...] = ()
    strays: tuple[Stray, ...] = ()
    crowd: int = 0  # how many are stray where there are too many to look at


def observe(host: Host, want: Directory) -> Observed:
    """Read the directory, its names, and what is not wanted in it."""
    path = Path(want.path)
    place = observe_file(host, path, want.owner, want.group)
    if place.entry is None or place.entry.type != "directory":
        return Observed(place)
    names = host.files.names(path)
    stray_names = [name for name in names if not admits(want, name)]
    if len(stray_names) > MAX_STRAYS:
        return Observed(place, names, crowd=len(stray_names))
    strays = (
        _look_at_stray(host, path / name, shown=number < SHOWN_STRAYS)
        for number, name in enumerate(stray_names)
    )
    return Observed(place, names, tuple(stray for stray in strays if stray is not None))


def observe_held(host: Host, want: Directory) -> Observed:
    """Leave out the names where any may stand in it: a look every few seconds would list them."""
    if want.only is not None:
        return observe(host, want)
    return Observed(observe_file(host, Path(want.path), want.owner, want.group))


def diff(want: Directory, have: Observed) -> tuple[MakeDirectory | FileChange | Blocked, ...]:
    """Compare type, mode and owner, then what stands in it."""
    mode, entry = int(want.mode, 8), have.place.entry
    owner, group = have.place.called or (want.owner, want.group)
    right = entry is not None and (entry.mode, entry.owner, entry.group) == (mode, owner, group)
    if entry is None or entry.type != "directory" or have.place.unknown:
        return _not_there(want, have.place)
    if right and not have.strays and not have.crowd:
        return ()
    path = Path(want.path)
    changes: list[MakeDirectory | FileChange | Blocked] = []
    if not right:
        changes.append(
            SetAccess(path=path, was=entry, mode=mode, owner=want.owner, group=want.group)
        )
    changes += [_without(path / stray.name, stray) for stray in have.strays]
    if have.crowd:
        why = f"{path} holds {have.crowd} names that shall not be there, too many for an accident"
        changes.append(Blocked(f"{why}; look at them, and take them away or name them in `only`"))
    return tuple(changes)


def _not_there(
    want: Directory, have: SmallFile
) -> tuple[MakeDirectory | FileChange | Blocked, ...]:
    path, entry = Path(want.path), have.entry
    make = MakeDirectory(path=path, mode=int(want.mode, 8), owner=want.owner, group=want.group)
    if entry is not None and entry.type != "directory":
        return (Blocked(in_the_way(path, entry, "directory"), (make,)),)
    if entry is not None:  # only its owner is not known yet
        access = SetAccess(path=path, was=entry, mode=make.mode, owner=want.owner, group=want.group)
        return (no_account(path, have.unknown, (access,)),)
    found = no_directory(path, have.parent, (make,)) or make
    return (no_account(path, have.unknown, (found,)) if have.unknown else found,)


def remove(want: Directory, have: Observed) -> tuple[MakeDirectory | FileChange | Blocked, ...]:
    """Take the directory away, if nothing is left in it.

    One that still holds something was not ours alone (/etc was there before us), so it stays.
    """
    entry = have.place.entry
    if entry is None or entry.type != "directory" or have.names:
        return ()
    return (RemovePath(path=Path(want.path), was=entry),)


def claims(want: Directory) -> tuple[Claim, ...]:
    """The path; what is in the directory is below it."""
    return (Claim("path", want.path),)


def stands_at(want: Directory) -> tuple[str, ...]:
    """The directory: a file or a tree at its path can come only when it has gone."""
    return (f"directory {want.path}",)


def admits(want: Directory, name: str) -> bool:
    """Say whether what has this name may stand in the directory."""
    return want.only is None or name in want.only or name.startswith(".")


def watch(want: Directory) -> tuple[Watch, ...]:
    """The path, and its entries."""
    return (WatchPath(Path(want.path)),)


def apply(host: Host, change: MakeDirectory | FileChange) -> None:
    """Make one change."""
    if isinstance(change, MakeDirectory):
        host.files.make_directory(change.path, change.mode, change.owner, change.group)
    else:
        apply_file(host, change)


def _look_at_stray(host: Host, path: Path, shown: bool) -> Stray | None:
    entry = host.files.look(path)
    if entry is None:  # gone since it was listed
        return None
    small = entry.type == "file" and entry.size <= MAX_SHOWN_BYTES
    content = host.files.read(path) if shown and small else None
    inside = len(host.files.names(path)) if entry.type == "directory" else 0
    return Stray(path.name, entry, content, inside)


def _without(path: Path, stray: Stray) -> RemovePath | Blocked:
    if stray.entry.type not in ("file", "directory"):
        return Blocked(f"{path} ({stray.entry.type}) shall not be there; take it away")
    if stray.inside:
        return Blocked(
            f"{path} is a directory that shall not be there, and not empty; take it away"
        )
    return RemovePath(path=path, was=stray.entry, before=stray.content)


KIND: Kind[Directory, Observed, MakeDirectory | FileChange] = Kind(
    spec=Directory,
    observe=observe,
    observe_held=observe_held,
    diff=diff,
    remove=remove,
    claims=claims,
    stands_at=stands_at,
    watch=watch,
    apply=apply,
    encloses=True,
    admits=admits,
    example=Directory(path="/etc/kubernetes/manifests", mode="0700", only=("etcd.yaml",)),
)
