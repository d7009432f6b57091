"""Releases side by side, and a cluster's agents upgraded by a rollout: well, and stopped at one.

Two booted nodes with their own systemd and dpkg, master and agents from packages.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.two_releases import release_before
from tests.packages.conftest import booted_all
from tests.packages.life import AGENT, HELD
from tests.packages.machine import package
from tests.packages.releases import older, release
from tests.packages.rolled import NAMES, QUICK, Json, Rolled, begun, offer

pytestmark = [pytest.mark.packages, pytest.mark.timeout(600, func_only=False)]
SUITE, TARGET = "bookworm", "deb12"
BEFORE, GOOD, DEAF = "0.0.9", "7.0.0", "7.1.0"
STATE = "/var/lib/saltern/upgrade"
FAILED, CHANGES = 1, 2  # exit statuses
WHY = "it did not reach its master within 60 s of its start"


@dataclass(frozen=True)
class Stand:
    """The nodes, and the packages for them."""

    rolled: Rolled
    now: str  # the version of this checkout's packages
    agents: dict[str, Path]  # by version
    master: Path


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A master of the release before this one, an agent of this release and one of that."""
    folder = tmp_path_factory.mktemp("releases")
    source = folder / "before"
    source.mkdir()
    release_before(source)
    agent, master = package("agent", TARGET), package("master", TARGET)
    now = agent.name.split("_")[1].partition("-")[0]
    agents = {
        now: agent,
        BEFORE: older(agent, BEFORE, folder, source),
        GOOD: release(agent, GOOD, folder),
        DEAF: release(agent, DEAF, folder, "deaf"),
    }
    packages = {"w1": (older(master, BEFORE, folder, source), agent), "w2": (agents[BEFORE],)}
    with booted_all(SUITE, *NAMES) as nodes:
        yield Stand(begun(dict(zip(NAMES, nodes, strict=True)), packages), now, agents, master)


def test_from_the_release_before_to_one_that_is_ill(stand: Stand) -> None:
    """Each step goes on from what the one before left, as an administrator does."""
    for step in (
        a_master_of_the_release_before_has_agents_of_both,
        a_master_of_this_release_has_agents_of_both,
        one_that_is_too_old_to_upgrade_itself_is_named_and_upgraded_by_hand,
        a_rollout_upgrades_one_after_the_other,
        a_rollout_stops_at_one_that_goes_back_and_the_next_is_never_touched,
    ):
        began = time.monotonic()
        step(stand)
        print(f"{step.__name__}: {time.monotonic() - began:.1f} s", flush=True)


def a_master_of_the_release_before_has_agents_of_both(stand: Stand) -> None:
    does_all(stand.rolled, "one")
    assert stand.rolled.releases() == {"w1": stand.now, "w2": BEFORE}


def a_master_of_this_release_has_agents_of_both(stand: Stand) -> None:
    rolled = stand.rolled
    rolled.first.install(stand.master)
    rolled.first.waited("the master to run", lambda: is_there(rolled))
    rolled.wait_well()
    does_all(rolled, "two")
    assert rolled.releases() == {"w1": stand.now, "w2": BEFORE}


def one_that_is_too_old_to_upgrade_itself_is_named_and_upgraded_by_hand(stand: Stand) -> None:
    rolled, clock = stand.rolled, stand.rolled.runs(HELD)
    offer(rolled, *stand.agents.values())
    status, ended = rolled.apply("two\\n", f"{{version: {stand.now}}}")
    results = {name: one["result"] for name, one in ended.items()}
    assert (status, results) == (FAILED, {"w1": "converged", "w2": "blocked"})
    assert f"its agent {BEFORE} is too old: it does not know agent/1" in ended["w2"]["why"]

    node = rolled.nodes["w2"]
    node.must("dpkg", "-i", *node.bring(stand.agents[stand.now]))
    status, ended = rolled.apply("two\\n", f"{{version: {stand.now}}}")
    assert status == 0, ended
    rolled.wait_well()
    assert rolled.releases() == dict.fromkeys(NAMES, stand.now)
    assert rolled.runs(HELD) == clock


def a_rollout_upgrades_one_after_the_other(stand: Stand) -> None:
    rolled, held, drift = stand.rolled, stand.rolled.held(), drifts(stand.rolled)
    file = rolled.file("two\\n", f"{{version: {GOOD}}}")

    planned = rolled.saltern("plan", "-f", file)
    assert planned.returncode == CHANGES, planned.stderr
    upgrade = f"upgrade agent {stand.now}-1~{TARGET} -> {GOOD}-1~{TARGET}"
    assert upgrade in planned.stdout

    done = rolled.saltern("rollout", "start", "-f", file, *QUICK)
    print(f"{done.stdout}{done.stderr}")
    assert done.returncode == 0, done.stderr
    told = done.stderr
    assert "it upgrades its agent" in told
    order = ["w1 applying", "w1 done", "w2 applying", "w2 done"]
    assert [one for one in moves(told) if one in order] == order

    assert rolled.installed() == rolled.releases() == dict.fromkeys(NAMES, GOOD)
    rolled.wait_well()
    rolled.is_as_declared()
    assert (rolled.held(), drifts(rolled)) == (held, drift)


def a_rollout_stops_at_one_that_goes_back_and_the_next_is_never_touched(stand: Stand) -> None:
    rolled, held, drift = stand.rolled, stand.rolled.held(), drifts(stand.rolled)
    agents = rolled.runs(AGENT)
    version = rolled.status()["w2"]["version"]
    kept = rolled.nodes["w2"].must("ls", "-l", "--time-style=full-iso", STATE)

    file = rolled.file("two\\n", f"{{version: {DEAF}}}")
    done = rolled.saltern("rollout", "start", "-f", file, *QUICK)
    print(f"{done.stdout}{done.stderr}")
    assert done.returncode == FAILED, done.stderr
    assert "w1  wave 1, applying, not connected: it upgrades its agent" in done.stderr
    for words in (("status",), ("show", "0")):
        shown = rolled.saltern("rollout", *words).stdout
        assert WHY in " ".join(shown.split())
    nodes = {one["node"]: one for one in shown_rollout(rolled)["nodes"]}
    assert (nodes["w1"]["stage"], nodes["w2"]["stage"]) == ("failed", "waiting")

    assert rolled.installed() == rolled.releases() == dict.fromkeys(NAMES, GOOD)
    assert (rolled.held(), rolled.runs(AGENT)["w2"]) == (held, agents["w2"])
    assert rolled.status()["w2"]["version"] == version, "it was given no document"
    assert rolled.nodes["w2"].must("ls", "-l", "--time-style=full-iso", STATE) == kept

    undone = rolled.saltern("rollout", "undo")
    assert undone.returncode == 0, undone.stderr
    rolled.wait_well()
    rolled.is_as_declared()
    assert (rolled.held(), drifts(rolled)) == (held, drift)
    assert all(one["healed"] for one in rolled.drift("w1"))


def does_all(rolled: Rolled, word: str) -> None:
    """Apply something, plan nothing more, and have an edit on each node told and set right."""
    status, ended = rolled.apply(f"{word}\\n")
    assert status == 0, ended
    assert {one["result"] for one in ended.values()} == {"changed"}
    rolled.wait_well()
    rolled.is_as_declared()
    for name in rolled.nodes:
        rolled.set_right(name, f"{word}\n")
    rolled.wait_well()


def is_there(rolled: Rolled) -> bool | None:
    """Tell whether the master answers; None: not yet."""
    return True if rolled.saltern("status", "--output", "json").stdout else None


def drifts(rolled: Rolled) -> dict[str, list[object]]:
    """Give the numbers of all drift of what is held, of each node.

    That a release went back is told as drift too, for as long as it is declared.
    """
    return {
        name: [one["number"] for one in rolled.drift(name) if one["resource"] != "agent/release"]
        for name in rolled.nodes
    }


def moves(told: str) -> list[str]:
    """Give who moved to which stage, in the order in which it was shown."""
    found = re.findall(r"(?m)^\S+  (\w+)  wave \d+, (\w+)", told)
    return list(dict.fromkeys(" ".join(one) for one in found))


def shown_rollout(rolled: Rolled) -> Json:
    """Give the newest rollout."""
    found: Json = json.loads(rolled.saltern("rollout", "show", "0", "--output", "json").stdout)
    return found
