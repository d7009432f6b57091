"""Which machine shall be which node, and which package it gets."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from saltern_master.joining.choosing import System, choose, order, read_package
from saltern_master.joining.hosts import HOST, HostsError, Machine, read_machines
from saltern_master.testing.ssh import DEBIAN_12

DEB12 = "saltern-agent_0.1.0-1~deb12_amd64.deb"
DEB13 = "saltern-agent_0.1.0-1~deb13_amd64.deb"
ARM12 = "saltern-agent_0.1.0-1~deb12_arm64.deb"
EL311 = "saltern-agent-0.1.0-1.el9.py311.x86_64.rpm"
EL312 = "saltern-agent-0.1.0-1.el9.py312.x86_64.rpm"
ALL = (DEB12, DEB13, ARM12, EL311, EL312)
ROCKY_9 = System(
    kernel="Linux",
    machine="x86_64",
    id="rocky",
    like=("rhel", "centos", "fedora"),
    release="9.4",
    pretty="Rocky Linux 9.4 (Blue Onyx)",
    pythons=("3.12",),
)


def chosen(system: System, *names: str) -> str:
    packages = [one for one in map(read_package, map(Path, names)) if one is not None]
    assert len(packages) == len(names)
    found = choose(packages, system)
    return found if isinstance(found, str) else found.name


@pytest.mark.parametrize(
    ("system", "name"),
    [
        pytest.param(DEBIAN_12, DEB12, id="Debian 12"),
        pytest.param(replace(DEBIAN_12, release="13"), DEB13, id="Debian 13"),
        pytest.param(replace(DEBIAN_12, machine="aarch64"), ARM12, id="Debian 12 on ARM"),
        pytest.param(ROCKY_9, EL312, id="of the RHEL family, with Python 3.12"),
        pytest.param(replace(ROCKY_9, pythons=("3.11",)), EL311, id="with Python 3.11"),
        pytest.param(replace(ROCKY_9, id="rhel", like=("fedora",)), EL312, id="RHEL itself"),
    ],
)
def test_a_machine_gets_the_package_that_was_made_for_it(system: System, name: str) -> None:
    assert {chosen(system, *some) for some in itertools.permutations(ALL)} == {name}


@pytest.mark.parametrize(
    "system",
    [
        pytest.param(replace(DEBIAN_12, release="11"), id="an older Debian"),
        pytest.param(replace(DEBIAN_12, release=""), id="a Debian without a release"),
        pytest.param(replace(DEBIAN_12, id="ubuntu", like=("debian",)), id="a derivative"),
        pytest.param(replace(DEBIAN_12, machine="riscv64"), id="another machine"),
        pytest.param(replace(ROCKY_9, release="8.10"), id="an older one of the family"),
        pytest.param(replace(ROCKY_9, id="fedora", like=()), id="Fedora has its own releases"),
        pytest.param(replace(ROCKY_9, machine="aarch64"), id="no rpm for ARM"),
        pytest.param(System(kernel="Linux", machine="x86_64", id="alpine"), id="neither"),
        pytest.param(System(), id="nothing known"),
    ],
)
def test_a_machine_that_none_is_for_is_told_what_there_is(system: System) -> None:
    why = chosen(system, *ALL)

    assert "no package of the agent is for that" in why
    assert DEB13 in why


@pytest.mark.parametrize(
    "rising",
    [
        ("0.1.0-1~deb12", "0.1.0-2~deb12", "0.1.1-1~deb12", "0.2.0-1~deb12", "0.10.0-1~deb12"),
        ("1.0~rc1-1~deb12", "1.0~rc2-1~deb12", "1.0-1~deb12", "1.0.1-1~deb12", "1.10-1~deb12"),
    ],
)
def test_the_newest_is_taken(rising: tuple[str, ...]) -> None:
    assert [order(one) for one in rising] == sorted(order(one) for one in rising)
    names = [f"saltern-agent_{one}_amd64.deb" for one in rising]
    for some in itertools.permutations(names, 3):
        assert chosen(DEBIAN_12, *some) == max(some, key=names.index)


def test_what_it_is_for_is_no_part_of_a_version() -> None:
    assert len({order(f"0.1.0-1{end}") for end in ("~deb12", "~deb13", ".el9.py311", "")}) == 1


@pytest.mark.parametrize(
    "name",
    [
        "saltern-master_0.1.0-1~deb12_amd64.deb",
        "saltern-agent_0.1.0-1_amd64.deb",
        "saltern-agent_0.1.0-1~deb12_amd64.deb.part",
        "saltern-agent_0.1.0-1~deb12_amd64.deb\n",
        "saltern-agent-0.1.0-1.el9.x86_64.rpm",
        "saltern_agent-0.1.0-py3-none-any.whl",
        "",
    ],
)
def test_what_is_no_package_of_the_agent_is_none(name: str) -> None:
    assert read_package(Path(name)) is None


@pytest.mark.parametrize(
    ("word", "machine"),
    [
        ("w1", Machine("w1", "w1")),
        ("root@w1", Machine("w1", "root@w1")),
        ("w1=root@10.9.0.21", Machine("w1", "root@10.9.0.21")),
        ("w1=10.9.0.21", Machine("w1", "10.9.0.21")),
        ("w6=::1", Machine("w6", "::1")),
        ("w6=fe80::1%eth0", Machine("w6", "fe80::1%eth0")),
        ("w1=W1.Example.ORG", Machine("w1", "W1.Example.ORG")),
        ("w1.example.org", Machine("w1.example.org", "w1.example.org")),
    ],
)
def test_a_machine_is_read_as_it_is_written(word: str, machine: Machine) -> None:
    assert read_machines([word]) == (machine,)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("-oProxyCommand", "no machine can be called so"),
        ("-oProxyCommand=x", "can be no node's name"),
        ("w1=-oProxyCommand", "no machine can be called so"),
        ("w1=-l@host", "no machine can be called so"),
        ("root@-x", "no machine can be called so"),
        ("-root@w1", "no machine can be called so"),
        ("w1 w2", "no machine can be called so"),
        ("w1;reboot", "no machine can be called so"),
        ("w1=host\n", "no machine can be called so"),
        ("", "no machine can be called so"),
        ("w1=", "no machine can be called so"),
        ("$(reboot)", "no machine can be called so"),
        ("10.9.0.21", "NAME=10.9.0.21"),
        ("root@10.9.0.21", "NAME=root@10.9.0.21"),
        ("W1", "can be no node's name"),
        ("w_1", "can be no node's name"),
        ("-w1=host", "can be no node's name"),
    ],
)
def test_what_is_no_machine_is_refused_with_what_to_write(word: str, said: str) -> None:
    with pytest.raises(HostsError, match="cannot add these machines") as caught:
        read_machines(["w9", word])
    assert said in str(caught.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(HostsError) as caught:
        read_machines(["w1", "-x", "10.9.0.1", "w2=root@w1", "w1=other", "w3=root@w1"])

    faults = str(caught.value).splitlines()[1:]
    assert len(faults) == 4
    assert faults[2:] == ["  node w1 is named twice", "  machine root@w1 is named twice"]


@given(st.text(max_size=40))
@example("-")
@example("a=-")
@example("=")
@example("@")
def test_nothing_that_is_taken_is_an_option_or_two_words(text: str) -> None:
    try:
        (machine,) = read_machines([text])
    except HostsError:
        return
    assert HOST.match(machine.host.rpartition("@")[2])
    assert not machine.host.startswith("-")
    assert not machine.name.startswith("-")
    assert machine.host.isascii()
    assert machine.host.isprintable()
    assert " " not in machine.host
