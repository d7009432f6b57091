"""Metrics: each number is what the scene says, Prometheus can read it, and all is documented."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as read_open,
)
from prometheus_client.parser import text_string_to_metric_families as read_plain
from saltern_master.api.measures import OPEN, PLAIN
from saltern_master.api.rollouts import RolloutView
from saltern_master.api.service import (
    AlarmView,
    ClusterView,
    DriftView,
    HeldView,
    NodeView,
    PartView,
)
from saltern_master.metrics.families import FAMILIES
from saltern_master.metrics.measure import measure
from saltern_master.metrics.scene import Scene
from saltern_master.metrics.tally import DETECT, Tally
from saltern_master.metrics.text import exposition
from saltern_master.pki.issue import Issued
from saltern_master.records.certificates import Certified
from saltern_protocol.condition import PARTS as KNOWN_PARTS

from tests.house.tree import ROOT

NOW = 1_800_000_000.0
PAGE = ROOT / "docs/reference/metrics.md"
PROCESS = {  # by prometheus-client itself
    "process_virtual_memory_bytes",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_max_fds",
}


def node(name: str, **fields: object) -> NodeView:
    usual: dict[str, object] = {"node_class": "worker", "state": "joined", "fingerprint": ""}
    return NodeView(name=name, **(usual | fields))  # type: ignore[arg-type]


def drift(name: str, number: int = 1, **fields: object) -> DriftView:
    usual: dict[str, object] = {
        "node": name,
        "number": number,
        "resource": f"file.{number}",
        "kind": "file/1",
        "since": NOW - 100,
        "recorded": NOW - 99.98,
        "stored": NOW - 99.9,
        "seen": "event",
        "found": (),
    }
    return DriftView(**(usual | fields))  # type: ignore[arg-type]


def issued(resource: str) -> Issued:
    return Issued(
        resource=resource,
        path="/etc/kubernetes/pki/kubelet.crt",
        issuer="kubernetes",
        common_name="system:node:w1",
        organizations=(),
        usages=(),
        serial="1",
        not_before=1,
        not_after=int(NOW) + 3600,
    )


def told(**fields: object) -> Tally:
    tally = Tally()
    for one in (drift("w1", 1, **fields), drift("w1", 2, nature="intended")):
        tally.drift(one)
    return tally


PARTS = (
    PartView(name="docker", state="bad", why="it does not answer", since=NOW),
    PartView(name="kubelet", state="good", why="", since=NOW),
)
HOLD = HeldView(until=NOW + 60, why="a new disk", by="ann", in_force=False)
NODES = (
    node("w1", connected=True, seen_at=NOW, version=3, wanted=4, release="0.1.0", parts=PARTS),
    node("w2", seen_at=NOW - 60, version=4, wanted=4, hold=HOLD),
    node("w3", state="pending"),
    node("w4", state="revoked"),
    node("w5", state="locked"),
)
ALARMS = (
    AlarmView(kind="locked", node="w5", since=NOW, why="", remedy=""),
    AlarmView(kind="clock", node="w1", since=NOW, why="", remedy=""),
    AlarmView(kind="clock", node="w2", since=NOW, why="", remedy=""),
)
ROLLOUT = RolloutView(
    rollout=7,
    revision=2,
    before=1,
    phase="stopped",
    wave=0,
    waves=1,
    began=NOW,
    stages={"done": 3, "failed": 1},
)
FRONT = {
    "messages": 10,
    "bytes_in": 100,
    "bytes_out": 200,
    "refused": 1,
    "malformed": 2,
    "dropped": 3,
    "cpu_us": 1_500_000,
    "peers": 2,
    "descriptors_percent": 25,
}


def full() -> Scene:
    tally = told()
    tally.drift(drift("w1", 2, nature="intended", incident=True))
    tally.drift(drift("w1", 1, healed=NOW - 98, outcome="healed"))
    tally.message("Health", "in")
    tally.message("Health", "in")
    tally.message("Beat", "out")
    tally.tried("ops", "delivered")
    return Scene(
        now=NOW,
        release="0.1.0",
        cluster=ClusterView(
            cluster="demo",
            revision=2,
            version="1.20.2",
            nodes=NODES,
            kubernetes={"api": "ready"},
            front=FRONT,
            alarms=ALARMS,
        ),
        drift=(
            drift("w1", 2, incident=True),
            drift("w2", 3, kind="what a node says/9", since=NOW - 500),
        ),
        rollout=ROLLOUT,
        certificates=(
            Certified(node="w1", issued=issued("kubelet-certificate")),
            Certified(node="gone", issued=issued("kubelet-certificate")),
        ),
        ends={"root": NOW + 10, "policy": NOW + 5},
        unheard={"of no node": 2, "failed Heard": 1, "failed Knock": 1, "unwritten": 4},
        waiting={"ops": 3},
        counts=tally.counts,
    )


Values = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]


def numbers(scene: Scene, accept: str = "") -> Values:
    """Give what a Prometheus reads of a scene: by name and labels."""
    data, media = exposition(measure(scene), accept)
    families = list((read_open if media == OPEN else read_plain)(data.decode()))
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def at(values: Values, name: str, **labels: str) -> float | None:
    return values.get((f"saltern_{name}", tuple(sorted(labels.items()))))


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text;version=1.0.0,*/*;q=0.1"])
def test_the_text_says_what_the_scene_does(accept: str) -> None:
    found = numbers(full(), accept)

    assert at(found, "build_info", version="0.1.0") == 1
    assert at(found, "revision") == 2
    assert at(found, "kubernetes_ready", server="api") == 1
    states = ("connected", "away", "pending", "revoked", "locked", "removing")
    assert [at(found, "agents", state=one) for one in states] == [1, 1, 1, 1, 1, 0]
    assert at(found, "document_behind", node="w1") == 1
    assert at(found, "document_behind", node="w2") == 0
    assert at(found, "part_state", node="w1", part="docker", state="bad") == 1
    assert at(found, "part_state", node="w1", part="kubelet", state="good") is None
    assert at(found, "parts", part="kubelet", state="good") == 1
    assert at(found, "node_connected", node="w3") is None
    assert [at(found, "node_held", node=one) for one in ("w1", "w2", "w3")] == [0, 1, None]
    assert at(found, "drift_open", node="w1", kind="file") == 1
    assert at(found, "drift_open", node="w2", kind="other") == 1
    assert at(found, "drift_oldest_age_seconds") == 500
    assert at(found, "drift_incidents", node="w1") == 1
    assert at(found, "drift_total", nature="external") == 1
    assert at(found, "drift_total", nature="intended") == 1
    assert at(found, "drift_fights_total") == 1
    assert at(found, "drift_heal_seconds_count") == 1
    assert at(found, "drift_heal_seconds_sum") == pytest.approx(2)
    assert at(found, "drift_heal_seconds_bucket", le="1.0") == 0
    assert at(found, "drift_heal_seconds_bucket", le="2.0") == 1
    assert at(found, "drift_detect_seconds_bucket", to="record", le="0.01") == 0
    assert at(found, "drift_detect_seconds_bucket", to="record", le="0.025") == 2
    assert at(found, "drift_detect_seconds_count", to="store") == 2
    assert at(found, "alarms", kind="clock") == 2
    assert at(found, "rollout", phase="stopped") == 1
    assert at(found, "rollout", phase="running") == 0
    assert at(found, "rollout_nodes", state="failed") == 1
    name = {"node": "w1", "certificate": "kubelet-certificate"}
    assert at(found, "certificate_expiry_timestamp_seconds", **name) == NOW + 3600
    gone = name | {"node": "gone"}
    assert at(found, "certificate_expiry_timestamp_seconds", **gone) is None
    assert at(found, "trust_expiry_timestamp_seconds", of="policy") == NOW + 5
    assert at(found, "messages_total", type="Health", direction="in") == 2
    assert at(found, "messages_unheard_total", why="failed") == 2
    assert at(found, "front_cpu_seconds_total") == 1.5
    assert at(found, "front_descriptors_ratio") == 0.25
    assert at(found, "notify_waiting", receiver="ops") == 3
    assert at(found, "notify_tries_total", receiver="ops", result="delivered") == 1


def test_a_master_with_nothing_can_be_read_too() -> None:
    empty = ClusterView(cluster="demo", revision=0, version="", nodes=())
    found = numbers(Scene(now=NOW, release="0", cluster=empty), OPEN)

    assert at(found, "drift_oldest_age_seconds") == 0
    assert at(found, "rollout_number") == 0
    assert at(found, "drift_heal_seconds_count") == 0


def test_what_a_node_is_called_cannot_break_the_text() -> None:
    odd = node('a"b\\c\nd', release='x"} 1\nsaltern_up 1')
    scene = Scene(
        now=NOW, release="0", cluster=ClusterView(cluster="", revision=0, version="", nodes=(odd,))
    )

    for accept in ("", OPEN):
        found = numbers(scene, accept)
        assert at(found, "node_connected", node=odd.name) == 0
        assert at(found, "up") is None


def test_parts_that_no_release_knows_are_one_label() -> None:
    names = ("docker", "x1", "x2", "x3")
    parts = tuple(PartView(name=one, state="bad", why="", since=NOW) for one in names)
    cluster = ClusterView(cluster="", revision=0, version="", nodes=(node("w1", parts=parts),))
    found = numbers(Scene(now=NOW, release="0", cluster=cluster), OPEN)

    page = (ROOT / "docs/explanation/health.md").read_text()
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == KNOWN_PARTS
    told = [dict(labels)["part"] for name, labels in found if name == "saltern_part_state"]
    assert sorted(told) == ["docker", "other"]
    assert at(found, "parts", part="other", state="bad") == 3


def test_forms_are_as_accepted() -> None:
    scene = full()

    assert exposition(measure(scene), "text/plain")[1] == PLAIN
    assert exposition(measure(scene), "text/html, */*")[1] == PLAIN
    assert exposition(measure(scene), "Application/OpenMetrics-Text; q=0.5")[1] == OPEN
    assert exposition(measure(scene), OPEN)[0].endswith(b"# EOF\n")


def test_all_families_are_told_and_no_others() -> None:
    data, _ = exposition(measure(full()))
    found: dict[str, Metric] = {one.name: one for one in read_plain(data.decode())}
    names = {one.name.removesuffix("_total"): one for one in FAMILIES}

    # the parser names counters without their ending, and process_* are the library's
    others = {one.removesuffix("_total") for one in PROCESS}
    assert {one.removesuffix("_total") for one in found} == names.keys() | others
    for name, family in names.items():
        one = found[name]
        assert (one.type, one.documentation) == (family.type, family.meaning)
        labels = {label for sample in one.samples for label in sample.labels} - {"le"}
        assert labels == (set(family.labels) if one.samples else set()), name


def rows(page: Path) -> dict[str, tuple[str, str, str]]:
    """Give the rows of the page's tables: name -> type, labels, meaning."""
    pattern = r"^\| `([a-z_]+)` \| (\w+) \| ([^|]*) \| ([^|]*) \|$"
    found = re.findall(pattern, page.read_text(), re.MULTILINE)
    return {name: (kind, labels, meaning) for name, kind, labels, meaning in found}


def test_the_page_tells_what_the_code_does() -> None:
    found = rows(PAGE)

    for one in FAMILIES:
        labels = ", ".join(f"`{label}`" for label in one.labels)
        assert found[one.name] == (one.type, labels, one.meaning), one.name
    assert found.keys() == {one.name for one in FAMILIES} | PROCESS


def test_a_drift_counts_once() -> None:
    tally = Tally()
    for _ in range(3):
        tally.drift(drift("w1"))
        tally.drift(drift("w1", incident=True))
    tally.drift(drift("w1", healed=NOW, outcome="healed"))
    tally.drift(drift("w1", healed=NOW, outcome="healed; it took 3 tries", number=9))

    assert (tally.counts.natures, tally.counts.fights) == ({"external": 1}, 1)
    assert sum(tally.counts.heal.counts) == 2  # the other one began before


def test_what_was_open_when_core_began_does_not_count_as_new() -> None:
    tally = Tally()
    tally.know([drift("w1", incident=True)])
    tally.drift(drift("w1", incident=True))

    assert (tally.counts.natures, tally.counts.fights) == ({}, 0)
    tally.drift(drift("w1", 2, resource="file.1"))  # the end of the first was never told
    assert tally.counts.natures == {"external": 1}


@pytest.mark.parametrize("outcome", ["went away by itself", "no longer declared", "node removed"])
def test_only_what_was_set_right_heals(outcome: str) -> None:
    tally = Tally()
    tally.drift(drift("w1", healed=NOW, outcome=outcome))

    assert sum(tally.counts.heal.counts) == 0


def test_a_clock_that_is_ahead_gives_no_negative_time() -> None:
    tally = told(since=NOW, recorded=NOW, stored=NOW - 5)

    assert tally.counts.to_store.counts[0] == 1
    assert tally.counts.to_store.sum == pytest.approx(0.1)
    assert len(tally.counts.to_store.counts) == len(DETECT) + 1
