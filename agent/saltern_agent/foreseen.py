"""The node as a plan foresees it: the real one, with the planned changes to files made in memory.

A plan is converge on this host: each step is looked at as the steps before it will have left
the node, so a file in a directory that is yet to come is written, a directory whose last file
is to go can go, and a unit sees the configuration that it will be started with.

* Reading falls through to the real node where nothing was foreseen.
* Writing never reaches the real node. What is not foreseen here (a link, a package, a job)
  raises NotForeseenError, which the planner takes as: it will be done, its effects are unknown;
  the kinds say what follows from it (Blocked.then, Kind.ahead).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

from saltern_states.ports import Entry, Files, Host, HostError, MovedError, Units, UnitState

UNIT_FILES = Path("/etc/systemd/system")


class NotForeseenError(Exception):
    """A write whose effects nobody foresees."""


@dataclass(slots=True)
class ForeseenFiles:
    """Files, with changes that were made in memory alone."""

    real: Files
    changed: dict[Path, tuple[Entry, bytes | None] | None] = field(default_factory=dict)

    def look(self, path: Path) -> Entry | None:
        """Give what will stand there."""
        if path in self.changed:
            found = self.changed[path]
            return found[0] if found else None
        if any(self.changed.get(parent, ()) is None for parent in path.parents):
            return None
        return self.real.look(path)

    def read(self, path: Path) -> bytes | None:
        """Give the content that will be there; HostError for a blob's, which is not text."""
        if path not in self.changed:
            return self.real.read(path) if self.look(path) else None
        found = self.changed[path]
        if found is None:
            return None
        if found[1] is None:
            raise HostError(f"cannot foresee the content of {path}: it comes from a blob")
        return found[1]

    def names(self, path: Path) -> tuple[str, ...]:
        """Give the names that will be in a directory."""
        found = self.look(path)
        if found is None or found.type != "directory":
            return ()
        names = set() if path in self.changed else set(self.real.names(path))
        for changed, what in self.changed.items():
            if changed.parent == path:
                (names.discard if what is None else names.add)(changed.name)
        return tuple(sorted(names))

    def unknown_accounts(self, owner: str, group: str) -> tuple[str, ...]:
        """Name those that this node does not know now."""
        return self.real.unknown_accounts(owner, group)

    def called(self, owner: str, group: str) -> tuple[str, str]:
        """Give the two as look() tells them."""
        return self.real.called(owner, group)

    def with_accounts_kept(self) -> Files:
        """Give the same changes, over files with accounts as they are now."""
        return ForeseenFiles(self.real.with_accounts_kept(), self.changed)

    def write(
        self, path: Path, was: Entry | None, content: bytes, mode: int, owner: str, group: str
    ) -> None:
        """Have a file there."""
        self._expect(path, was)
        entry = Entry("file", mode, *self._names(owner, group), _hash(content), len(content))
        self.changed[path] = (entry, content)

    def write_blob(
        self, path: Path, was: Entry | None, blob: str, mode: int, owner: str, group: str
    ) -> None:
        """Have a file with a blob's content there."""
        self._expect(path, was)
        self.changed[path] = (Entry("file", mode, *self._names(owner, group), blob), None)

    def set_access(self, path: Path, was: Entry, mode: int, owner: str, group: str) -> None:
        """Have another mode and owner."""
        self._expect(path, was)
        name, team = self._names(owner, group)
        content = self.read(path) if was.type == "file" and was.size <= 65536 else None
        self.changed[path] = (replace(was, mode=mode, owner=name, group=team), content)

    def make_directory(self, path: Path, mode: int, owner: str, group: str) -> None:
        """Have a directory there."""
        self._expect(path, None)
        self.changed[path] = (Entry("directory", mode, *self._names(owner, group)), None)

    def remove(self, path: Path, was: Entry) -> None:
        """Have nothing there."""
        self._expect(path, was)
        self.changed[path] = None

    def _expect(self, path: Path, was: Entry | None) -> None:
        if self.look(path) != was:
            raise MovedError(f"cannot foresee {path}: it is no longer as it was")

    def _names(self, owner: str, group: str) -> tuple[str, str]:
        # An account that a package will bring has no other name yet.
        return (owner, group) if self.unknown_accounts(owner, group) else self.called(owner, group)


@dataclass(frozen=True, slots=True)
class ForeseenUnits:
    """Units as they are, with the files that they are to have.

    A file that is to come makes a unit that systemd has not read yet; one that is to change
    makes systemd's copy old. A binary that is to be replaced is no longer the one that runs.
    """

    real: Units
    files: ForeseenFiles

    def state(self, unit: str) -> UnitState:
        """Give the unit's state once its files are written and systemd was not told yet."""
        now = self.real.state(unit)
        path = UNIT_FILES / unit
        if not any(one == path or one.parent == Path(f"{path}.d") for one in self.files.changed):
            return now
        if now.load != "not-found":
            return replace(now, needs_reload=True)
        come = self._file_state(path)
        return replace(now, load="loaded", enabled=come) if come and not now.enabled else now

    def _file_state(self, path: Path) -> str:
        """Give what systemd will say of a file that it has not seen; "" where none is to come."""
        entry, content = self.files.changed.get(path) or (None, None)
        if entry is None or entry.type != "file":
            return ""
        return "disabled" if content is None or b"[Install]" in content else "static"

    def runs_binary(self, pid: int, binary: Path) -> bool:
        """Say whether the process will still run the very file at `binary`."""
        return binary not in self.files.changed and self.real.runs_binary(pid, binary)

    def shutting_down(self) -> bool:
        """Say whether the system is on its way down."""
        return self.real.shutting_down()

    def starting_up(self) -> bool:
        """Say whether the boot still goes on."""
        return self.real.starting_up()

    def __getattr__(self, name: str) -> NoReturn:
        raise NotForeseenError(name)


@dataclass(frozen=True, slots=True)
class Reading:
    """A port of which only reading is allowed."""

    real: Any
    reads: frozenset[str]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # any method of any port
        if name in self.reads:
            return getattr(self.real, name)
        raise NotForeseenError(name)


READS = {
    "blobs": frozenset({"has", "path"}),
    "trees": frozenset({"look"}),
    "sysctls": frozenset({"read"}),
    "modules": frozenset({"state"}),
    "swaps": frozenset({"active"}),
    "links": frozenset({"link", "loose_ends", "routes", "routes_of"}),
    "rules": frozenset({"save"}),
    "packages": frozenset({"version", "named", "compare"}),
    "images": frozenset({"digest"}),
    "certificates": frozenset({"look", "unreached"}),
    "secrets": frozenset({"digest"}),
}


class ForeseenHost:
    """The node as it will be, as far as the planned changes can be foreseen."""

    def __init__(self, real: Host) -> None:
        self.files = ForeseenFiles(real.files)
        self.units = ForeseenUnits(real.units, self.files)
        for port, reads in READS.items():
            setattr(self, port, Reading(getattr(real, port), reads))


def _hash(content: bytes) -> str:
    return sha256(content).hexdigest()
