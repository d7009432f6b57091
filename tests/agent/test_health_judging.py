"""What is seen of a node's parts, and what that is judged to be: tables and laws."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_agent.health import judging
from saltern_agent.health.values import (
    GOOD,
    Answer,
    CertificateSeen,
    Container,
    Disk,
    Endpoint,
    Judged,
    Machine,
    Pod,
    Service,
    UnitSeen,
)
from saltern_protocol.condition import State

NOW = 1_800_000_000.0
GIB = 1 << 30
WELL = Machine(load=0.5, processors=2, memory=16 * GIB, available=8 * GIB)
ROOM = Disk(("/var/lib/saltern",), size=100 * GIB, free=50 * GIB, inodes=1000, inodes_free=900)
KUBELET = Service("kubelet", "kubelet.service", Endpoint("127.0.0.1", 10248, "/healthz"))
PROXY = Service("kube-proxy", "kube-proxy.service", not_well=State.DEGRADED)
ETCD = Service("etcd", "", Endpoint("127.0.0.1", 2381, "/health"))
ACTIVE = UnitSeen("active", "running", "success")
OK = Answer(True, True, "ok")
NOT_WELL = Answer(True, False, "500 syncloop")
SILENT = Answer(False, text="connection refused")
POD = Pod("kube-system", "etcd-cp1", ("etcd",))
HOLDER = Container(
    "kube-system", "etcd-cp1", "POD", running=True, created=int(NOW) - 900, restarts=0
)
RUNS = replace(HOLDER, name="etcd")
DAY = 86400


@pytest.mark.parametrize(
    ("seen", "state", "word"),
    [
        (WELL, State.GOOD, ""),
        (replace(WELL, available=GIB // 2), State.DEGRADED, "3 % of the memory"),
        (replace(WELL, available=GIB // 8), State.BAD, "0 % of the memory"),
        (replace(WELL, load=7.9), State.GOOD, ""),
        (replace(WELL, load=9.0), State.DEGRADED, "4 times"),
        (replace(WELL, io_pressure=35.0), State.DEGRADED, "disks 30 %"),
        (replace(WELL, memory_pressure=19.9), State.GOOD, ""),
        (replace(WELL, load=9.0, available=1), State.BAD, "0 % of the memory are available"),
    ],
)
def test_a_machine(seen: Machine, state: State, word: str) -> None:
    found = judging.machine(seen)
    assert (found.state, word in found.why) == (state, True)


@pytest.mark.parametrize(
    ("seen", "state", "why"),
    [
        (ROOM, State.GOOD, ""),
        (replace(ROOM, free=9 * GIB), State.DEGRADED, "9 % of the bytes are free"),
        (replace(ROOM, free=GIB), State.BAD, "1 % of the bytes are free"),
        (replace(ROOM, inodes_free=40), State.DEGRADED, "4 % of the inodes are free"),
        (replace(ROOM, inodes_free=0), State.BAD, "0 % of the inodes are free"),
        (replace(ROOM, inodes=0, inodes_free=0), State.GOOD, ""),  # btrfs tells none
    ],
)
def test_a_disk(seen: Disk, state: State, why: str) -> None:
    found = judging.disk([seen])
    told = f"{why} at /var/lib/saltern" if why else ""
    assert found == Judged(state, told)


def test_the_worst_disk_is_told() -> None:
    full = replace(ROOM, paths=("/var/lib/docker",), free=0)
    assert judging.disk([ROOM, full]).why == "0 % of the bytes are free at /var/lib/docker"


@pytest.mark.parametrize(
    ("synchronised", "state"),
    [(True, State.GOOD), (False, State.DEGRADED), (None, State.UNKNOWN)],
)
def test_a_clock(synchronised: bool | None, state: State) -> None:
    assert judging.clock(synchronised).state is state


@pytest.mark.parametrize(
    ("asked", "unit", "answer", "state", "sure"),
    [
        (KUBELET, ACTIVE, OK, State.GOOD, True),
        (KUBELET, UnitSeen("inactive", "dead", "success"), None, State.BAD, True),
        (KUBELET, UnitSeen("failed", "failed", "exit-code"), None, State.BAD, True),
        (KUBELET, UnitSeen("activating", "start", "success"), None, State.DEGRADED, True),
        (KUBELET, UnitSeen("activating", "auto-restart", "signal"), None, State.BAD, True),
        (KUBELET, UnitSeen(why="the bus does not answer"), None, State.UNKNOWN, False),
        (KUBELET, ACTIVE, SILENT, State.BAD, False),
        (KUBELET, ACTIVE, NOT_WELL, State.BAD, False),
        (PROXY, ACTIVE, NOT_WELL, State.DEGRADED, False),
        (PROXY, ACTIVE, SILENT, State.BAD, False),
        (PROXY, ACTIVE, None, State.GOOD, True),
        (ETCD, None, OK, State.GOOD, True),
        (ETCD, None, SILENT, State.BAD, False),
    ],
)
def test_a_service(
    asked: Service, unit: UnitSeen | None, answer: Answer | None, state: State, sure: bool
) -> None:
    found = judging.service(asked, unit, answer)
    assert (found.state, found.sure, bool(found.why)) == (state, sure, state is not State.GOOD)


def test_how_a_unit_ended_is_told() -> None:
    found = judging.service(KUBELET, UnitSeen("failed", "failed", "exit-code"), None)
    assert found.why == "kubelet.service is failed, it ended with exit-code"


@pytest.mark.parametrize(
    ("seen", "state", "why"),
    [
        ([HOLDER, RUNS], State.GOOD, ""),
        ([], State.BAD, "no container of etcd-cp1 runs"),
        ([replace(HOLDER, running=False)], State.BAD, "no container of etcd-cp1 runs"),
        ([HOLDER], State.BAD, "etcd-cp1 does not run"),
        ([replace(HOLDER, created=int(NOW) - 5)], State.DEGRADED, "etcd-cp1 is being started"),
        ([HOLDER, replace(RUNS, restarts=9)], State.GOOD, ""),
        (
            [HOLDER, replace(RUNS, restarts=3, created=int(NOW) - 30)],
            State.DEGRADED,
            "etcd-cp1 restarts again and again",
        ),
        ([replace(HOLDER, namespace="default"), replace(RUNS, pod="etcd-w1")], State.BAD, None),
        ("docker does not list its containers", State.UNKNOWN, None),
    ],
)
def test_pods(seen: list[Container] | str, state: State, why: str | None) -> None:
    found = judging.pods([POD], seen, NOW)
    assert found.state is state
    assert why is None or found.why == why


@pytest.mark.parametrize(
    ("left", "due", "state"),
    [
        (300 * DAY, -100 * DAY, State.GOOD),
        (100 * DAY, 3600, State.GOOD),  # it is asked for within the hour
        (100 * DAY, 3 * 3600, State.DEGRADED),
        (-1, 100 * DAY, State.BAD),
    ],
)
def test_certificates(left: int, due: int, state: State) -> None:
    seen = CertificateSeen("/etc/kubernetes/pki/kubelet.crt", int(NOW) + left, int(NOW) - due)
    found = judging.certificates([seen], NOW)
    assert found.state is state
    assert (seen.path in found.why) == (state is not State.GOOD)


def test_a_certificate_that_is_not_there_is_bad() -> None:
    seen = CertificateSeen("/etc/kubernetes/pki/kubelet.crt", why="no such file or directory")
    assert judging.certificates([seen], NOW).state is State.BAD


JUDGED = st.builds(Judged, st.sampled_from(list(State)), st.text(max_size=9), st.booleans())


@given(st.lists(JUDGED, max_size=6))
def test_the_worst_is_as_bad_as_any_and_no_worse(found: list[Judged]) -> None:
    told = judging.worst(found)
    states = {one.state for one in found} or {State.GOOD}
    assert told.state in states
    assert all(judging.ORDER.index(told.state) <= judging.ORDER.index(one) for one in states)
    assert told.state is not State.GOOD or told == GOOD
