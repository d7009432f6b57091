"""The loop of an upgrade: looks, asks what is to be done (stages.py), does it, until it has ended.

* Whatever kills it, systemd starts it again, and it goes on where the disk says it was.
* Each package is hashed before it is installed: what is not what the order names is not installed,
  and an order whose way back is not whole changes nothing.
* A package that dpkg calls installed is: what else failed then (another one's trigger) is told.
* It knows the standard library only; `python3 -I -S upgrader.pyz STATE RUN` runs it (program.py).
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from saltern_agent.upgrade.machine import Dpkg, Packages, Systemd, Unit
from saltern_agent.upgrade.records import Ended, Records
from saltern_agent.upgrade.stages import (
    Act,
    End,
    Install,
    Keep,
    Order,
    Package,
    Restart,
    Seen,
    Stage,
    Wait,
    Which,
    decide,
    pause,
    tried,
)

BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Clock:
    """Time as an upgrade counts it."""

    boot: Callable[[], str]
    now: Callable[[], float]  # seconds since the boot, sleep of the machine counted
    wall: Callable[[], float]
    sleep: Callable[[float], None]


@dataclass(frozen=True)
class Upgrader:
    """One upgrade of one node."""

    records: Records
    packages: Packages
    unit: Unit
    clock: Clock
    say: Callable[[str], None]

    def go_on(self) -> bool:
        """Go through what is left of it; False: none is under way. OSError: its disk fails."""
        order = self.records.order()
        if order is None:
            if self.records.drop_unreadable():
                self.say(f"cannot read {self.records.order_path}, and took it away: it is no order")
            return False
        stage = self.records.stage()
        self.say(f"the upgrade to {order.new.version} is {stage.name}")
        while True:
            act = decide(order, stage, self._look())
            if isinstance(act, End):
                break
            stage = self._do(act, order, stage)
        done = stage.name == "done"
        self.say(f"the upgrade to {order.new.version} has {'ended well' if done else stage.name}")
        new = order.new
        self.records.end(
            Ended(new.version, order.release, order.attempt, done, stage.why, self.clock.wall())
        )
        return True

    def _look(self) -> Seen:
        run = self.unit.run()
        return Seen(
            boot=self.clock.boot(),
            now=self.clock.now(),
            installed=self.packages.installed(),
            run=run.id,
            state=run.state,
            told=self.records.told(),
        )

    def _do(self, act: Act, order: Order, stage: Stage) -> Stage:
        match act:
            case Keep(new):
                self._keep(new, stage)
                return new
            case Install(which, new):
                self._keep(new, stage)
                return self._install(which, order, new)
            case Restart(new):
                if why := self.unit.restart():
                    self.say(f"cannot have the agent started: {why}")
                    self.clock.sleep(pause(stage.tries))
                    again = replace(stage, tries=stage.tries + 1)
                    return again if new.name == "going back" else self._kept(new, stage)
                return self._kept(new, stage)
            case Wait(seconds):
                self.clock.sleep(seconds)
        return stage

    def _kept(self, new: Stage, stage: Stage) -> Stage:
        self._keep(new, stage)
        return new

    def _keep(self, new: Stage, stage: Stage) -> None:
        self.records.keep(new)
        if new.name != stage.name:
            self.say(f"{new.name}{': ' if new.why else ''}{new.why}")

    def _install(self, which: Which, order: Order, stage: Stage) -> Stage:
        """Install one of the two, if both are what the order says."""
        if which == "old":
            self.records.let_go_of_reserve()
            self.records.new.unlink(missing_ok=True)  # it is not wanted any more, and takes room
            why = self._put(self.records.old, order.old)
        else:
            why = self._spoiled(self.records.old, order.old)
            why = why or self._put(self.records.new, order.new)
        after = tried(stage, why)
        if after != stage:
            self._keep(after, stage)
        elif which == "old" and self.packages.installed() != order.old.version:
            self.say(f"cannot go back yet: {why or 'dpkg was stopped'}")
            self.clock.sleep(pause(stage.tries))
        return after

    def _put(self, file: Path, package: Package) -> str:
        if why := self._spoiled(file, package) or self.packages.install(file):
            if self.packages.installed() != package.version:
                return why
            self.say(f"{package.version} is installed, although: {why}")
        return ""

    def _spoiled(self, file: Path, package: Package) -> str:
        """Say why a file is not the package that the order names; "" where it is."""
        try:
            with file.open("rb") as content:
                found = hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            return f"cannot read {file}: {error.strerror}"
        return (
            "" if found == package.sha256 else f"{file} is not what it was when it was handed over"
        )


def clock() -> Clock:
    """Give this machine's."""
    return Clock(
        boot=lambda: BOOT.read_text().strip(),
        now=lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
        wall=lambda: time.clock_gettime(time.CLOCK_REALTIME),
        sleep=time.sleep,
    )


def main(state: Path, run: Path) -> int:
    """Go on with the upgrade of this machine whose records are there; the exit code."""

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)  # noqa: T201  # systemd's journal

    upgrader = Upgrader(Records(state, run), Dpkg(), Systemd(), clock(), say)
    try:
        upgrader.go_on()
    except OSError as error:
        say(f"cannot go on with the upgrade, and try again: {error}")
        return 1
    return 0
