"""The timer that has a change taken back although no agent lives: a transient unit of systemd's.

* It runs `saltern-agent revert` a minute after it was started, and every few seconds from then on
  until somebody stops it: whether there is something to take back, and whether its time has come,
  stands in the journal and nowhere else. So it is started once and needs no second setting.
* It lives in /run and dies with a boot, which ends what was open by itself (trying.py).
* Program, names and words are fixed here: nothing that was received stands in them.

Outside facts: systemd-run(1), systemd.timer(5), sd_booted(3).
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saltern_states.ports import HostError

from saltern_agent.confirm import WINDOW

NAME: Final = "saltern-revert"
TIMER: Final = f"{NAME}.timer"
SYSTEMD: Final = Path("/run/systemd/system")
AGAIN: Final = 5.0
SECONDS: Final = 15.0
RUN: Final = (
    "/usr/bin/systemd-run",
    "--quiet",
    "--collect",
    f"--unit={NAME}",
    "--description=Take back what was not confirmed",
    f"--on-active={WINDOW:.0f}s",
    f"--on-unit-inactive={AGAIN:.0f}s",
    "--timer-property=AccuracySec=1s",
    "--property=KillMode=process",
    "--",
    "/usr/bin/saltern-agent",
    "revert",
)
RUNS: Final = ("/usr/bin/systemctl", "is-active", "--quiet", TIMER)
STOP: Final = ("/usr/bin/systemctl", "stop", "--quiet", TIMER)
ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}


def run(command: tuple[str, ...]) -> subprocess.CompletedProcess[bytes]:
    """Run a fixed command of systemd's, such as those above. HostError: it cannot be run."""
    try:
        return subprocess.run(
            list(command), capture_output=True, timeout=SECONDS, check=False, env=ENVIRONMENT
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise HostError(f"cannot run {command[0]}: {error}") from error


@dataclass(frozen=True, slots=True)
class SystemdTimer:
    """The timer, by systemd's own programs. `run`: where they are run, if not here."""

    run: Callable[[tuple[str, ...]], subprocess.CompletedProcess[bytes]] = run

    def start(self) -> None:
        """Have it run, if it does not. HostError: it cannot, so nothing may rely on it."""
        done = self.run(RUN)
        if done.returncode and not self.runs():
            said = done.stderr.decode(errors="replace").strip()
            raise HostError(f"cannot start {TIMER}: {said}; see: systemctl status {TIMER}")

    def stop(self) -> None:
        """Have it run no more; nothing where it does not. HostError: it still does."""
        done = self.run(STOP)
        if done.returncode and self.runs():
            said = done.stderr.decode(errors="replace").strip()
            raise HostError(f"cannot stop {TIMER}: {said}")

    def runs(self) -> bool:
        """Say whether it runs. HostError."""
        return self.run(RUNS).returncode == 0


def has_systemd() -> bool:
    """Say whether this machine is run by systemd."""
    return SYSTEMD.is_dir()
