"""Who is let in: a token, once, by one key; approval by fingerprint; who was revoked stays out."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace
from saltern_master.enrol.approve import approve, find_pending, remove, revoke
from saltern_master.enrol.decide import MOST_PENDING
from saltern_master.enrol.standing import EnrolError, read_standing, shown
from saltern_master.enrol.tokens import LONGEST, make_token, token_for
from saltern_master.records import drift, drift_log
from saltern_master.records.codec import hold, put
from saltern_master.records.documents import document_key
from saltern_master.records.nodes import Node, Owner, hold_node, hold_pending, owner_key
from saltern_master.records.tokens import Token, every_token, token_key
from saltern_master.store import ConflictError, MemoryStore, Store
from saltern_protocol.documents import decode_identity
from saltern_protocol.messages import Enrol, Enrolled, Waiting
from saltern_protocol.report import DriftSeen
from saltern_protocol.token import JoinToken

from tests.master.enrolling import (
    CLUSTER,
    KEYS,
    MEETING,
    NOW,
    SECRET,
    A,
    B,
    C,
    ask,
    asking,
    incarnation,
    node,
    reason,
    token,
)


@pytest.fixture
def store() -> Store:
    return MemoryStore()


def test_a_token_carries_all_that_a_machine_needs(store: Store) -> None:
    carried = JoinToken.parse(token(store).text())

    assert (carried.addresses, carried.link_port, carried.door_port) == (
        ("10.0.0.1", "master.example"),
        6555,
        6556,
    )
    assert (carried.cluster, carried.node, carried.server) == ("demo", "w1", b"m" * 32)
    assert carried.secret == SECRET
    assert SECRET.hex() not in repr(store.list(""))


def test_a_machine_with_a_good_token_becomes_the_node(store: Store) -> None:
    token(store, node_class="control-plane")
    decision = ask(store, A)

    assert isinstance(decision.answer, Enrolled)
    identity = decode_identity(decision.answer.identity)
    assert (identity.cluster, identity.node, identity.node_class) == (
        "demo",
        "w1",
        "control-plane",
    )
    assert identity.root == CLUSTER.root
    known = node(store)
    assert known == decision.joined
    assert (known.state, known.key, known.sealing) == ("joined", A.hex(), (b"x" * 32).hex())
    assert (known.incarnation, known.facts) == (identity.incarnation, {"mtu": 1400})
    assert hold(store, owner_key(A.hex()), Owner).value == Owner(node="w1")
    assert every_token(store)[0].used_by == A.hex()


def test_the_same_key_with_the_same_token_has_the_same_answer(store: Store) -> None:
    token(store)
    first = ask(store, A)
    before = store.list("")

    again = ask(store, A, now=NOW + 7200)  # the token has expired meanwhile

    assert again.answer == first.answer
    assert store.list("") == before


TOKENLESS = {
    "unknown": lambda store: ask(store, A, asking(secret=b"t" * 32)),
    "none at all": lambda store: ask(store, A, asking("w9", secret=b"")),
    "expired": lambda store: ask(store, A, now=NOW + 3600),
    "for another name": lambda store: ask(store, A, asking("w2")),
    "used by another key": lambda store: (ask(store, B), ask(store, A))[1],
}


@pytest.mark.parametrize("case", TOKENLESS)
def test_a_token_that_is_not_good_is_refused_and_nobody_learns_why(case: str) -> None:
    store = MemoryStore()
    token(store)
    told = TOKENLESS[case](store)
    other = ask(MemoryStore(), C)

    assert reason(told) == "token"
    assert told.answer == other.answer
    assert hold(store, owner_key(A.hex()), Owner).value is None


def test_a_key_belongs_to_one_name(store: Store) -> None:
    token(store)
    token(store, "w2", b"u" * 32)
    ask(store, A)

    assert reason(ask(store, A, asking("w2", b"u" * 32))) == "other-name"
    assert isinstance(ask(store, B, asking("w2", b"u" * 32)).answer, Enrolled)


def test_a_name_that_joined_is_not_taken_by_a_second_token(store: Store) -> None:
    token(store)
    token(store, secret=b"u" * 32)
    first = ask(store, A)

    assert reason(ask(store, B, asking(secret=b"u" * 32))) == "name-taken"
    assert node(store) == first.joined
    with pytest.raises(EnrolError, match="it has joined already") as caught:
        token(store, secret=b"v" * 32)
    assert caught.value.code == "conflict"


@pytest.mark.parametrize(
    ("enrol", "expected"),
    [
        (msgspec.structs.replace(asking(), protocol=2), "protocol"),
        (asking(facts=b"{"), "malformed"),
        (asking(facts=b'{"mtu": "much"}'), "malformed"),
        (asking(facts=b'{"architecture": "pdp11"}'), "malformed"),
    ],
)
def test_who_cannot_be_understood_is_told(store: Store, enrol: Enrol, expected: str) -> None:
    token(store)

    assert reason(ask(store, A, enrol)) == expected
    assert isinstance(ask(store, A, asking(facts=b"")).answer, Enrolled)


def test_who_was_revoked_is_out_for_good_and_another_machine_may_come(store: Store) -> None:
    token(store)
    first = ask(store, A)
    after, writes = revoke(read_standing(store, "w1", A.hex()), NOW)
    store.commit(*writes)
    assert node(store) == after
    assert after.state == "revoked"
    assert revoke(read_standing(store, "w1", A.hex()), NOW)[1] == ()

    assert reason(ask(store, A)) == "revoked"
    token(store, secret=b"u" * 32)
    assert reason(ask(store, A, asking(secret=b"u" * 32))) == "revoked"
    assert reason(ask(store, B)) == "token"
    second = ask(store, B, asking(secret=b"u" * 32))
    assert incarnation(second) != incarnation(first)


def test_a_new_enrolment_has_no_history(store: Store) -> None:
    token(store)
    ask(store, A)
    seen = DriftSeen(
        number=1, resource="r", kind="file/1", since_us=1, recorded_us=1, seen="look", found=("x",)
    )
    store.commit(*drift.writes_of([drift.seen("w1", node(store).incarnation, seen, NOW)]))
    store.commit(put(document_key("w1"), {"old": True}))
    store.commit(*hold_node(store, "w1").replaced(replace(node(store), version=9, document="ab")))
    store.commit(*revoke(read_standing(store, "w1", A.hex()), NOW)[1])
    token(store, secret=b"u" * 32)
    ask(store, B, asking(secret=b"u" * 32))

    assert (node(store).version, node(store).document, node(store).body) == (0, "", "")
    assert store.get(document_key("w1")) is None
    assert drift.open_drift(store) == ()
    assert drift_log.newest_drift(store, ["w1"], 9)[0].healed == NOW


def test_a_machine_that_was_removed_may_join_anew_with_its_key(store: Store) -> None:
    token(store)
    first = ask(store, A)
    _, writes = remove(read_standing(store, "w1", A.hex()), NOW)
    store.commit(*writes)
    assert node(store).state == "removed"
    assert node(store).key == ""

    assert reason(ask(store, A)) == "token"
    token(store, "w2", b"u" * 32)
    second = ask(store, A, asking("w2", b"u" * 32))
    assert incarnation(second) != incarnation(first)
    with pytest.raises(EnrolError, match="there is no such node"):
        remove(read_standing(store, "w1", A.hex()), NOW)


def test_a_revoked_key_stays_revoked_when_its_node_is_removed(store: Store) -> None:
    token(store)
    ask(store, A)
    store.commit(*revoke(read_standing(store, "w1", A.hex()), NOW)[1])
    store.commit(*remove(read_standing(store, "w1", A.hex()), NOW)[1])
    token(store, secret=b"u" * 32)

    assert reason(ask(store, A, asking(secret=b"u" * 32))) == "revoked"


def test_who_never_joined_is_not_revoked(store: Store) -> None:
    with pytest.raises(EnrolError, match="no machine has joined by that name") as caught:
        revoke(read_standing(store, "w1", ""), NOW)
    assert caught.value.code == "not-found"


def approved(store: Store, key: bytes, now: float = NOW) -> Node:
    waiting = [held.value for held in hold_pending(store) if held.value is not None]
    pending = find_pending(waiting, "w1", shown(key.hex()).upper(), now)
    admitted = approve(pending, read_standing(store, "w1", pending.key), now, "ab" * 16)
    store.commit(*admitted.writes)
    return admitted.node


def test_without_a_secret_an_operator_approves_one_fingerprint(store: Store) -> None:
    assert token(store, secret=b"").secret == b""
    waiting = asking(secret=b"")
    assert ask(store, A, waiting).answer == Waiting(fingerprint=shown(A.hex()))
    assert ask(store, B, waiting).answer == Waiting(fingerprint=shown(B.hex()))
    before = store.list("")
    assert ask(store, B, waiting, NOW + 60).answer == Waiting(fingerprint=shown(B.hex()))
    assert store.list("") == before
    assert hold_node(store, "w1").value is None

    assert approved(store, B).key == B.hex()

    assert incarnation(ask(store, B, waiting)) == "ab" * 16
    assert reason(ask(store, A, waiting)) == "token"
    assert hold_pending(store) == ()


def test_an_approval_that_cannot_be_says_why(store: Store) -> None:
    token(store, secret=b"")
    ask(store, A, asking(secret=b""))
    for key, now in ((B, NOW), (A, NOW + 3600)):
        with pytest.raises(EnrolError, match="waits for that name") as caught:
            approved(store, key, now)
        assert caught.value.code == "not-found"
    token(store)
    ask(store, B)
    assert hold_pending(store) == ()  # who waited lost the name to the one who had a secret


def test_a_key_that_became_another_node_meanwhile_is_not_approved(store: Store) -> None:
    token(store, secret=b"")
    ask(store, A, asking(secret=b""))
    token(store, "w2", b"u" * 32)
    ask(store, A, asking("w2", b"u" * 32))

    with pytest.raises(EnrolError, match=r"belongs to that node \(w2\)") as caught:
        approved(store, A)
    assert caught.value.code == "conflict"


def test_not_everybody_may_wait(store: Store) -> None:
    token(store, secret=b"")
    waiting = asking(secret=b"")
    for key in KEYS[:MOST_PENDING]:
        assert isinstance(ask(store, key, waiting).answer, Waiting)

    assert reason(ask(store, KEYS[MOST_PENDING], waiting)) == "too-many"
    assert isinstance(ask(store, KEYS[0], waiting).answer, Waiting)
    assert len(hold_pending(store, "w1")) == MOST_PENDING


def test_a_new_token_without_secret_replaces_the_one_before(store: Store) -> None:
    token(store, secret=b"")
    ask(store, A, asking(secret=b""))
    approved(store, A)
    store.commit(*remove(read_standing(store, "w1", A.hex()), NOW)[1])
    token(store, secret=b"")

    assert len(every_token(store)) == 1
    assert isinstance(ask(store, B, asking(secret=b"")).answer, Waiting)


@pytest.mark.parametrize(
    ("node_class", "seconds", "said"),
    [
        ("master", 3600, "worker or control-plane"),
        ("worker", 5, "60 to"),
        ("worker", LONGEST + 1, "60 to"),
    ],
)
def test_a_token_that_cannot_be_is_not_made(node_class: str, seconds: int, said: str) -> None:
    with pytest.raises(EnrolError, match=said) as caught:
        token_for("w1", node_class, seconds, SECRET, NOW)
    assert caught.value.code == "invalid"


def test_a_token_and_a_machine_that_joins_meanwhile_are_not_both(store: Store) -> None:
    token(store)
    wanted = token_for("w1", "worker", 3600, b"u" * 32, NOW)
    held = hold(store, token_key(wanted.id), Token)
    made = make_token(MEETING, hold_node(store, "w1"), held, wanted, b"u" * 32)
    ask(store, A)

    with pytest.raises(ConflictError):
        store.commit(*made.writes)
