"""The node as one look sees it: what several resources hang on is asked for once.

A unit is: an image hangs on docker.service, and so does its drop-in. An account is: most files
are root's.

Between two questions a unit may stop: its image would then be told as gone although docker.service
was seen running a moment before. In one look a unit is in one state; and it costs one answer.
A glance is for looking only and ends with the look: what is set right is looked at anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saltern_states.ports import Host, HostError, Units, UnitState


@dataclass(frozen=True, slots=True)
class GlancedUnits:
    """Units, each asked for once; what could not be told then cannot be told."""

    real: Units
    told: dict[str, UnitState | HostError] = field(default_factory=dict)

    def state(self, unit: str) -> UnitState:
        """Give the unit's state as it was when it was asked for first."""
        if unit not in self.told:
            try:
                self.told[unit] = self.real.state(unit)
            except HostError as error:
                self.told[unit] = error
        found = self.told[unit]
        if isinstance(found, HostError):
            raise found
        return found

    def runs_binary(self, pid: int, binary: Path) -> bool:
        """Say whether the process runs the very file that stands at `binary` now."""
        return self.real.runs_binary(pid, binary)


class Glance:
    """The node during one look."""

    def __init__(self, real: Host) -> None:
        self._real = real
        self.files = real.files.with_accounts_kept()
        self.units = GlancedUnits(real.units)

    def __getattr__(self, port: str) -> Any:  # noqa: ANN401  # every other port, as it is
        return getattr(self._real, port)
