"""Each trap is named on a node that has it, and not on its healthy neighbour."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_agent.doctor.declared import OF_PODS, declared
from saltern_agent.doctor.kubernetes import DAY
from saltern_agent.doctor.show import show_findings
from saltern_agent.doctor.surroundings import (
    Declared,
    Ending,
    Inotify,
    Room,
    Surroundings,
)
from saltern_agent.doctor.traps import TRAPS, findings
from saltern_master.cluster.load import load
from saltern_master.compile.allocation import Allocation
from saltern_master.compile.cluster import compile_cluster
from saltern_protocol.condition import MAX_FINDINGS, Finding
from saltern_states.body import Body

from tests.agent.doctor_nodes import (
    CASES,
    HEALTHY,
    NEIGHBOURS,
    NOW,
    link,
    route,
    with_link,
)
from tests.master.clusters import CONTROLLED, PKI, STOCK

BODIES = {
    one.node.name: one.body
    for one in compile_cluster(load(CONTROLLED.encode()), {}, Allocation(), STOCK, PKI).nodes
}


@pytest.mark.parametrize(("trap", "seen", "words"), CASES, ids=[f"{c[0]}-{c[2]}" for c in CASES])
def test_it_is_named_with_its_remedy(trap: str, seen: Surroundings, words: str) -> None:
    found = findings(seen)
    assert {one.trap for one in found} == {trap}
    assert any(words in one.what for one in found), found
    assert all(one.remedy for one in found)


@pytest.mark.parametrize(("name", "seen"), NEIGHBOURS, ids=[name for name, _ in NEIGHBOURS])
def test_its_healthy_neighbour_has_none(name: str, seen: Surroundings) -> None:
    assert findings(seen) == ()


def test_each_trap_has_a_case() -> None:
    assert {one.name for one in TRAPS} == {trap for trap, _, _ in CASES}


def test_no_two_traps_have_one_name() -> None:
    assert len({one.name for one in TRAPS}) == len(TRAPS)


@given(
    octet=st.integers(11, 250),
    bits=st.integers(9, 30),
    free=st.floats(10, 100),
    used=st.integers(0, 96),
    days=st.floats(60, 365),
    kernel=st.tuples(st.integers(4, 9), st.integers(0, 30)),
    veths=st.integers(0, 40),
)
def test_a_healthy_node_has_none_however_it_is_built(
    octet: int,
    bits: int,
    free: float,
    used: int,
    days: float,
    kernel: tuple[int, int],
    veths: int,
) -> None:
    seen = replace(
        with_link(
            link("eth1", f"{octet}.200.0.1/{bits}"), *(link(f"veth{at}") for at in range(veths))
        ),
        rooms=(Room("/", free, free),),
        inotify=Inotify(128, used, 8192),
        certificates=(Ending("/etc/kubernetes/pki/kubelet.crt", NOW, NOW + days * DAY),),
        kernel=kernel,
    )
    assert findings(seen) == ()


def test_there_are_never_more_than_a_message_carries() -> None:
    routes = tuple(route(f"10.10.{at}.0/24", "10.9.0.9") for at in range(256))
    unseen = tuple(f"thing {at}: no" for at in range(200))
    found = findings(replace(HEALTHY, routes=routes, unseen=unseen, swaps=("/x",)))
    assert len(found) <= MAX_FINDINGS
    assert [one.bad for one in found] == sorted((one.bad for one in found), reverse=True)


@pytest.mark.parametrize("name", ["cp1", "w1"])
def test_what_the_compiled_body_declares(name: str) -> None:
    said = declared(BODIES[name])
    assert said.there
    assert said.kubernetes
    assert (said.version, said.node, said.pods) == ("1.20.2", name, "10.10.0.0/16")
    assert said.own_pods in {"10.10.0.0/24", "10.10.1.0/24", "10.10.2.0/24"}
    assert (said.endpoint, said.backend) == ("10.9.0.11", "nft")
    assert said.bridges == {"cbr0"}
    assert said.services == ("10.0.0.0/16" if name == "cp1" else "")
    assert said.routed
    assert "169.254.169.254/32" in said.destinations
    assert {"net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables"} <= said.sysctls
    assert "br_netfilter" in said.modules
    assert {"conntrack", "docker.io", "socat"} <= said.packages
    assert (said.lets_through, said.swap, said.manifests) == (True, True, True)
    assert not said.failing_swap  # CONTROLLED says failSwapOn: false
    assert "/etc/kubernetes/pki/ca.crt" in said.paths
    assert any("kubelet" in path for path in said.certificates)
    of_pods = {port for ports in OF_PODS.values() for port in ports} if name == "cp1" else set()
    assert {need.port for need in said.needs} == {10250, 10248, 10256, 10249} | of_pods


def test_one_of_each_is_counted_as_one() -> None:
    trap = Finding(trap="swap-on", what="swap", remedy="off")
    note = Finding(trap="swap-on", what="swap", remedy="off", bad=False)
    assert list(show_findings([trap, note], True))[-1] == "1 trap, 1 note"
    assert list(show_findings([note, note], True))[-1] == "0 traps, 2 notes"


def test_no_body_declares_nothing() -> None:
    assert declared(None) == declared(Body()) == Declared()
