"""A timer in memory, in place of systemd's; tests/contracts/timer_laws.py holds both to one law."""

from __future__ import annotations

from dataclasses import dataclass

from saltern_states.ports import HostError


@dataclass
class FakeTimer:
    """The timer that would run `saltern-agent revert`."""

    running: bool = False
    broken: str = ""  # why systemd would not start it

    def start(self) -> None:
        if self.broken:
            raise HostError(self.broken)
        self.running = True

    def stop(self) -> None:
        self.running = False

    def runs(self) -> bool:
        return self.running
