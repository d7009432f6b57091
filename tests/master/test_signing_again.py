"""What signing remembers: documents that still serve, nodes that joined, facts, earlier homes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from saltern_master.records.documents import hold_document
from saltern_master.records.nodes import Node, State
from saltern_master.signing.home import Home
from saltern_master.signing.init import sign_policy
from saltern_master.signing.next_root import DAY
from saltern_master.signing.recorded import known_facts, open_store
from saltern_master.signing.sign import SignError
from saltern_protocol.documents import decode_statement
from saltern_states.body import read_body

from tests.master.homes import (
    NOW,
    believed,
    keep,
    made_home,
    recorded,
    signed,
    snapshot,
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return made_home(tmp_path)


def test_a_body_that_a_document_names_already_is_not_signed_anew(home: Home) -> None:
    signed(home)
    document = (home.path / "out" / "w1.statement").read_bytes()
    assert signed(home, now=NOW + 14 * DAY)[0].version == 1
    assert (home.path / "out" / "w1.statement").read_bytes() == document
    assert signed(home, now=NOW + 15 * DAY)[0].version == 2
    assert believed(home, now=NOW + 15 * DAY)[0].expires == NOW + 45 * DAY


def test_a_new_policy_comes_with_the_document_that_stands(home: Home) -> None:
    signed(home)
    sign_policy(home, NOW)
    assert signed(home)[0].version == 1
    statement = decode_statement((home.path / "out" / "w1.statement").read_bytes())
    assert statement.policy == home.policy_envelope()
    believed(home)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"incarnation": "ab" * 16}, id="another incarnation"),
        pytest.param({"epoch": 2}, id="another epoch"),
        pytest.param({"envelope": b""}, id="no signature"),
        pytest.param({"issued": NOW + 1}, id="from a clock that was ahead"),
        pytest.param({"version": 0}, id="not the version that the node was given last"),
    ],
)
def test_a_document_that_no_longer_serves_is_signed_anew(
    home: Home, change: dict[str, object]
) -> None:
    signed(home)
    with open_store(home) as store:
        held = hold_document(store, "w1")
        assert held.value is not None
        store.commit(*held.replaced(msgspec.structs.replace(held.value, **change)))
    assert signed(home)[0].version == 2
    believed(home)


def test_what_a_body_needs_is_kept_with_its_document_as_core_keeps_it(home: Home) -> None:
    signed(home)
    with open_store(home) as store:
        issued = hold_document(store, "w1").value
    body = read_body(decode_statement((home.path / "out" / "w1.statement").read_bytes()).body)
    assert issued is not None
    assert body.blobs
    assert issued.blobs == tuple(sorted(body.blobs))


def test_who_was_never_let_in_is_recorded_as_offline(home: Home) -> None:
    signed(home)
    node = recorded(home)
    assert (node.state, node.node_class, node.key, node.version) == ("offline", "worker", "", 1)


def test_a_node_that_joined_keeps_who_it_is(home: Home) -> None:
    joined = Node(
        name="w1",
        node_class="worker",
        state="joined",
        incarnation="ab" * 16,
        key="cd" * 32,
        facts={"mtu": 1400, "colour": "green"},
    )
    keep(home, joined)
    signed(home)
    assert believed(home)[2].incarnation == joined.incarnation
    after = recorded(home)
    assert (after.state, after.key, after.facts) == ("joined", "cd" * 32, joined.facts)


def test_a_node_that_was_removed_begins_anew(home: Home) -> None:
    keep(home, Node(name="w1", node_class="worker", state="removed", incarnation="ab" * 16))
    signed(home)
    assert recorded(home).state == "offline"
    assert recorded(home).incarnation != "ab" * 16


@pytest.mark.parametrize(
    ("state", "node_class", "said"),
    [
        ("revoked", "worker", "w1: it is revoked; take it out of the cluster file"),
        ("removing", "worker", "w1: it is removing; take it out of the cluster file"),
        ("joined", "control-plane", "w1: it joined as control-plane, and its roles ask for worker"),
    ],
)
def test_for_whom_is_not_let_in_so_nothing_is_signed(
    home: Home, state: State, node_class: str, said: str
) -> None:
    keep(home, Node(name="w1", node_class=node_class, state=state, incarnation="ab" * 16))
    before = snapshot(home)
    with pytest.raises(SignError) as caught:
        signed(home)
    assert said in str(caught.value)
    assert snapshot(home) == before


def test_facts_that_a_person_brought_stand_above_those_that_were_told(home: Home) -> None:
    joined = Node(
        name="w1", node_class="worker", state="joined", incarnation="ab" * 16, facts={"mtu": 1400}
    )
    keep(home, joined)
    with open_store(home) as store:
        assert known_facts(home, store, ["w1", "w2"])["w1"].mtu == 1400
        home.facts_file("w1").write_text('{"mtu": 9000, "node": "w1"}')
        assert known_facts(home, store, ["w1", "w2"])["w1"].mtu == 9000
    signed(home)
    assert recorded(home).facts == {"mtu": 9000, "node": "w1"}


def test_a_home_of_the_earlier_release_is_taken_over_once(home: Home) -> None:
    home.store_file.unlink()
    (home.path / "nodes").mkdir()
    old = {"incarnation": "ab" * 16, "version": 7, "document": "cd" * 32}
    earlier = {
        home.path / "nodes" / "w1.json": msgspec.json.encode(old),
        home.path / "allocation.json": b'{"ranges": {"w1": "10.10.9.0/24"}}',
    }
    for path, data in earlier.items():
        path.write_bytes(data)
    assert signed(home)[0].version == 8
    document, _, identity = believed(home)
    assert document.previous == bytes.fromhex("cd" * 32)
    assert identity.incarnation == "ab" * 16
    for path, data in earlier.items():
        assert not path.exists()
        path.write_bytes(data)  # as a kill between the commit and the removal leaves them
    assert recorded(home).version == 8
    assert not any(path.exists() for path in earlier)
