"""From what core knows of its nodes to the traps that people are shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec.structs import replace as with_fields
from saltern_master.cluster.load import load
from saltern_master.core.diagnosis import diagnosis
from saltern_master.core.peer import Peer, Session
from saltern_master.records.codec import Held
from saltern_master.records.condition import Condition
from saltern_master.records.nodes import Node
from saltern_protocol.condition import Finding
from saltern_protocol.messages import Health

from tests.master.clusters import SMALL

NOW = 1_800_000_000.0
TRAP = Finding(trap="swap-on", what="swap is on: /x", remedy="swapoff -a")
FACTS = {"machineId": "a1", "mac": "02:00:00:00:00:01", "kernel": "6.1.0", "node": "w1"}
HEALTH = Health(
    at_us=int(NOW * 1e6),
    tick=1,
    state="converged",
    version=1,
    drift=0,
    load_percent=0,
    memory_kib=0,
    disk_kib=0,
)


def peer(name: str, **fields: object) -> Peer:
    facts = {**FACTS, "machineId": name, "mac": name, "node": name}
    node = Node(name=name, node_class="worker", state="joined", incarnation="0" * 32, facts=facts)
    up = Session(greeted=True)
    return Peer(held=Held(f"nodes/{name}", node, 1), session=up, **fields)  # type: ignore[arg-type]


def told(name: str, *findings: Finding, late: float = 0.0) -> Condition:
    """What a node whose clock is right told; it came so many seconds later."""
    return Condition(node=name, seen_at=NOW + late, at_us=int(NOW * 1e6), findings=findings)


def test_what_a_node_told_is_shown_with_its_age() -> None:
    peers = {"w1": peer("w1", condition=told("w1", TRAP)), "w2": peer("w2")}
    view = diagnosis(peers, (), load(SMALL.encode()).cluster, 3, NOW + 60)
    assert (view.now, view.revision, view.file, view.between) == (NOW + 60, 3, (), ())
    first, second = view.nodes
    assert (first.node, first.connected, first.told_at) == ("w1", True, NOW)
    assert [one.trap for one in first.findings] == ["swap-on"]
    assert (second.node, second.connected, second.told_at) == ("w2", True, 0.0)


def test_who_is_gone_is_not_connected_and_what_it_told_stays() -> None:
    silent = replace(peer("w2", condition=told("w2", TRAP)), session=Session())
    peers = {"w1": peer("w1", condition=told("w1", TRAP)), "w2": silent}
    view = diagnosis(peers, ("w1",), None, 0, NOW)
    assert [(one.connected, len(one.findings)) for one in view.nodes] == [(False, 1), (False, 1)]


def test_what_a_node_tells_now_stands_above_what_is_pinned() -> None:
    other = peer("w2")
    copied = with_fields(other.node, facts_now={**other.node.facts, "machineId": "w1"})
    peers = {"w1": peer("w1"), "w2": replace(other, held=Held("nodes/w2", copied, 1))}
    (found,) = diagnosis(peers, (), None, 0, NOW).between
    assert (found.finding.trap, found.nodes) == ("same-machine-id", ("w1", "w2"))


@pytest.mark.parametrize(("was", "now", "words"), [(0, -3600, "3600 s behind"), (3600, 0, "")])
def test_a_clock_that_was_set_since_a_condition_is_known_by_its_heartbeats(
    was: int, now: int, words: str
) -> None:
    condition = Condition(node="w1", seen_at=NOW - 600, at_us=int((NOW - 600 + was) * 1e6))
    health = with_fields(HEALTH, at_us=int((NOW + now) * 1e6))
    one = peer("w1", condition=condition, health=health, heard=NOW)

    found = diagnosis({"w1": one}, (), None, 0, NOW).between

    assert [words in noted.finding.what for noted in found] == ([True] if words else [])


@pytest.mark.parametrize(
    ("ahead", "late", "heard", "words"),
    [
        pytest.param(0.0, 0.0, 0.0, "", id="right"),
        pytest.param(5.0, 0.0, 0.0, "5 s ahead of", id="fast"),
        pytest.param(-70.0, 0.0, 0.0, "70 s behind", id="slow"),
        pytest.param(0.0, 90.0, 0.0, "", id="its condition waited for a paused master"),
        pytest.param(0.0, 0.0, 14.0, "", id="something else came since its heartbeat"),
    ],
)
def test_clocks(ahead: float, late: float, heard: float, words: str) -> None:
    at = int((NOW + ahead) * 1e6)
    one = peer(
        "w1",
        condition=with_fields(told("w1", late=late), at_us=at),
        health=with_fields(HEALTH, at_us=at),
        heard=NOW + heard,
    )
    found = diagnosis({"w1": one}, (), None, 0, NOW).between
    assert [one.finding.trap for one in found] == (["clock-offset"] if words else [])
    assert all(words in one.finding.what for one in found)
