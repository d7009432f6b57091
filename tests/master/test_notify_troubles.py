"""What core knows -> what is wrong: each row begins and ends with what it is derived from."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from saltern_master.api.rollouts import RolloutView
from saltern_master.api.service import AlarmView, ClusterView, DriftView, HeldView, NodeView
from saltern_master.notify.model import Looked
from saltern_master.notify.troubles import After, Known, look

NOW = 1_800_000_000.0
AFTER = After(drift=600, away=300)
W1 = NodeView(
    name="w1", node_class="worker", state="joined", fingerprint="", connected=True, seen_at=NOW
)
AWAY = replace(W1, connected=False, seen_at=NOW - 300)
DRIFT = DriftView(
    id="w1:4",
    node="w1",
    number=4,
    resource="file.a",
    kind="file/1",
    since=NOW - 700,
    recorded=NOW - 700,
    stored=NOW - 600,
    seen="event",
    found=(),
)
DONE = RolloutView(
    rollout=3,
    revision=2,
    before=1,
    phase="done",
    wave=0,
    waves=1,
    began=NOW - 100,
    ended=NOW - 5,
    stages={"done": 3},
)


def looked(*drift: DriftView, node: NodeView = W1, alarm: AlarmView | None = None) -> Looked:
    cluster = ClusterView(
        cluster="demo",
        revision=1,
        version="",
        nodes=(node,),
        alarms=(alarm,) if alarm is not None else (),
    )
    return look(Known(cluster=cluster, drift=drift), AFTER, NOW)


WELL: dict[str, Looked] = {
    "nothing": looked(),
    "young drift": looked(replace(DRIFT, stored=NOW - 599)),
    "drift of a node that is held": looked(
        replace(DRIFT, nature="intended"),
        node=replace(W1, hold=HeldView(until=NOW + 60, why="a disk", by="ann", in_force=True)),
    ),
    "a node that is away for a moment": looked(node=replace(AWAY, seen_at=NOW - 299)),
    "a node that never came": looked(node=replace(AWAY, seen_at=0.0)),
    "a node that was revoked": looked(node=replace(AWAY, state="revoked")),
    "a node that waits for approval": looked(node=replace(AWAY, state="pending")),
}


@pytest.mark.parametrize("name", WELL)
def test_what_is_well(name: str) -> None:
    assert WELL[name].troubles == ()


def test_drift_that_stays_is_one_trouble_of_its_node() -> None:
    more = [
        replace(DRIFT, id=f"w1:{n}", number=n, resource=f"file.{n}", since=NOW - n)
        for n in range(20, 26)
    ]
    (one,) = looked(DRIFT, *more).troubles

    assert one.name == ("drift", "", "w1", "")
    assert one.since == NOW - 700
    assert one.why == (
        "not as declared for long: file.a, file.25, file.24, file.23, file.22 and 2 more"
    )
    assert one.remedy == "saltern drift explain w1:4"


def test_what_a_node_calls_intended_is_told_where_nothing_holds_it() -> None:
    (one,) = looked(replace(DRIFT, nature="intended")).troubles

    assert one.name == ("drift", "", "w1", "")


def test_why_drift_is_not_set_right_is_told() -> None:
    (one,) = looked(replace(DRIFT, hindrance="held until noon")).troubles

    assert one.why.endswith("file.a; held until noon")


def test_each_drift_of_a_node_is_told_with_its_own_reason() -> None:
    motd = replace(DRIFT, resource="motd", hindrance="its policy is to report")
    issue = replace(DRIFT, resource="issue", number=5, since=NOW - 690, hindrance="a fight")
    free = replace(DRIFT, resource="free", number=6, since=NOW - 680)
    (one,) = looked(motd, issue, free).troubles
    (alike,) = looked(motd, replace(issue, hindrance=motd.hindrance)).troubles

    assert one.why == (
        "not as declared for long: motd, issue, free; motd: its policy is to report; issue: a fight"
    )
    assert alike.why == "not as declared for long: motd, issue; its policy is to report"


@pytest.mark.parametrize(
    ("after", "said"), [(30, "30 s"), (90, "90 s"), (300, "5 min"), (7200, "2 h"), (0, "0 s")]
)
def test_how_long_is_said_with_its_unit(after: float, said: str) -> None:
    cluster = ClusterView(cluster="demo", revision=1, version="", nodes=(AWAY,))
    (one,) = look(Known(cluster=cluster), After(away=after), NOW + 7200).troubles

    assert f"was not heard for {said} or longer" in one.why


def test_a_node_that_is_not_heard_for_long() -> None:
    found = looked(node=AWAY)

    assert [one.name for one in found.troubles] == [("away", "", "w1", "")]
    assert found.troubles[0].since == AWAY.seen_at
    assert found.unsure == {"w1"}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("locked", ("alarm", "locked", "w1", "")),
        ("fight", ("incident", "", "w1", "file.a")),
        ("part-bad", ("part", "", "w1", "")),
        ("rollout-stopped", ("rollout", "stopped", "", "")),
    ],
)
def test_alarms_are_told_by_what_they_are(kind: str, name: tuple[str, str, str, str]) -> None:
    alarm = AlarmView(
        kind=kind, node=name[2], since=NOW, why="why", remedy="remedy", resource=name[3]
    )
    (one,) = looked(alarm=alarm).troubles

    assert one.name == name
    assert (one.since, one.why, one.remedy) == (NOW, "why", "remedy")
    assert one.personal == (kind == "part-bad")


@pytest.mark.parametrize(
    ("rollout", "told"),
    [
        (replace(DONE, phase="running", ended=0.0), []),
        (DONE, [("done", "3")]),
        (replace(DONE, phase="aborted", why="by ann"), [("aborted", "3")]),
        (replace(DONE, phase="aborted", undone_by=4), []),
        (replace(DONE, rollout=4, undoes=3), [("undone", "4")]),
    ],
)
def test_ends_of_rollouts(rollout: RolloutView, told: list[tuple[str, str]]) -> None:
    cluster = ClusterView(cluster="demo", revision=1, version="", nodes=())
    found = look(Known(cluster=cluster, rollouts=(rollout,)), AFTER, NOW)

    assert [(one.word, one.subject) for one in found.happened] == told
