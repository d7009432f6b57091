"""Breaks a worker in every way, again and again, and gathers what the master was told of it."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from saltern_master.api.client import Client
from saltern_master.api.service import DriftView
from saltern_master.bench.drift.damages import Damage, damages
from saltern_master.bench.drift.figures import Figures, Kind, Run
from saltern_master.bench.drift.following import Following, following
from saltern_master.bench.drift.ground import NODE, client_of, open_drift
from saltern_master.bench.site import Site
from saltern_master.lab.fleet import Fleet, wait_for
from saltern_master.lab.trial import Trial

CARRIED = (
    "__init__.py",
    "bench/__init__.py",
    "bench/damages.py",
    "bench/probe.py",
    "bench/drift/__init__.py",
    "bench/drift/cost_probe.py",
    "bench/drift/damages.py",
    "bench/drift/open_files.py",
    "bench/drift/probe.py",
)
PLACE = "/root/saltern-bench"
SECONDS = 90.0  # that one damage may take to be told, and to be healed
SLACK = 0.25  # between the end of a repair and the log's line of it


@dataclass(frozen=True, slots=True)
class Breaking:
    """One node under damage, and who follows its drift."""

    trial: Trial
    client: Client
    told: Following

    def hit(self, damage: Damage) -> Run:
        """Break it once, and wait until it is healed."""
        struck = self._probe("act", damage.name)

        def begins(one: DriftView) -> bool:
            return one.resource == damage.resource and one.recorded >= struck["begin"]

        seen = self.told.wait(damage.name, begins, SECONDS)
        mended = struck["end" if damage.from_end or damage.lasts else "begin"]
        if damage.undo is not None:
            mended = self._probe("undo", damage.name)["begin"]

        def ends(one: DriftView) -> bool:
            return one.number == seen.drift.number and one.healed > 0

        self.told.wait(f"the end of {damage.name}", ends, SECONDS)
        wait_for("the node to come to rest", self.rests, SECONDS)
        wanted = {damage.resource, damage.brings}
        told = [one.drift for one in self.told.told if one.drift.recorded >= struck["begin"]]
        return Run(
            begin=struck["begin"],
            end=struck["end"],
            since=seen.drift.since,
            recorded=seen.drift.recorded,
            stored=seen.drift.stored,
            heard=seen.at,
            mended=mended,
            healed=max(one.healed for one in told if one.resource in wanted),
            repair=0.0,
        )

    def rests(self) -> bool:
        """Say whether no drift is open."""
        return not open_drift(self.client)

    def repairs(self, since: float) -> Sequence[tuple[float, str, float]]:
        """Give what the agent's log says of repairs."""
        return [(at, name, took) for at, name, took in self._ask("repairs", f"{since}")]

    def _probe(self, what: str, name: str) -> dict[str, float]:
        return dict(self._ask(what, name))

    def _ask(self, *words: str) -> Any:  # noqa: ANN401  # what a JSON line holds
        return have(self.trial, "probe", *words, seconds=2 * SECONDS)


def measure(fleet: Fleet, site: Site, runs: int, wanted: Iterable[Damage] = ()) -> Figures:
    """Measure every kind of damage, or those that are wanted."""
    trial = fleet.node(NODE)
    carry(trial)
    client = client_of(fleet)
    kinds = []
    breaking = Breaking(trial, client, following(client, NODE))
    for damage in wanted or damages():
        fleet.show(f"{damage.name}, {runs} times")
        found = []
        for _ in range(runs):
            found.append(breaking.hit(damage))
            time.sleep(damage.rest)
        kinds.append(kind_of(damage, found, breaking.repairs(found[0].begin)))
    return Figures(site=site, kinds=tuple(kinds))


def kind_of(
    damage: Damage, runs: Sequence[Run], repairs: Sequence[tuple[float, str, float]]
) -> Kind:
    """Put a kind's runs together, each with what the agent says its repair took."""
    return Kind(
        name=damage.name,
        by=damage.by,
        event=damage.event,
        from_end=damage.from_end,
        by_hand=damage.undo is not None,
        runs=tuple(_with_repair(run, damage.brings or damage.resource, repairs) for run in runs),
    )


def _with_repair(run: Run, resource: str, repairs: Sequence[tuple[float, str, float]]) -> Run:
    near = [
        (abs(at - run.healed), took)
        for at, name, took in repairs
        if name == resource and abs(at - run.healed) < SLACK
    ]
    return replace(run, repair=min(near, default=(0.0, 0.0))[1])


def have(trial: Trial, probe: str, *words: str, seconds: float) -> Any:  # noqa: ANN401  # JSON
    """Have a probe do something in the node; gives what it printed."""
    command = ("/usr/bin/env", f"PYTHONPATH={PLACE}", "/usr/bin/python3", "-m")
    module = f"saltern_master.bench.drift.{probe}"
    return json.loads(trial.must(*command, module, *words, timeout=seconds))


def carry(trial: Trial) -> None:
    """Put the probe's files into the node."""
    package = Path(__file__).parents[2]
    with tempfile.TemporaryDirectory(prefix="saltern-bench-") as folder:
        for name in CARRIED:
            target = Path(folder, package.name, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(package / name, target)
        trial.lab.copy_in(trial.node, Path(folder), PLACE)
