"""What can be done about a unit: each change, what it does to running work, and how it is made.

* Restart and Reload expect the invocation that was looked at: where another one runs
  by now, somebody was quicker, and MovedError asks for a new look.
* A start that finds the unit running is too late as well.
* Stop, Enable, Disable, Unmask and ReloadDaemon expect nothing: done twice is done once.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from saltern_states.changes import (
    RemovePath,
    SetAccess,
    SmallFile,
    WriteFile,
    apply_file,
    diff_file,
    remove_file,
)
from saltern_states.contract import Blocked, Change, Impact
from saltern_states.ports import Entry, Host, HostError, MovedError, UnitState

RUNNING = ("active", "reloading", "refreshing")
AT_REST = ("inactive", "failed")
ENABLED = ("enabled", "enabled-runtime")
NOT_YET_ENABLED = ("disabled", "enabled-runtime", "linked", "linked-runtime", "")
"""What enabling changes. The others (static, alias, generated …) are started by what needs them."""


class MakeDropInDirectory(Change, frozen=True, kw_only=True, tag="make-drop-in-directory"):
    """Make the directory that holds a unit's drop-ins."""

    path: Path

    def __str__(self) -> str:
        return f"make directory {self.path} (0755 root:root)"


class ReloadDaemon(Change, frozen=True, kw_only=True, tag="reload-daemon"):
    """Have systemd read all unit files again. Running units go on as they are."""

    unit: str

    def __str__(self) -> str:
        return f"systemctl daemon-reload (for {self.unit})"


class UnmaskUnit(Change, frozen=True, kw_only=True, tag="unmask-unit"):
    """Take a mask away."""

    unit: str

    def __str__(self) -> str:
        return f"unmask {self.unit}"


class EnableUnit(Change, frozen=True, kw_only=True, tag="enable-unit"):
    """Have it started at boot."""

    unit: str

    def __str__(self) -> str:
        return f"enable {self.unit}"


class DisableUnit(Change, frozen=True, kw_only=True, tag="disable-unit"):
    """Have it started at boot no more."""

    unit: str

    def __str__(self) -> str:
        return f"disable {self.unit}"


class StartUnit(Change, frozen=True, kw_only=True, tag="start-unit"):
    """Start what does not run."""

    unit: str
    was: str

    def __str__(self) -> str:
        return f"{self.deed} (was {self.was})"

    @property
    def deed(self) -> str:
        """Start it, whatever it was."""
        return f"start {self.unit}"


class StopUnit(Change, frozen=True, kw_only=True, tag="stop-unit"):
    """Stop what runs."""

    unit: str
    was: str
    ends_work: bool = False

    @property
    def impact(self) -> Impact:
        """Its process ends, and what it runs for others may."""
        return Impact.DRAIN if self.ends_work else Impact.RESTART

    def __str__(self) -> str:
        return f"stop {self.unit} (was {self.was})"


class RestartUnit(Change, frozen=True, kw_only=True, tag="restart-unit"):
    """Restart what runs with something else than what is declared."""

    unit: str
    invocation: str
    why: tuple[str, ...]
    ends_work: bool = False

    @property
    def impact(self) -> Impact:
        """Its process is another one afterwards, and what it ran for others may have ended."""
        return Impact.DRAIN if self.ends_work else Impact.RESTART

    def __str__(self) -> str:
        return f"{self.deed}: {'; '.join(self.why)}"

    @property
    def deed(self) -> str:
        """Restart it, whatever for."""
        return f"restart {self.unit}"


class ReloadUnit(Change, frozen=True, kw_only=True, tag="reload-unit"):
    """Have a running process read its files again."""

    unit: str
    invocation: str
    why: tuple[str, ...]

    @property
    def impact(self) -> Impact:
        """Its process stays."""
        return Impact.RELOAD

    def __str__(self) -> str:
        return f"{self.deed}: {'; '.join(self.why)}"

    @property
    def deed(self) -> str:
        """Reload it, whatever for."""
        return f"reload {self.unit}"


UnitChange = (
    MakeDropInDirectory
    | WriteFile
    | SetAccess
    | RemovePath
    | ReloadDaemon
    | UnmaskUnit
    | EnableUnit
    | DisableUnit
    | StartUnit
    | StopUnit
    | RestartUnit
    | ReloadUnit
)


def apply_unit(host: Host, change: UnitChange) -> None:
    """Make one change to a unit or its drop-in."""
    match change:
        case MakeDropInDirectory():
            host.files.make_directory(change.path, 0o755, "root", "root")
        case WriteFile() | SetAccess() | RemovePath():
            apply_file(host, change)
        case ReloadDaemon():
            host.units.reload_daemon()
        case UnmaskUnit():
            host.units.unmask(change.unit)
        case EnableUnit():
            host.units.enable(change.unit)
        case DisableUnit():
            host.units.disable(change.unit)
        case StopUnit():
            host.units.stop(change.unit)
        case _:
            _begin(host, change)


def _begin(host: Host, change: StartUnit | RestartUnit | ReloadUnit) -> None:
    state = host.units.state(change.unit)
    if isinstance(change, StartUnit):
        if state.active in RUNNING:
            raise MovedError(f"cannot start {change.unit}: somebody else did; plan again")
        host.units.start(change.unit)
        return
    if state.invocation != change.invocation or state.active not in RUNNING:
        raise MovedError(
            f"cannot {'restart' if isinstance(change, RestartUnit) else 'reload'} {change.unit}: "
            f"it is {state.active} and not the invocation that was looked at; plan again"
        )
    if isinstance(change, RestartUnit):
        host.units.restart(change.unit)
    elif state.can_reload:
        host.units.reload(change.unit)
    else:
        raise HostError(f"cannot reload {change.unit}: it has no reload of its own; restart it")


def is_old_copy(state: UnitState) -> bool:
    """Say whether systemd's copy of the unit is older than its files, or lacks them."""
    return state.needs_reload or (state.load == "not-found" and state.enabled != "")


def path_of(change: Change) -> Path | None:
    """Give the path that a change of any kind writes; None where it writes none."""
    path = getattr(change, "path", None)
    return path if isinstance(path, Path) else None


def flat(changes: tuple[UnitChange | Blocked, ...]) -> tuple[UnitChange, ...]:
    """Give the changes, and in place of a hindrance what will be done without it."""
    return tuple(
        each
        for change in changes
        for each in (change.then if isinstance(change, Blocked) else (change,))
    )


def put_drop_in(
    path: Path, text: bytes, there: SmallFile, folder: Entry | None
) -> tuple[UnitChange, ...]:
    """Write a drop-in, with its directory; or take away one that is called for no more (b"")."""
    if not text:
        return flat(remove_file(path, there))
    if folder is not None:
        return flat(diff_file(path, there, text))
    will_be = Entry(type="directory", mode=0o755, owner="root", group="root")
    written = diff_file(path, replace(there, parent=will_be), text)
    return (MakeDropInDirectory(path=path.parent), *flat(written))


def misplaced(path: Path, there: SmallFile, folder: Entry | None) -> str:
    """Say what stands where a drop-in shall be; "" where nothing does."""
    if folder is not None and folder.type != "directory":
        return f"{path.parent} is a {folder.type}, not a directory"
    if there.entry is not None and there.entry.type != "file":
        return f"{path} is a {there.entry.type}, not a file; take it away first"
    return ""
