"""What the running master's things look like: golden tables, times, exit statuses. All pure."""

from __future__ import annotations

from datetime import timedelta, timezone
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from saltern_master.api.service import (
    AlarmView,
    ClusterView,
    FindingView,
    HindranceView,
    NodeView,
    PartView,
    Result,
    TokenView,
    TurnNode,
    TurnView,
)
from saltern_master.cli.following import status_of as turn_status
from saltern_master.cli.listing import Output, in_json
from saltern_master.cli.moments import SpanError, ago, iso, moment, span
from saltern_master.cli.status import status_of as cluster_status
from saltern_master.cli.tables import (
    alarm_lines,
    cluster_lines,
    node_lines,
    node_page,
    standing_line,
    summary_line,
    token_lines,
    turn_lines,
)

GOLDEN = Path(__file__).parents[1] / "golden/cli"
NOW = 1_800_000_000.0
ZONE = timezone(timedelta(hours=1))
W1 = NodeView(
    name="w1",
    node_class="worker",
    state="joined",
    fingerprint="SHA256:abc",
    incarnation="0" * 32,
    connected=True,
    seen_at=NOW - 3,
    health="converged",
    version=4,
    wanted=4,
    release="0.1.0",
    address="10.9.0.21",
    pods="10.10.1.0/24",
    roles=("worker",),
    facts={"mtu": 1500, "iptablesBackend": "nft"},
    facts_now={"mtu": 9000},
    load=0.25,
    memory_kib=2048 * 1024,
    disk_kib=9 * 1024 * 1024,
)
AILING = replace(
    W1,
    parts=(
        PartView(name="disk", state="degraded", why="9 % of the bytes are free", since=NOW - 90),
        PartView(name="docker", state="good", why="", since=NOW - 7300),
        PartView(name="kubelet", state="bad", why="\x1b[31mit does not answer", since=NOW - 125),
    ),
    findings=(
        FindingView(trap="swap-on", what="2 GiB of swap", remedy="run: swapoff -a", bad=True),
    ),
)
CP1 = NodeView(
    name="cp1",
    node_class="control-plane",
    state="joined",
    fingerprint="SHA256:def",
    seen_at=NOW - 125,
    health="drifted",
    version=3,
    wanted=4,
    drift=2,
)
W2 = NodeView(name="w2", node_class="worker", state="pending", fingerprint="SHA256:ghi")
CLUSTER = ClusterView(
    cluster="demo",
    revision=7,
    version="1.20.2",
    nodes=(CP1, AILING, W2),
    kubernetes={"ready": "3 of 3 nodes"},
    front={"messages": 12},
)
TURN = TurnView(
    turn=9,
    revision=7,
    began=NOW - 12.5,
    ended=NOW,
    notes=(),
    nodes=(
        TurnNode(node="cp1", result="changed", version=4, changes=31, seconds=12.5),
        TurnNode(
            node="w1",
            result="failed",
            version=4,
            changes=1,
            seconds=2.0,
            why="1 resource failed",
            hindrances=(
                HindranceView(resource="kubelet/unit", outcome="failed", why="\x1b[31mno"),
            ),
        ),
        TurnNode(node="w2", result="unreachable", why="not seen since it was revoked"),
    ),
)
TOKEN = TokenView(
    id="0123456789ab",
    node="w3",
    node_class="worker",
    expires=NOW + 3600,
    used=False,
    approval=True,
)

ALARMS = (
    AlarmView(
        kind="ahead", node="w1", since=NOW - 125, why="it has \x1b[2Jdocument 9", remedy="apply it"
    ),
    AlarmView(kind="descriptors", node="", since=NOW, why="91 % are open", remedy="raise it"),
)

PAGES = {
    "alarms": alarm_lines(ALARMS, NOW),
    "status": cluster_lines(CLUSTER, NOW, Output.TABLE),
    "status-wide": cluster_lines(CLUSTER, NOW, Output.WIDE),
    "status-empty": cluster_lines(
        ClusterView(cluster="demo", revision=0, version="", nodes=()), NOW, Output.TABLE
    ),
    "node": node_page(AILING, NOW, ZONE),
    "tokens": token_lines([TOKEN], NOW, ZONE),
    "turn": [*turn_lines(TURN), summary_line(TURN)],
    "progress": [standing_line(one) for one in TURN.nodes],
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_looks_as_it_was_agreed(name: str) -> None:
    expected = (GOLDEN / f"{name}.txt").read_text()

    assert "\n".join([*PAGES[name], ""]) == expected


def test_nothing_from_outside_reaches_the_terminal_raw() -> None:
    assert not any("\x1b" in line for page in PAGES.values() for line in page)


def test_a_fact_whose_name_moves_the_terminal_is_shown_and_does_not() -> None:
    moves = "\x1b[2J\x7f\x9b\u202e\U000e0001\r"
    one = replace(W1, release=moves, facts={moves: moves})
    shown = "\n".join(node_page(one, NOW, ZONE)) + in_json(msgspec.json.encode(one))

    assert all(letter.isprintable() or letter == "\n" for letter in shown)
    assert msgspec.json.decode(in_json(msgspec.json.encode(one)), type=NodeView) == one


@pytest.mark.parametrize(
    ("at", "told"),
    [
        (NOW, "0 s ago"),
        (NOW - 3.9, "3 s ago"),
        (NOW - 60, "1 min ago"),
        (NOW - 7300, "2 h ago"),
        (NOW - 200_000, "2 d ago"),
        (NOW + 58.1, "in 59 s"),
        (NOW + 3599.9, "in 1 h"),
        (0, ""),
    ],
)
def test_how_long_ago(at: float, told: str) -> None:
    assert ago(at, NOW) == told


def test_a_node_that_is_away_is_not_shown_as_what_it_was() -> None:
    gone = replace(W1, connected=False)
    hangs = replace(gone, health="not working")
    shown = [line.split()[3] for line in node_lines([gone, hangs, W1], NOW, Output.TABLE)[1:]]

    assert shown == ["away", "not", "converged"]
    assert any("away; converged when it was heard" in one for one in node_page(gone, NOW, ZONE))


def test_a_moment_is_local_and_relative() -> None:
    assert iso(NOW, ZONE) == "2027-01-15T09:00:00+01:00"
    assert moment(NOW - 3, NOW, ZONE) == "2027-01-15T08:59:57+01:00 (3 s ago)"
    assert moment(0, NOW, ZONE) == ""


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("12h", 43200), ("2d", 172_800)]
)
def test_a_span_is_read(text: str, seconds: int) -> None:
    assert span(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "10", "0h", "-1", "1w", "1 h", "1h\n", "1.5h", "9" * 10])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(SpanError, match="write such as"):
        span(text)


@pytest.mark.parametrize(
    ("results", "ended", "status"),
    [
        (["converged", "changed"], 1.0, 0),
        ([], 1.0, 0),
        (["converged", "waiting"], 0.0, 3),
        (["converged", "unreachable"], 1.0, 3),
        (["converged", "superseded"], 1.0, 3),
        (["unreachable", "failed"], 1.0, 1),
        (["waiting", "blocked"], 0.0, 1),
        (["refused"], 1.0, 1),
        (["expired"], 1.0, 1),
    ],
)
def test_what_a_turn_means(results: list[Result], ended: float, status: int) -> None:
    nodes = tuple(TurnNode(node=str(at), result=one) for at, one in enumerate(results))
    turn = TurnView(turn=1, revision=1, began=0.5, ended=ended, notes=(), nodes=nodes)

    assert turn_status(turn) == status


@pytest.mark.parametrize(
    ("nodes", "status"),
    [((W1,), 0), ((W1, W2), 0), ((), 0), ((W1, CP1), 1)],
    ids=["well", "one pending", "none", "one drifted"],
)
def test_what_a_clusters_state_means(nodes: tuple[NodeView, ...], status: int) -> None:
    view = ClusterView(cluster="demo", revision=1, version="1.20.2", nodes=nodes)

    assert cluster_status(view) == status


def test_an_alarm_is_not_well_even_where_every_node_is() -> None:
    view = ClusterView(cluster="demo", revision=1, version="", nodes=(W1,), alarms=ALARMS[:1])

    assert cluster_status(view) == 1
    assert alarm_lines((), NOW) == []
