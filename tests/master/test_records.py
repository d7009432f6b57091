"""Records: what is read again, drift that opens and ends once, reports that come twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_master.compile.allocation import Allocation
from saltern_master.records import (
    codec,
    drift,
    drift_log,
    health,
    nodes,
    reports,
    revisions,
    tokens,
    turns,
)
from saltern_master.records.drift import Drift
from saltern_master.records.nodes import Node
from saltern_master.records.reports import Reported
from saltern_master.store import ConflictError, Entry, Expect, MemoryStore, Put, StoreError
from saltern_protocol import messages
from saltern_protocol.messages import Report
from saltern_protocol.report import Applied, DriftEnded, DriftSeen, Item, Outcome

INC = "ab" * 16
NEXT = "cd" * 16
W1 = Node(name="w1", node_class="worker", state="joined", incarnation=INC, facts={"mtu": 1500})


def seen(number: int, resource: str = "r", at: int = 0, *found: str) -> DriftSeen:
    return DriftSeen(
        number=number,
        resource=resource,
        kind="file/1",
        since_us=at or number,
        recorded_us=at or number,
        seen="event",
        found=found or ("changed",),
    )


def ended(number: int, resource: str = "r", at: int = 0) -> DriftEnded:
    return DriftEnded(number=number, resource=resource, healed_us=at or number, outcome="healed")


def applied(version: int) -> Applied:
    return Applied(
        at_us=2_500_000,
        turn=7,
        epoch=1,
        version=version,
        body=b"\x01" * 32,
        outcome=Outcome.CHANGED,
        changes=3,
        took_us=1_500_000,
    )


class Desk:
    """Takes reports as core does: from the store, by one commit each."""

    def __init__(self) -> None:
        self.store = MemoryStore()

    def take(self, first: int, *items: Item, incarnation: str = INC, now: float = 9.0) -> int:
        held = reports.hold_reported(self.store, "w1", incarnation)
        opened = {one.resource: one for one in drift.open_drift(self.store, "w1")}
        report = Report(first=first, items=items)
        taken = reports.take("w1", incarnation, report, held, opened, now)
        self.store.commit(*taken.writes)
        assert {one.resource: one for one in drift.open_drift(self.store, "w1")} == taken.opened
        return len(taken.items)

    def log(self, most: int = 100) -> list[tuple[int, str, bool]]:
        found = drift_log.newest_drift(self.store, ["w1"], most)
        return [(one.number, one.resource, not one.healed) for one in found]


def test_a_record_comes_back_as_it_was_and_newer_fields_are_passed_over() -> None:
    store = MemoryStore()
    store.commit(*nodes.hold_node(store, "w1").replaced(W1))
    assert nodes.hold_node(store, "w1").value == W1

    store.commit(Put("nodes/w1", codec.put("", W1).value[:-1] + b',"colour":"green"}'))

    assert nodes.every_node(store) == (W1,)


def test_what_cannot_be_read_is_told_by_its_key() -> None:
    store = MemoryStore()
    store.commit(Put("nodes/w1", b'{"name": 7}'))

    with pytest.raises(StoreError, match=r"cannot read nodes/w1 in the store: .*backup"):
        nodes.hold_node(store, "w1")


def test_of_two_who_replace_a_record_one_is_told() -> None:
    store = MemoryStore()
    held = nodes.hold_node(store, "w1")
    store.commit(*held.replaced(W1))

    with pytest.raises(ConflictError, match="nodes/w1"):
        store.commit(*held.replaced(W1))
    with pytest.raises(ConflictError, match="nodes/w1"):
        store.commit(*held.deleted())


def test_all_are_read_however_many_there_are() -> None:
    store = MemoryStore()
    for start in range(0, 2500, 500):
        names = [f"n{number:04}" for number in range(start, start + 500)]
        store.commit(*(codec.put(f"nodes/{name}", W1) for name in names))

    assert len(nodes.every_node(store)) == 2500


@given(st.lists(st.integers(0, 10**20 - 1), unique=True, min_size=1, max_size=20))
def test_keys_of_numbers_stand_in_the_order_of_numbers(numbers: list[int]) -> None:
    store = MemoryStore()
    store.commit(*(Put(turns.turn_key(number), b"") for number in numbers))

    assert [one.key for one in store.list("turns/")] == [
        turns.turn_key(number) for number in sorted(numbers)
    ]
    assert turns.newest_turn(store) == max(numbers)


def test_a_revision_has_its_number_once() -> None:
    store = MemoryStore()
    assert revisions.newest_revision(store) == 0
    one = revisions.Revision(number=1, at=5.0, file="ef" * 32, bodies={"w1": "00" * 32})
    store.commit(*revisions.add_revision(one, b"\xff raw"))

    assert revisions.newest_revision(store) == 1
    assert revisions.hold_revision(store, 1).value == one
    assert revisions.revision_file(store, 1) == b"\xff raw"
    assert revisions.revision_file(store, 2) is None
    with pytest.raises(ConflictError):
        store.commit(*revisions.add_revision(one, b"other"))


def test_the_oldest_revisions_are_too_many_once_there_are_newer_ones() -> None:
    store = MemoryStore()
    for number in range(1, revisions.KEPT + 30):
        one = revisions.Revision(number=number, at=5.0, file="ef" * 32, bodies={})
        store.commit(*revisions.add_revision(one, b"raw"))
    newest = revisions.newest_revision(store)
    told: list[int] = []
    while old := revisions.outlived(store, newest):
        told += old
        store.commit(*revisions.dropped(old))

    assert told == list(range(1, 30))
    assert len(store.list("revisions/")) == len(store.list("revision-files/")) == revisions.KEPT
    assert revisions.revision_file(store, newest) == b"raw"


def test_ranges_are_written_only_when_they_change() -> None:
    store = MemoryStore()
    ranges = Allocation({"w1": "10.10.0.0/24"})
    assert revisions.put_allocation(revisions.hold_allocation(store), Allocation()) == ()
    store.commit(*revisions.put_allocation(revisions.hold_allocation(store), ranges))

    held = revisions.hold_allocation(store)
    assert held.value == ranges
    assert revisions.put_allocation(held, ranges) == ()


def test_a_tokens_secret_is_nowhere_in_its_record() -> None:
    secret = b"s" * 32
    identifier = tokens.token_id(secret, "w1")
    token = tokens.Token(id=identifier, node="w1", node_class="worker", made=1.0, expires=2.0)
    store = MemoryStore()
    store.commit(codec.put(tokens.token_key(identifier), token))

    assert tokens.hold_token(store, secret, "w1").value == token
    assert tokens.hold_token(store, secret, "w2").value == token  # its name is checked by enrol
    assert tokens.hold_token(store, b"", "w1").value is None
    assert tokens.token_id(b"", "w1") != tokens.token_id(b"", "w2")
    assert secret not in b"".join(one.key.encode() + one.value for one in store.list(""))


def test_drift_opens_and_ends() -> None:
    desk = Desk()
    desk.take(1, seen(1, "a"), seen(2, "b"))
    assert desk.log() == [(2, "b", True), (1, "a", True)]

    desk.take(3, ended(1, "a", at=3_000_000))

    assert desk.log() == [(2, "b", True), (1, "a", False)]
    last = drift_log.newest_drift(desk.store, ["w1"], 2)[1]
    assert (last.healed, last.outcome, last.stored) == (3.0, "healed", 9.0)


def test_a_drift_that_begins_and_ends_in_one_report_is_never_open() -> None:
    desk = Desk()
    desk.take(1, seen(1), ended(1), seen(2), ended(2), seen(3))

    assert desk.log() == [(3, "r", True), (2, "r", False), (1, "r", False)]


def test_what_an_open_drift_found_later_replaces_what_it_found_before() -> None:
    desk = Desk()
    desk.take(1, seen(1, "r", 5, "first"), now=10.0)
    desk.take(2, seen(1, "r", 5, "second"), now=20.0)

    (one,) = drift.open_drift(desk.store)
    assert (one.found, one.stored) == (("second",), 10.0)
    assert desk.log() == [(1, "r", True)]


def test_an_end_that_belongs_to_no_open_drift_changes_nothing() -> None:
    desk = Desk()
    desk.take(1, seen(2))
    before = desk.store.list("drift/") + desk.store.list("opendrift/")

    desk.take(2, ended(1), ended(9, "other"))
    desk.take(1, ended(2), incarnation=NEXT)

    assert desk.store.list("drift/") + desk.store.list("opendrift/") == before


def test_a_drift_whose_end_was_lost_is_ended_by_the_next() -> None:
    desk = Desk()
    desk.take(1, seen(1, at=1_000_000))
    desk.take(1, seen(1, at=2_000_000), incarnation=NEXT)

    newer, older = drift_log.newest_drift(desk.store, ["w1"], 10)
    assert (newer.incarnation, newer.healed) == (NEXT, 0.0)
    assert (older.incarnation, older.healed, older.outcome) == (INC, 2.0, drift.SUPERSEDED)


def test_what_is_open_on_a_node_that_goes_is_ended() -> None:
    desk = Desk()
    desk.take(1, seen(1, "a"), seen(2, "b"))

    opened = drift.open_drift(desk.store, "w1")
    desk.store.commit(*drift.writes_of(drift.end_all(opened, 7.0, "removed")))

    assert drift.open_drift(desk.store) == ()
    assert {one.outcome for one in drift_log.newest_drift(desk.store, ["w1"], 9)} == {"removed"}


def test_the_newest_of_all_nodes_come_in_one_order() -> None:
    store = MemoryStore()
    for name, times in (("w1", (1, 4, 5)), ("w10", (2, 3)), ("w2", (6,))):
        found = [drift.seen(name, INC, seen(at, f"r{at}", at), 9.0) for at in times]
        store.commit(*drift.writes_of(found))

    newest = drift_log.newest_drift(store, ["w1", "w2", "w10"], 4)

    assert [one.recorded_us for one in newest] == [6, 5, 4, 3]
    assert [one.node for one in drift_log.newest_drift(store, ["w1"], 9)] == ["w1"] * 3


def test_the_log_is_bounded_and_what_is_open_stays() -> None:
    desk = Desk()
    desk.take(1, seen(1, "long"))
    for number in range(2, 12):
        desk.take(2 * number, seen(number), ended(number))
    assert drift.surplus(desk.store, "w1", kept=11) == ()

    desk.store.commit(*drift.surplus(desk.store, "w1", kept=4))

    assert [number for number, _, _ in desk.log()] == [11, 10, 9, 8, 1]
    assert drift.surplus(desk.store, "w1", kept=4) == ()


def test_a_report_that_comes_again_changes_nothing() -> None:
    desk = Desk()
    assert desk.take(1, applied(1), seen(1), now=1.0) == 2
    before = desk.store.list("")

    assert desk.take(1, applied(1), seen(1), now=2.0) == 0
    assert desk.store.list("") == before
    assert desk.take(2, seen(1), ended(1), applied(2)) == 2
    assert desk.log() == [(1, "r", False)]
    (result,) = reports.every_result(desk.store)
    assert (result.version, result.turn, result.seconds, result.at) == (2, 7, 1.5, 2.5)


ITEMS = st.one_of(
    st.builds(seen, st.integers(1, 4), st.sampled_from("ab")),
    st.builds(ended, st.integers(1, 4), st.sampled_from("ab")),
    st.builds(applied, st.integers(1, 5)),
)


@given(st.lists(ITEMS, min_size=1, max_size=12), st.data())
def test_however_often_a_report_is_sent_each_item_counts_once(
    items: list[Item], data: st.DataObject
) -> None:
    once, often = Desk(), Desk()
    for number, item in enumerate(items, 1):
        once.take(number, item)
    done = 0
    while done < len(items):
        first = data.draw(st.integers(0, done))  # what was not acknowledged comes again
        last = data.draw(st.integers(done + 1, len(items)))
        often.take(first + 1, *items[first:last])
        done = last

    plain = [{(one.key, one.value) for one in desk.store.list("")} for desk in (once, often)]

    assert plain[0] == plain[1]


def test_an_incarnation_has_numbers_of_its_own() -> None:
    desk = Desk()
    desk.take(1, applied(1), applied(2))

    assert desk.take(1, applied(3), incarnation=NEXT) == 1
    assert reports.hold_reported(desk.store, "w1", INC).value == Reported(seq=2)


def test_two_who_take_the_same_report_are_told() -> None:
    store = MemoryStore()
    held = reports.hold_reported(store, "w1", INC)
    report = Report(first=1, items=(applied(1),))
    first, second = (reports.take("w1", INC, report, held, {}, 1.0) for _ in range(2))
    store.commit(*first.writes)

    with pytest.raises(ConflictError):
        store.commit(*second.writes)


def test_a_heartbeat_is_kept_by_the_masters_clock() -> None:
    told = messages.Health(
        tick=4,
        at_us=1,
        state="converged",
        version=2,
        drift=0,
        load_percent=150,
        memory_kib=10,
        disk_kib=20,
    )
    store = MemoryStore()
    store.commit(health.put_health(health.health_of("w1", told, 77.0)))

    (kept,) = health.every_health(store)
    assert (kept.seen_at, kept.load, kept.state) == (77.0, 1.5, "converged")


@pytest.mark.parametrize("data", [b"[1]", b"{", b"\xff", b"[" * 8000, b"nul"])
def test_facts_that_are_no_facts_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="cannot read the facts"):
        nodes.read_facts(data)


@pytest.mark.parametrize("data", [b"[1]", b"{", b'"no text: \xaf"', b"[" * 8000])
def test_a_record_that_cannot_be_read_is_told_by_its_key(data: bytes) -> None:
    with pytest.raises(StoreError, match="cannot read meta/x in the store"):
        codec.read(Entry("meta/x", data, 1), str)


def test_open_drift_of_one_node_is_not_that_of_another_with_a_longer_name() -> None:
    store = MemoryStore()
    both: list[Drift] = [drift.seen(name, INC, seen(1), 1.0) for name in ("w1", "w1.a")]
    store.commit(*drift.writes_of(both), Expect("drift/", 0))

    assert [one.node for one in drift.open_drift(store, "w1")] == ["w1"]
