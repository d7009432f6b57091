"""The outbox: what the master is to be told is there exactly when what it tells of is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest
from msgspec.structs import replace
from saltern_agent.journal import Journal, JournalError
from saltern_agent.keeper import Keeper
from saltern_agent.outbox import BATCH_BYTES, TableOutbox
from saltern_protocol import messages, testing
from saltern_protocol.documents import encode_statement
from saltern_protocol.errors import RefusedError
from saltern_protocol.report import Applied, DriftEnded, DriftSeen, Hindrance, Item, Outcome
from saltern_states.unit import Unit

from tests.agent.test_journal import APPLIED
from tests.agent.test_keeper import CBR0, DAEMON, Node, edit, hold


@dataclass
class Joined(Node):
    """A node that tells a master."""

    told: list[str] = field(default_factory=list)
    most: int = 1000

    def start(self) -> bool:
        outbox = TableOutbox(lambda: self.told.append("changed"), self.most)
        self.keeper = Keeper(
            host=self.host,
            journal=Journal(self.path / "journal.db", outbox),
            identity=testing.IDENTITY,
            clock=lambda: self.now,
            listener=self.heard,
            boot=self.mark,
        )
        return self.keeper.load()

    def items(self) -> tuple[Item, ...]:
        return self.keeper.journal.untold().items


@pytest.fixture
def node(tmp_path: Path) -> Joined:
    return Joined(tmp_path)


T = TypeVar("T")


def one(items: tuple[Item, ...], kind: type[T]) -> T:
    (found,) = (item for item in items if isinstance(item, kind))
    return found


def test_a_document_that_was_gone_through_is_told_with_its_turn(node: Joined) -> None:
    node.keeper.take(node.statement(hold("file", DAEMON)), turn=7)

    told = one(node.items(), Applied)
    assert (told.turn, told.version, told.outcome, told.changes) == (7, 1, Outcome.CHANGED, 1)
    assert told.body == node.keeper.document.body if node.keeper.document else False


def test_a_turn_is_known_after_a_kill(node: Joined) -> None:
    statement = node.statement(hold("file", DAEMON), hold("bridge", CBR0))
    node.keeper.take(statement, newer=iter([False, True]).__next__, turn=7)
    assert one(node.items(), Applied).outcome is Outcome.SUPERSEDED
    node.keeper.journal.told(1)

    assert node.start()
    node.keeper.converge_all()

    told = one(node.items(), Applied)
    assert (told.turn, told.outcome) == (7, Outcome.CHANGED)


def test_what_stands_in_the_way_is_told(node: Joined) -> None:
    node.host.units.fail["kubelet.service"] = "failed because of " + "x" * 9999
    node.host.units.install("kubelet.service")
    unit = hold("unit", Unit(unit="kubelet.service"))
    node.keeper.take(node.statement(unit, hold("bridge", CBR0, "unit")))

    told = one(node.items(), Applied)
    assert told.outcome is Outcome.FAILED
    assert [(each.resource, each.outcome) for each in told.hindrances] == [
        ("unit", "failed"),
        ("bridge", "blocked"),
    ]


def test_a_refused_document_is_told_with_its_reason(node: Joined) -> None:
    stranger = replace(testing.DOCUMENT, node="w2")
    statement = encode_statement(testing.statement(document=stranger))
    with pytest.raises(RefusedError):
        node.keeper.take(statement, turn=9)

    told = one(node.items(), Applied)
    assert (told.turn, told.outcome, told.reason) == (9, Outcome.REFUSED, "wrong-node")
    assert (told.epoch, told.version) == (1, 1)


def test_drift_is_told_with_its_true_times_and_its_end(node: Joined) -> None:
    node.take(hold("file", DAEMON))
    edit(node)
    node.look("file")

    seen, ended = one(node.items(), DriftSeen), one(node.items(), DriftEnded)
    assert (seen.since_us, seen.recorded_us) == ((testing.NOW - 2) * 10**6, testing.NOW * 10**6)
    assert (seen.number, seen.resource, seen.kind) == (1, "file", "file/1")
    assert (ended.number, ended.outcome) == (1, "healed")


def test_a_look_that_finds_nothing_new_tells_nothing_and_wakes_nobody(node: Joined) -> None:
    node.take(hold("file", DAEMON))
    node.told.clear()
    node.look()

    assert node.told == []
    assert len(node.items()) == 1


def test_what_was_acknowledged_is_gone_and_numbers_go_on(node: Joined) -> None:
    node.take(hold("file", DAEMON))
    node.keeper.journal.told(1)
    assert node.keeper.journal.untold().first == 0

    node.take(hold("file", DAEMON))
    assert node.keeper.journal.untold().first == 2


def test_a_full_outbox_takes_no_new_document_and_goes_on_holding(tmp_path: Path) -> None:
    node = Joined(tmp_path, most=1)
    node.take(hold("file", DAEMON))
    edit(node)
    node.look("file")  # two more: drift is never dropped

    with pytest.raises(JournalError, match="too many results and drifts wait for the master"):
        node.keeper.take(node.statement(hold("file", DAEMON), hold("bridge", CBR0)))
    edit(node)
    assert "healed: file after 2 s" in node.look("file")

    node.keeper.journal.told(100)
    assert node.take(hold("file", DAEMON), hold("bridge", CBR0)) == ["document: bridge: changed"]


def test_nothing_is_kept_for_a_node_that_has_no_master(tmp_path: Path) -> None:
    alone = Node(tmp_path)
    alone.take(hold("file", DAEMON))

    assert alone.keeper.journal.untold().items == ()


@pytest.mark.parametrize("why", ["w" * 400, "\N{SNOWMAN}" * 400])
def test_a_batch_of_the_largest_items_fits_a_message(
    tmp_path: Path, why: str, longest: Callable[[str], Applied]
) -> None:
    journal = Journal(tmp_path / "journal.db", TableOutbox(lambda: None))
    for _ in range(60):
        journal.tell(longest(why))

    batch = journal.untold()
    report = messages.Report(first=batch.first, items=batch.items)

    assert 0 < len(batch.items) < 60
    assert len(messages.encode(report)) < BATCH_BYTES + 200_000
    assert batch.waiting == 60


@pytest.fixture
def longest() -> Callable[[str], Applied]:
    def make(why: str) -> Applied:
        hindrance = Hindrance(resource="r" * 128, outcome="blocked", why=why)
        return replace(APPLIED, hindrances=(hindrance,) * 64)

    return make


def test_a_journal_in_place_of_a_damaged_one_numbers_above_it(tmp_path: Path) -> None:
    """The master takes no number anew: what a second journal tells would be lost."""
    path, at = tmp_path / "journal.db", 1_800_000_000.0
    numbers = []
    for seconds, moved in ((0.0, False), (1.0, False), (2.0, True), (-9.0, False)):
        if moved:
            for file in tmp_path.glob("journal.db*"):
                file.unlink()
        outbox = TableOutbox(lambda: None, clock=lambda now=at + seconds: now)  # type: ignore[misc]
        journal = Journal(path, outbox)
        journal.tell(APPLIED)
        numbers.append(journal.untold().first + journal.untold().waiting - 1)
        journal.close()

    first = 1_800_000_000_000_000
    assert numbers == [first + 1, first + 2, first + 2_000_001, first + 2_000_002]
