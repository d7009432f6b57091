"""Stories of a node that is held although repairs fail, names are no text, or the disk is full."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from saltern_agent.journal import Journal, JournalError
from saltern_agent.status import status_of
from saltern_states.artifact import Artifact
from saltern_states.body import DriftPolicy
from saltern_states.directory import Directory
from saltern_states.file import File
from saltern_states.unit import Unit

from tests.agent.drifts import drift as drift_of
from tests.agent.test_keeper import CBR0, DAEMON, Node, edit, hold

UNIT = "kubelet.service"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def failing(node: Node, drift: DriftPolicy = DriftPolicy()) -> None:  # noqa: B008
    """Hold a unit that ran once and no longer starts."""
    node.host.units.install(UNIT)
    node.take(hold("unit", Unit(unit=UNIT), drift=drift))
    node.host.units.stop(UNIT)
    node.host.units.fail[UNIT] = "failed"


def attempts(words: list[str]) -> int:
    return words.count("drift: unit: failed")


def fill(journal: Journal) -> None:
    """Leave no page free: SQLite itself says that the disk is full."""
    (pages,) = journal._db.execute("PRAGMA page_count").fetchone()
    journal._db.execute(f"PRAGMA max_page_count = {pages}")
    for size in (400, 40, 0):
        with pytest.raises(JournalError):
            write_without_end(journal, "x" * size)


def write_without_end(journal: Journal, text: str) -> None:
    for number in range(1000):
        journal.record(drift_of(f"filler{len(text)}-{number}", 0.0, (text,), 0.0))


def free(journal: Journal) -> None:
    journal._db.execute("PRAGMA max_page_count = 100000")


def test_a_repair_that_fails_is_tried_again_after_longer_and_longer(node: Node) -> None:
    failing(node)
    tried = []
    for _ in range(200):  # as when each repair sends the event that asks for the next
        if attempts(node.look("unit")):
            tried.append(node.now)
        node.now += 0.5

    assert [after - before for before, after in pairwise(tried)] == [
        1.0,
        2.0,
        4.0,
        8.0,
        16.0,
        32.0,
    ]
    assert "tried again in 60 s" in node.keeper.journal.open_drift()["unit"].hindrance
    assert 0 < node.keeper.retries()["unit"] <= 60

    node.host.units.fail.clear()
    node.now += 60
    assert any(word.startswith("healed: unit") for word in node.look("unit"))
    assert node.keeper.retries() == {}


def test_a_repair_that_failed_counts_in_a_fight_also_after_a_restart(node: Node) -> None:
    failing(node, DriftPolicy(times=2, minutes=10))
    assert attempts(node.look("unit")) == 1
    node.now += 5
    assert attempts(node.look("unit")) == 1
    node.start()
    node.now += 5

    assert attempts(node.look("unit")) == 0
    assert "fight" in node.keeper.journal.open_drift()["unit"].hindrance


def test_a_clock_that_was_set_back_does_not_make_a_fight(node: Node) -> None:
    node.take(hold("file", DAEMON, drift=DriftPolicy(times=2, minutes=10)))
    node.now += 86400
    for _ in range(2):
        edit(node)
        node.look()
    node.now -= 86400
    edit(node)

    assert "healed: file after 0 s" in node.look()


def test_a_full_journal_hinders_no_repair_and_is_caught_up_with(node: Node) -> None:
    node.take(hold("file", DAEMON))
    fill(node.keeper.journal)
    edit(node)

    assert node.look("file")[-1] == "healed: file after 2 s"
    assert node.host.files.read(Path(DAEMON.path)) == b"{}\n"
    assert "database or disk is full" in status_of(node.keeper).trouble
    with pytest.raises(JournalError, match="free space"):
        node.keeper.take(node.statement(hold("file", DAEMON), hold("bridge", CBR0)))
    assert node.host.links.link("cbr0") is None

    free(node.keeper.journal)
    node.look()
    assert status_of(node.keeper).trouble == ""
    assert [one.outcome for one in node.keeper.journal.drift() if one.resource == "file"] == [
        "healed"
    ]


def test_a_journal_that_does_not_answer_at_all_hinders_no_repair(node: Node) -> None:
    node.take(hold("file", DAEMON))
    node.start()
    node.keeper.journal.close()
    edit(node)

    assert node.look("file")[-1] == "healed: file after 2 s"
    assert node.look() == []
    assert "closed database" in status_of(node.keeper).trouble


def test_what_is_only_to_be_told_is_not_set_right_with_what_it_comes_after(node: Node) -> None:
    node.take(
        hold("directory", Directory(path="/etc/docker/a")),
        hold("file", File(path="/etc/docker/a/x", text="1"), drift=DriftPolicy(mode="report")),
    )
    node.host.files.take(Path("/etc/docker/a"))
    node.look()

    assert node.host.files.look(Path("/etc/docker/a")) is not None
    assert node.host.files.look(Path("/etc/docker/a/x")) is None


def test_what_a_document_left_undone_is_converged_once_it_is_healed(node: Node) -> None:
    sha256 = node.host.blobs.put(b"later")
    content = node.host.blobs.contents.pop(sha256)
    node.take(hold("binary", Artifact(path="/etc/docker/binary", sha256=sha256)))
    assert status_of(node.keeper).state == "not converged"

    node.host.blobs.contents[sha256] = content
    node.look()

    status = status_of(node.keeper)
    assert (status.state, status.hindrances, status.drift) == ("converged", (), ())


def test_drift_of_what_is_no_longer_declared_ends(node: Node) -> None:
    node.take(hold("file", DAEMON, drift=DriftPolicy(mode="report")))
    edit(node)
    node.look("file")

    assert node.take()[0] == "no longer declared: file after 2 s"
    assert node.keeper.journal.open_drift() == {}


def test_a_stray_whose_name_is_no_text_is_recorded(node: Node) -> None:
    node.take(hold("directory", Directory(path="/etc/docker/a", only=("kept",))))
    node.host.files.put_file("/etc/docker/a/\udcff", b"")

    assert node.look()[0] == "drift: directory by look after 0 s"
    (drift,) = node.keeper.journal.drift()
    assert "\\udcff" in "".join((*drift.found, drift.outcome))


def test_an_apply_that_made_way_and_met_a_full_disk_leaves_what_is_held_held(node: Node) -> None:
    large = File(path="/etc/docker/other.json", text="x" * 9000)
    statement = node.statement(hold("file", DAEMON), hold("large", large))
    node.keeper.take(statement, newer=iter([False, True]).__next__)
    fill(node.keeper.journal)
    with pytest.raises(JournalError):
        node.keeper.converge_all()  # what is new, a full journal cannot take
    edit(node)

    node.look("file")

    assert node.host.files.read(Path(DAEMON.path)) == b"{}\n"
