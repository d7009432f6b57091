"""The units of a node's systemd."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class UnitState:
    """What systemd says of a unit."""

    load: str  # loaded, not-found, masked, bad-setting, error
    active: str  # active, activating, deactivating, inactive, failed, reloading
    enabled: str  # enabled, disabled, static, masked … or "" for no file
    invocation: str  # 32 hex digits of the current invocation, or ""
    main_pid: int  # 0 where there is none
    needs_reload: bool  # its files are newer than what systemd read
    can_reload: bool


class Units(Protocol):
    """systemd, over D-Bus. A job is waited for, and its failure is a HostError with its result."""

    def state(self, unit: str) -> UnitState:
        """Give the unit's state; a unit that systemd cannot find has load "not-found"."""
        ...

    def runs_binary(self, pid: int, binary: Path) -> bool:
        """Say whether the process runs the very file that stands at `binary` now."""
        ...

    def shutting_down(self) -> bool:
        """Say whether the system is on its way down, so that what stops now is meant to."""
        ...

    def starting_up(self) -> bool:
        """Say whether the boot still goes on, so that what does not run yet may be to come."""
        ...

    def reload_daemon(self) -> None:
        """Have systemd read all unit files again."""
        ...

    def enable(self, unit: str) -> None:
        """Enable it, for the next boot."""
        ...

    def disable(self, unit: str) -> None:
        """Disable it."""
        ...

    def unmask(self, unit: str) -> None:
        """Take a mask away."""
        ...

    def start(self, unit: str) -> None:
        """Start it, after reset-failed, and wait for the job."""
        ...

    def stop(self, unit: str) -> None:
        """Stop it and wait."""
        ...

    def restart(self, unit: str) -> None:
        """Restart it and wait."""
        ...

    def reload(self, unit: str) -> None:
        """Reload it and wait."""
        ...
