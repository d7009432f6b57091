"""Storms: many changes at once lose no last state and grow nothing without bound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from saltern_agent.ledger import RETELL
from saltern_agent.noticing import REST
from saltern_agent.outbox import TableOutbox, waiting
from saltern_agent.recording import Noticed
from saltern_protocol.report import DriftEnded, DriftSeen
from saltern_states.body import DriftPolicy
from saltern_states.directory import Directory

from tests.agent.test_keeper import DAEMON, edit, hold
from tests.agent.test_outbox import Joined
from tests.agent.watching import Watching, told

CHANGES = 10_000
REPORT = DriftPolicy(mode="report")


@dataclass
class Storm:
    """Somebody writes the file again and again, each time something else."""

    node: Joined
    number: int = 0

    def __call__(self) -> None:
        self.number += 1
        edit(self.node, f"{{{self.number}")


@pytest.fixture
def node(tmp_path: Path) -> Joined:
    return Joined(tmp_path, most=50_000)


def test_ten_thousand_changes_in_a_second_cost_a_look_per_rest(node: Joined) -> None:
    node.take(hold("file", DAEMON, drift=REPORT))
    watching, storm = Watching(node), Storm(node)

    watching.run(1.0, storm, 1.0 / CHANGES, DAEMON.path)
    assert storm.number >= CHANGES
    assert watching.looks <= 1.0 / REST + 2
    watching.rest(RETELL + 1)

    (drift,) = node.keeper.journal.drift()
    assert f"-{{{storm.number}\n" in drift.detail
    seen = [one for one in told(node) if isinstance(one, DriftSeen)]
    assert [one.detail for one in seen][-1] == drift.detail
    assert len(seen) == 2  # the first state, and the last


def test_a_storm_that_is_fought_ends_as_declared_and_in_a_bounded_outbox(node: Joined) -> None:
    node.take(hold("file", DAEMON))
    watching, storm = Watching(node), Storm(node)

    watching.run(1.0, storm, 1.0 / CHANGES, DAEMON.path)
    watching.rest(1.0)

    assert node.host.files.read(Path(DAEMON.path)) == b"{}\n"
    assert node.keeper.ledger.open == {}
    items = told(node)
    assert len(items) <= 2 * (1.0 / REST + 2) + 1
    assert isinstance(items[-1], DriftEnded)


def test_storms_without_end_and_without_a_master_leave_a_bounded_outbox(node: Joined) -> None:
    many = 60
    node.keeper.journal._outbox = TableOutbox(lambda: None, 2 * many, many)
    node.take(
        hold("file", DAEMON), hold("told", Directory(path="/etc/docker", only=("daemon.json",)))
    )
    watching, storm = Watching(node), Storm(node)

    def both() -> None:
        storm()
        node.host.files.put_file(f"/etc/docker/{storm.number}", b"")

    sizes = []
    for _ in range(8):
        watching.run(1.0, both, 0.05, DAEMON.path)
        sizes.append(waiting(node.keeper.journal._db))
    watching.rest(61)

    assert max(sizes) <= 2 * many + 60
    assert sizes[-1] <= max(sizes[:4]) + 4
    assert node.keeper.ledger.open == {}
    assert storm.number >= 150


def test_each_finding_that_is_another_is_told_at_once(node: Joined) -> None:
    node.take(hold("file", DAEMON, drift=REPORT))
    edit(node)
    node.look("file")
    node.host.files.take(DAEMON.path)
    node.look("file")
    edit(node, "{other")
    node.look("file")

    found = [one.found[0].split()[0] for one in told(node) if isinstance(one, DriftSeen)]
    assert found == ["write", "create", "write"]


def test_a_doer_that_the_kernel_tells_is_kept_apart_from_how_it_was_seen(node: Joined) -> None:
    node.take(hold("file", DAEMON, drift=REPORT))
    edit(node)
    watching = Watching(node)
    watching.touched(DAEMON.path)
    watching.touched(DAEMON.path, by="vi (pid 7)\n")
    watching.turn()

    (seen,) = (one for one in told(node) if isinstance(one, DriftSeen))
    assert (seen.seen, seen.by) == ("event", "vi (pid 7)\\n")


def test_what_no_event_told_is_as_old_as_the_look_that_found_it(node: Joined) -> None:
    node.take(hold("file", DAEMON, drift=REPORT))
    edit(node)
    node.now += 30
    node.keeper.look({}, whole=True)

    drift = node.keeper.journal.open_drift()["file"]
    assert (drift.seen, drift.by, drift.since) == ("look", "", node.now)
    assert drift.hindrance == "its policy is to report"
    assert Noticed(1.0, "look").by == ""


def test_a_storm_during_a_full_disk_keeps_the_first_state_and_the_last(node: Joined) -> None:
    node.take(hold("file", DAEMON, drift=REPORT))
    told(node)
    node.keeper.journal._db.execute("PRAGMA query_only = 1")
    watching, storm = Watching(node), Storm(node)
    watching.run(30 * RETELL, storm, 1.0, DAEMON.path)
    watching.rest(RETELL + 1)
    assert len(node.keeper.ledger._waiting) == 2

    node.keeper.journal._db.execute("PRAGMA query_only = 0")
    watching.rest(61)
    seen = [one.detail for one in told(node) if isinstance(one, DriftSeen)]
    assert len(seen) == 2
    assert "-{1\n" in seen[0]
    assert f"-{{{storm.number}\n" in seen[1]
