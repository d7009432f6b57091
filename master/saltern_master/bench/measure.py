"""Has the probe measure in the node, and gathers what it says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltern_master.bench import figures
from saltern_master.bench.damages import damages
from saltern_master.bench.figures import Figures, Ground
from saltern_master.lab.agent_package import checkout
from saltern_master.lab.trial import Trial

CARRIED = ("__init__.py", "bench/__init__.py", "bench/damages.py", "bench/probe.py")
PLACE = "/root/saltern-bench"
SECONDS = 3600.0  # that one measure may take
SLOW = "docker stopped"
WARM_UP = 1_000
"""Looks that are made before: a first MiB is taken once, over hundreds of them. A leak goes on."""


@dataclass(frozen=True, slots=True)
class Amount:
    """How often each thing is done."""

    looks: int = 10_000
    runs: int = 40  # of each damage that heals in no time
    slow_runs: int = 10  # of stopping docker, and of what no event tells of
    starts: int = 10


def measure(trial: Trial, amount: Amount, ground: Ground, show: Callable[[str], None]) -> Figures:
    """Measure all of it on a node that the agent holds and that is as declared."""
    carry(trial)
    show(f"{amount.looks} looks")
    looks = probe(trial, "looks", str(WARM_UP), str(amount.looks))
    healing = []
    for one in damages("0.0.0.0/0"):
        runs = amount.runs if one.event and one.name != SLOW else amount.slow_runs
        show(f"{one.name}, {runs} times")
        healing.append(figures.healing_of(probe(trial, "damage", one.name, str(runs))))
    show(f"{amount.starts} starts")
    starts = probe(trial, "starts", str(amount.starts))
    return Figures(
        ground=ground,
        look=figures.look_of(looks),
        memory=figures.memory_of(looks),
        start=figures.start_of(starts),
        healing=tuple(healing),
    )


def carry(trial: Trial, names: Sequence[str] = CARRIED) -> None:
    """Put the probe's files into the node, or a probe's of these names."""
    package = Path(__file__).parents[1]
    with tempfile.TemporaryDirectory(prefix="saltern-bench-") as folder:
        for name in names:
            target = Path(folder, package.name, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(package / name, target)
        trial.lab.copy_in(trial.node, Path(folder), PLACE)


def probe(trial: Trial, *words: str) -> dict[str, Any]:
    """Run the probe in the node; LabError with its words where it cannot measure."""
    return have(trial, "probe", *words)


def have(trial: Trial, probe: str, *words: str) -> dict[str, Any]:
    """Have a probe of the bench, by its module's name, do something in the node."""
    command = ("/usr/bin/env", f"PYTHONPATH={PLACE}", "/usr/bin/python3", "-m")
    printed = trial.must(*command, f"saltern_master.bench.{probe}", *words, timeout=SECONDS)
    return dict(json.loads(printed))


def ground_of(trial: Trial, date: str, command: str) -> Ground:
    """Say where this is measured, and of what."""
    installed = trial.lab.root(trial.node) / "usr/lib/saltern-agent"
    sizes = {one: one.lstat().st_size / 1e6 for one in installed.rglob("*") if one.is_file()}
    return Ground(
        date=date,
        machine=machine(),
        load=" ".join(f"{one:.2f}" for one in os.getloadavg()),
        kernel=" ".join((os.uname().sysname, os.uname().release, os.uname().machine)),
        node=f"{system_of(trial)}, in systemd-nspawn",
        commit=commit(checkout()),
        command=command,
        tree_megabytes=sum(size for one, size in sizes.items() if one.suffix != ".pyc"),
        installed_megabytes=sum(sizes.values()),
    )


def system_of(trial: Trial) -> str:
    """Name a node's Debian and its Python."""
    release = trial.must("/bin/cat", "/etc/debian_version").strip()
    python = trial.must("/usr/bin/python3", "--version").strip()
    return f"Debian {release}, {python}"


def machine() -> str:
    """Say what this machine is."""
    described = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in described if line.startswith("model name")]
    kib = next(
        int(line.split()[1])
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemTotal:")
    )
    return f"{os.cpu_count()} × {models[0] if models else 'CPU'}, {kib / 2**20:.0f} GiB"


def commit(checkout: Path) -> str:
    """Name the commit; whether anything but pages of figures was changed beside it is said."""
    try:
        name = _git(checkout, "rev-parse", "--short", "HEAD")
        # Each figure's page is in the tree: the second of a day would call the checkout changed.
        beside = _git(checkout, "diff", "HEAD", "--name-only", "--", ".", ":!docs/measured")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return f"{name} with changes" if beside else name


def _git(checkout: Path, *arguments: str) -> str:
    command = ["/usr/bin/git", "-C", str(checkout), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.strip()
