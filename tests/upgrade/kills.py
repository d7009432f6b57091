"""Kills at random moments of upgrades, with a real dpkg on real packages; and what must hold then.

In each round an agent hands an upgrade over, to a release that is well or is not, and whoever is at
work is killed at random moments: the upgrader alone (its dpkg lives on), it and dpkg with it, or
the whole machine, which comes up again. Each time the upgrader is started again, as systemd does.

Held at the end of each round: one release is whole, each file of it and none of another's, by
dpkg's own word too; that one runs; it is the new one only if that one is well, and the old one only
with a reason; nothing is under way any more.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import saltern_agent

from tests.house.tree import ROOT
from tests.upgrade.debs import TREE, Behaviour, build
from tests.upgrade.ground import (
    FileUnit,
    audit,
    dpkg_of,
    hand_over,
    lay_out,
    records_of,
    version_of,
)

Victim = Literal["upgrader", "upgrader and dpkg", "machine"]
VICTIMS: Final[tuple[Victim, ...]] = ("upgrader", "upgrader and dpkg", "machine")
NEW: Final[tuple[Behaviour, ...]] = ("well", "well", "well", "silent", "dies")
SCRIPTS: Final = dict.fromkeys(("preinst", "postinst", "prerm", "postrm"), "echo $0 $1 >>/dev/null")
AGENT: Final = Path(saltern_agent.__file__).parents[1]
AIMS: Final = ("installing", "watching")
LONGEST: Final = 0.3
"""Seconds into a stage at which somebody may be killed: about as long as one takes."""

DEADLINE: Final = 60.0


@dataclass
class Tally:
    """What was done, and what came of it."""

    rounds: int = 0
    kills: Counter[Victim] = field(default_factory=Counter)
    while_in: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Tell."""
        yield f"{self.rounds} upgrades, {sum(self.kills.values())} kills: {_told(self.kills)}"
        yield f"killed while: {_told(self.while_in)}"
        yield f"ended: {_told(self.ends)}"
        yield f"nodes without one working agent: {len(self.broken)}"
        yield from self.broken


def kills(folder: Path, seed: int, wanted: int) -> Tally:
    """Kill as often as wanted, and say what came of it."""
    chance, tally = random.Random(seed), Tally()
    root = folder / "machine"
    lay_out(root)
    debs = {
        (version, behaviour): build(folder, version, behaviour, SCRIPTS)
        for version in ("1.0", "2.0")
        for behaviour in ("well", "silent", "dies")
    }
    dpkg_of(root).install(debs["1.0", "well"])
    FileUnit(root).restart()
    standing = debs["1.0", "well"]
    while sum(tally.kills.values()) < wanted:
        other = "2.0" if version_of(standing) == "1.0" else "1.0"
        new = debs[other, chance.choice(NEW)]
        standing = _round(root, new, standing, chance, tally)
    return tally


def _round(root: Path, new: Path, old: Path, chance: random.Random, tally: Tally) -> Path:
    """Upgrade once, with kills; give the package that stands then."""
    tally.rounds += 1
    hand_over(root, new, old)
    killings = chance.choice((1, 1, 2, 3))
    aims = AIMS if new.name.endswith("_well.deb") else (*AIMS, "going back")
    for _ in range(killings):
        victim, aim = chance.choice(VICTIMS), chance.choice(aims)
        if _killed(root, aim, chance.random() * LONGEST, victim, tally):
            break
    _until_ended(root)
    ended = records_of(root).ended()
    stands = new if FileUnit(root).running_tree() == version_of(new) else old
    for fault in faults(root, new, stands):
        tally.broken.append(f"round {tally.rounds}: {fault}")
    tally.ends["done" if ended is not None and ended.done else "gone back"] += 1
    return stands


def faults(root: Path, new: Path, stands: Path) -> Iterator[str]:
    """Say what does not hold."""
    records, unit, version = records_of(root), FileUnit(root), version_of(stands)
    ended = records.ended()
    if records.under_way() or ended is None:
        yield "an upgrade is still under way"
        return
    if dpkg_of(root).installed() != version or audit(root):
        yield f"dpkg does not call {version} whole: {audit(root)}"
    if unit.running_tree() != version:
        yield "the files are not of one release"
    if others := sorted(p.name for p in (root / TREE).glob("*.dpkg-*")):
        yield f"dpkg left {others}"
    if len(list((root / TREE).glob("only-in-*"))) != 1:
        yield "files of both releases are there"
    if unit.runs() != version:
        yield f"{unit.runs() or 'nothing'} runs, and {version} is installed"
    well = new.name.endswith("_well.deb")
    if ended.done != (stands == new) or (ended.done and not well):
        yield f"it ended {'well' if ended.done else 'back'} and {stands.name} stands ({ended.why})"
    if not ended.done and not ended.why:
        yield "it went back and does not say why"


def _killed(root: Path, aim: str, seconds: float, victim: Victim, tally: Tally) -> bool:
    """Let an upgrader come to a stage, and kill so long after; True: it had ended before."""
    process, records = start(root), records_of(root)
    while process.poll() is None and records.stage().name != aim:
        time.sleep(0.001)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        tally.kills[victim] += 1
        tally.while_in[records_of(root).stage().name] += 1
        _kill(process, victim)
        if victim == "machine":
            FileUnit(root).boot()
        return False
    return True


def _kill(process: subprocess.Popen[bytes], victim: Victim) -> None:
    if victim == "upgrader":
        process.kill()
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _until_ended(root: Path) -> None:
    """Start it again as long as it says that it has not ended, as systemd does."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        process = start(root)
        process.wait(DEADLINE)
        if process.returncode == 0:
            return


def start(root: Path) -> subprocess.Popen[bytes]:
    """Start the upgrader in a group of its own."""
    script = Path(__file__).with_name("upgrader.py")
    command = [sys.executable, "-I", str(script), str(root), str(AGENT), str(ROOT)]
    with (root / "said").open("ab") as said:
        return subprocess.Popen(command, stderr=said, start_new_session=True)


def _told(counts: Counter[Victim] | Counter[str]) -> str:
    return ", ".join(f"{one} {count}" for one, count in sorted(counts.items())) or "none"
