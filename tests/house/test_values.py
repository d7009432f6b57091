"""Values are frozen; what is not frozen is listed here by name, with its reason."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Iterator

import msgspec

from tests.house.tree import modules

MUTABLE = {
    "saltern_agent.link.fetching.Fetching": "an offer on its way to this node",
    "saltern_agent.link.pace.Pace": "what the master asked lately",
    "saltern_agent.link.progress.Progress": "when the worker last gave a sign of life",
    "saltern_agent.link.reporting.Reporting": "the Report that is on its way to the master",
    "saltern_agent.link.upgrading.UpgradingLink": "what this run's connections came to",
    "saltern_agent.link.wanted.Certificates": "requests on their way to the master",
    "saltern_agent.answers.Answers": "who asked what and waits for the answer",
    "saltern_agent.control.Client": "what one connection has read and not yet written",
    "saltern_agent.confirm.Proof": "one number that the loop's thread writes for the worker's",
    "saltern_agent.doubts.Doubts": "what a look could not read for the first time",
    "saltern_agent.fighting.Fighting": "how long what was set right has stayed so",
    "saltern_agent.holding.Holding": "the hold in force",
    "saltern_agent.converge.Pass": "what one pass through the steps came to",
    "saltern_agent.foreseen_files.ForeseenFiles": "files that a plan made in memory",
    "saltern_agent.foreseen_links.ForeseenLinks": "links and routes that a plan made in memory",
    "saltern_agent.foreseen_units.ForeseenUnits": "units of which a plan made something in memory",
    "saltern_agent.health.watch.Due": "when the watch over a node's parts does what next",
    "saltern_agent.health.watch.HealthWatch": "what is known of the node's parts, in the loop",
    "saltern_agent.keeper.Keeper": "the worker's own state: what was accepted last",
    "saltern_agent.loop.Agent": "the loop's own state",
    "saltern_agent.loop.Turns": "two threads' numbers, one writer each",
    "saltern_agent.noticing.Notices": "what was heard and not yet looked at",
    "saltern_agent.show.Making": "which resource's heading was shown last",
    "saltern_agent.trying.Trying": "the worker's own state: what waits for a proof",
    "saltern_agent.unheard.Unheard": "what is to be looked at once more, and when",
    "saltern_master.bench.crowd.crowd.Crowd": "the processes that a bench has begun",
    "saltern_master.cluster.shape.Reading": "gathers faults while a file is read",
    "saltern_master.front.link.Counts": "what a front saw since its start",
    "saltern_master.front.loop.Front": "the front loop's own state",
    "saltern_master.front.loop.Times": "when the front last did what",
    "saltern_master.front.outgoing._Post": "what waits for one peer",
    "saltern_master.testing.kubernetes.FakeKubernetes": "an API server in memory",
    "saltern_master.testing.ssh.FakeMachine": "a machine in memory",
    "saltern_states.iptables_rule._Group": "gathers words while one rule is read",
    "saltern_states.testing.images.FakeImages": "a docker in memory",
    "saltern_states.testing.packages.FakePackages": "a dpkg in memory",
    "saltern_states.testing.units.FakeUnits": "a systemd in memory",
    "saltern_states.testing.upgrades.FakeUpgrades": "an upgrader in memory",
    "saltern_states.testing.units.Loaded": "a unit of the systemd in memory",
}


def values() -> Iterator[tuple[str, bool]]:
    """Give every Struct and dataclass of ours, and whether it is frozen."""
    for name in modules():
        module = importlib.import_module(name)
        for one in vars(module).values():
            if not inspect.isclass(one) or one.__module__ != name:
                continue
            if issubclass(one, msgspec.Struct):
                yield f"{name}.{one.__name__}", one.__struct_config__.frozen
            elif dataclasses.is_dataclass(one):
                yield f"{name}.{one.__name__}", one.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_every_value_is_frozen() -> None:
    assert {name for name, frozen in values() if not frozen} == set(MUTABLE)
