"""Each trap that a lab node allows is set up there for real, named, and named no more without."""

from __future__ import annotations

import json

import pytest
from saltern_agent.doctor.traps import TRAPS
from saltern_master.lab import Lab, Machine
from saltern_master.lab.install import install

from tests.lab.doctor_traps import NOT_HERE, ON_A_BARE_MACHINE, ON_A_NODE_OF_SALTERN, Setup
from tests.lab.held import Held, Json, wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]


def doctor(machine: Machine) -> list[Json]:
    """Ask the doctor on a node; it exits with 1 exactly where it finds a trap."""
    done = machine.exec(["saltern-agent", "doctor", "--output", "json"], timeout=60)
    found: list[Json] = json.loads(done.stdout)
    assert done.returncode == (1 if any(one["bad"] for one in found) else 0), done.stderr
    return found


def shell(machine: Machine, script: str) -> None:
    done = machine.exec(["sh", "-c", script], timeout=60)
    assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"


def named(machine: Machine, trap: str, words: str) -> bool:
    return any(one["trap"] == trap and words in one["what"] for one in doctor(machine))


@pytest.fixture(scope="module")
def bare(lab: Lab) -> Machine:
    """A machine with the agent and no document, as far as it can be without a trap."""
    (machine,) = lab.up(("w1",))
    install(lab, "w1", print)
    shell(machine, "sysctl -w net.ipv4.ip_forward=1")
    return machine


def tried(machine: Machine, setup: Setup) -> None:
    before = doctor(machine)
    shell(machine, setup.do)
    try:
        found = doctor(machine)
        assert named(machine, setup.trap, setup.words), found
    finally:
        shell(machine, setup.undo)
    wait_until(lambda: doctor(machine) == before, f"{doctor(machine)} to be {before} again")


def test_a_node_of_saltern_has_none(held: Held) -> None:
    assert doctor(held.machine) == []
    told = held.machine.exec(["saltern-agent", "doctor"])
    assert (told.returncode, told.stdout) == (0, "no trap found\n")


@pytest.mark.parametrize("setup", ON_A_NODE_OF_SALTERN, ids=lambda one: one.trap)
def test_it_is_named_on_a_node_of_saltern(held: Held, setup: Setup) -> None:
    assert doctor(held.machine) == []
    tried(held.machine, setup)


@pytest.mark.parametrize("setup", ON_A_BARE_MACHINE, ids=lambda one: one.trap)
def test_it_is_named_before_there_is_a_document(bare: Machine, setup: Setup) -> None:
    tried(bare, setup)


def test_every_trap_is_tried_or_said_not_to_be() -> None:
    here = {one.trap for one in (*ON_A_NODE_OF_SALTERN, *ON_A_BARE_MACHINE)}
    every = {one.name for one in TRAPS}
    assert not here & NOT_HERE.keys()
    assert here | NOT_HERE.keys() == every
    print(f"doctor: {len(here)} of {len(every)} traps are set up on a lab node; not here:")
    for name, why in NOT_HERE.items():
        print(f"  {name}: {why}")
