"""Installing, joining, converging, upgrading, removing and purging, on a freshly booted Debian.

No registry is reached: apt has no source, and a node of the lab no name server.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.packages.accounts import DPKG, KEPT, SYSTEM, USER, reasons, unaccounted
from tests.packages.life import AGENT, DECLARED, HELD, HOME, JOIN, MASTER, WORD, Life
from tests.packages.machine import lines

pytestmark = [pytest.mark.packages, pytest.mark.timeout(600, func_only=False)]

EVERY = (DPKG, SYSTEM, USER, KEPT)
CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
OWN = ("/etc/saltern/", "/var/lib/saltern/", "/usr/lib/saltern-agent", "/usr/bin/saltern-agent")


def test_a_fresh_master_is_enabled_and_waits_for_a_cluster(life: Life) -> None:
    step = life.steps["master installed"]

    assert (step.units[MASTER].enabled, step.units[MASTER].state) == ("enabled", "inactive")
    assert step.system == "running"


def test_a_master_runs_as_its_own_user_in_its_unit(life: Life) -> None:
    master = life.steps["master started"].units[MASTER]

    assert (master.state, master.said["NRestarts"]) == ("active", "0")
    for one in (life.core, life.front):
        assert int(one["Uid"].split()[0]) > 0
        assert {int(one[name], 16) for name in CAPABILITIES} == {0}
        assert (one["NoNewPrivs"], one["Seccomp"]) == ("1", "2")
    assert int(life.front["Seccomp_filters"]) > int(life.core["Seccomp_filters"])
    assert lines(life.security, "✓", "CapabilityBoundingSet=~CAP_SYS_ADMIN")


def test_a_fresh_agent_is_enabled_and_waits_for_an_identity(life: Life) -> None:
    step = life.steps["agent installed"]

    for name in (AGENT, JOIN):
        assert (step.units[name].enabled, step.units[name].state) == ("enabled", "inactive"), name
    assert step.system == "running"


def test_a_join_is_one_line_and_the_agent_runs_then(life: Life) -> None:
    assert "this is now node w1 of cluster demo" in life.steps["joined"].said
    assert "its agent is started" in life.steps["joined"].said
    converged = life.steps["converged"]
    assert converged.units[AGENT].state == "active"
    assert converged.units[HELD].state == "active"
    assert converged.system == "running"


def test_an_upgrade_starts_agent_and_master_anew_and_nothing_that_is_held(life: Life) -> None:
    before, after = life.steps["converged"].units, life.steps["upgraded"].units

    assert {before[AGENT].pid, before[MASTER].pid} & {after[AGENT].pid, after[MASTER].pid} == set()
    assert (after[AGENT].state, after[MASTER].state) == ("active", "active")
    assert after[HELD].pid == before[HELD].pid
    assert after[AGENT].said["NRestarts"] == "0"


def test_a_removal_stops_the_agent_and_nothing_that_is_held(life: Life) -> None:
    before, after = life.steps["upgraded"].units, life.steps["removed"].units

    assert not after[AGENT].is_there
    assert after[AGENT].pid == 0
    assert after[HELD].pid == before[HELD].pid
    assert life.steps["removed"].system == "running"


def test_a_removal_leaves_what_the_agent_knows_and_nothing_of_the_program(life: Life) -> None:
    tree = life.trees["removed"]
    left = [path for path in tree if path.startswith(("/usr/lib/saltern-agent", OWN[3]))]

    assert left == []
    assert {"/etc/saltern/identity", "/etc/saltern/link.key", "/var/lib/saltern/journal.db"} <= set(
        tree
    )
    assert set(tree) >= DECLARED


def test_installed_again_it_is_the_same_node_and_changes_nothing(life: Life) -> None:
    before, after = life.steps["removed"].units, life.steps["installed again"].units

    assert after[AGENT].state == "active"
    assert after[HELD].pid == before[HELD].pid


def test_a_purge_takes_what_was_the_agents_own_and_leaves_what_is_held_running(life: Life) -> None:
    before, after = life.steps["upgraded"].units, life.steps["purged"].units
    tree = life.trees["purged"]

    assert after[HELD].pid == before[HELD].pid
    assert (after[HELD].state, after[HELD].enabled) == ("active", "enabled")
    assert [path for path in tree if path.startswith(OWN)] == ["/etc/saltern/master.env"]
    assert life.node.must("cat", WORD) == "held\n"
    assert life.steps["purged"].units[MASTER].state == "active"
    assert not life.in_run


def test_after_the_purges_every_path_that_differs_has_a_reason(life: Life) -> None:
    bare, after = life.trees["bare"], life.trees["master purged"]
    why = Counter(reasons(bare, after, DECLARED, *EVERY).values())
    print(f"of {len(bare)} paths {sum(why.values())} differ: {dict(why)}")

    assert unaccounted(bare, after, DECLARED, *EVERY) == {}
    assert f"{HOME}/keys/root.key" in after
    assert f"{HOME} is left" in life.steps["master purged"].said


def test_the_reasons_are_needed(life: Life) -> None:
    """Else the account would be kept of nothing."""
    bare, after = life.trees["bare"], life.trees["master purged"]

    assert {"/var/log/dpkg.log"} <= set(unaccounted(bare, after, DECLARED, SYSTEM, USER))
    assert {"/etc/passwd"} <= set(unaccounted(bare, after, DECLARED, DPKG, SYSTEM))
    assert {WORD} <= set(unaccounted(bare, after, (), DPKG, SYSTEM, USER))


def test_nothing_complained_in_between(life: Life) -> None:
    assert lines(life.journal, "Traceback") == []
    assert lines(life.journal, "Failed with result") == []


def test_a_held_service_can_be_started_anew_without_the_agent(life: Life) -> None:
    """Its drop-in leaves a record in /run/saltern, whether somebody reads that or not."""
    life.node.must("systemctl", "restart", HELD)

    assert life.node.unit(HELD).state == "active"
