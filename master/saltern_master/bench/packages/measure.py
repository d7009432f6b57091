"""Installs the packages on a fresh node of each release of Debian, and measures them there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saltern_master.bench import figures as bench
from saltern_master.bench.measure import CARRIED, carry, have, probe, system_of
from saltern_master.bench.packages.body import RESOURCES
from saltern_master.bench.packages.figures import Installed, Release, Starts, mib
from saltern_master.bench.packages.ground import INCOMING, TARGETS, fresh_node, hold
from saltern_master.lab import agent_package
from saltern_master.lab.errors import LabError
from saltern_master.lab.trial import Show, Trial

NEEDED: Final = (*CARRIED, "bench/packages/__init__.py", "bench/packages/probe.py")
PROBE: Final = "packages.probe"
WARM_UP: Final = 20  # looks


@dataclass(frozen=True, slots=True)
class Amount:
    """How often each thing is done."""

    starts: int = 10
    looks: int = 1_000


def measure(suite: str, amount: Amount, show: Show, keep: bool) -> Release:
    """Measure all of it on one release of Debian; it is booted for that alone."""
    source = agent_package.checkout()
    packages = {
        product: agent_package.build(source, TARGETS[suite], show, product).path
        for product in ("agent", "master")
    }
    with fresh_node(suite, show, keep) as trial:
        carry(trial, NEEDED)
        show(f"{system_of(trial)}: dpkg -i")
        agent, master = (_installed(trial, name, path) for name, path in packages.items())
        show(f"the agent joins, and holds {RESOURCES} resources")
        hold(trial)
        return _running(trial, amount, agent, master)


def _installed(trial: Trial, product: str, package: Path) -> Installed:
    """Install a package and weigh it."""
    there = f"{INCOMING}/{package.name}"
    trial.lab.copy_in(trial.node, package, there)
    took = have(trial, PROBE, "install", there)
    weighs = have(trial, PROBE, "weigh", f"saltern-{product}")
    return Installed(package=package.stat().st_size, seconds=took["seconds"], **weighs)


def _running(trial: Trial, amount: Amount, agent: Installed, master: Installed) -> Release:
    """Measure the agent that holds its node, and the master beside it."""
    trial.show(f"{amount.looks} looks")
    looks = probe(trial, "looks", str(WARM_UP), str(amount.looks))
    if looks["resources"] != RESOURCES:
        raise LabError(f"cannot measure: the agent holds {looks['resources']}, not {RESOURCES}")
    held = have(trial, PROBE, "master")
    trial.show(f"{amount.starts} starts, and as many with nothing kept")
    starts = have(trial, PROBE, "starts", str(amount.starts))
    return Release(
        system=system_of(trial),
        agent=agent,
        master=master,
        starts=Starts(kept=tuple(starts["kept"]), fresh=tuple(starts["fresh"])),
        looks=amount.looks,
        memory=bench.memory_of(looks),
        memory_started=mib(starts["pss"]),
        core=mib(held["core"]),
        front=mib(held["front"]),
    )
