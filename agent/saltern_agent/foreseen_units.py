"""Units of a foreseen node: as they are, with the files that they are to have.

* A file that is to come makes a unit that systemd has not read yet; one that is to change makes
  systemd's copy old, until systemd is told (daemon-reload, which enabling and disabling do too).
* A binary that is to be replaced is no longer the one that runs.
* What is stopped is inactive. What comes of a start nobody foresees.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn, Protocol

from saltern_states.ports import Entry, HostError, Units, UnitState

UNIT_FILES = Path("/etc/systemd/system")
PLACES = (
    UNIT_FILES,
    *(Path(place, "systemd/system") for place in ("/run", "/usr/local/lib", "/usr/lib", "/lib")),
)
"""Where systemd finds the file of a unit, first to last (systemd.unit(5))."""

ENABLED = ("enabled", "enabled-runtime")


class NotForeseenError(Exception):
    """A write whose effects nobody foresees."""


class Changed(Protocol):
    """The files that will be."""

    @property
    def changed(self) -> dict[Path, tuple[Entry, bytes | None] | None]:
        """What was planned, by path."""
        ...

    def look(self, path: Path) -> Entry | None:
        """Give what will stand there."""
        ...

    def read(self, path: Path) -> bytes | None:
        """Give the content that will be there."""
        ...

    def is_new(self, path: Path) -> bool:
        """Say whether another will stand there."""
        ...


@dataclass(slots=True)
class ForeseenUnits:
    """The units that will be."""

    real: Units
    files: Changed
    stopped: set[str] = field(default_factory=set)
    enabled: dict[str, bool] = field(default_factory=dict)
    unmasked: set[str] = field(default_factory=set)
    read: dict[Path, tuple[Entry, bytes | None] | None] | None = None  # at the last daemon-reload

    def state(self, unit: str) -> UnitState:
        """Give the unit's state once what was planned is done."""
        now = self._as_read(unit, self.real.state(unit))
        if unit in self.stopped:
            now = replace(now, active="inactive", invocation="", main_pid=0)
        if unit in self.enabled and now.enabled:
            now = replace(now, enabled="enabled" if self.enabled[unit] else "disabled")
        return now

    def runs_binary(self, pid: int, binary: Path) -> bool:
        """Say whether the process will still run the very file at `binary`."""
        return not self.files.is_new(binary) and self.real.runs_binary(pid, binary)

    def shutting_down(self) -> bool:
        """Say whether the system is on its way down."""
        return self.real.shutting_down()

    def starting_up(self) -> bool:
        """Say whether the boot still goes on."""
        return self.real.starting_up()

    def reload_daemon(self) -> None:
        """Have systemd know all that was planned until now."""
        self.read = dict(self.files.changed)

    def enable(self, unit: str) -> None:
        """Have it enabled."""
        self.enabled[unit] = True
        self.reload_daemon()

    def disable(self, unit: str) -> None:
        """Have it disabled."""
        self.enabled[unit] = False
        self.reload_daemon()

    def stop(self, unit: str) -> None:
        """Have it stopped."""
        self.stopped.add(unit)

    def _as_read(self, unit: str, now: UnitState) -> UnitState:
        """Give the state with what systemd is to know of the unit's files by then."""
        path = UNIT_FILES / unit
        files = [one for one in self.files.changed if one in (path, *_drop_in(one, path))]
        old = any(not self._is_read(one) for one in files)
        now = replace(now, needs_reload=old or (now.needs_reload and self.read is None))
        if path not in self.files.changed or now.load == "masked":
            return now if now.load == "loaded" else replace(now, needs_reload=False)
        content = self._fragment(unit)
        afresh = not old or (now.load == "not-found" and now.active == "inactive")
        if content is None:
            gone = "not-found" if afresh else now.load
            return replace(now, enabled="", load=gone)
        install = now.enabled if now.enabled in ENABLED else "disabled"
        enabled = install if b"[Install]" in content else "static"
        if now.load == "not-found":
            load = "loaded" if afresh else now.load
            return replace(now, load=load, enabled=enabled, needs_reload=False)
        return replace(now, enabled=enabled)

    def _is_read(self, path: Path) -> bool:
        missing = object()
        known = (self.read or {}).get(path, missing)
        return known is not missing and known == self.files.changed[path]

    def _fragment(self, unit: str) -> bytes | None:
        """Give the file that systemd will read for a unit; None where there will be none."""
        for folder in PLACES:
            entry = self.files.look(folder / unit)
            if entry is not None and entry.type == "file":
                return self._content(folder / unit)
        return None

    def _content(self, path: Path) -> bytes:
        try:
            return self.files.read(path) or b""
        except HostError:  # it comes from a blob, and most units can be enabled
            return b"[Install]"

    def __getattr__(self, name: str) -> NoReturn:
        raise NotForeseenError(name)


def _drop_in(one: Path, unit_file: Path) -> tuple[Path, ...]:
    """Give a path again where it is a drop-in of the unit."""
    return (one,) if one.parent == Path(f"{unit_file}.d") else ()
