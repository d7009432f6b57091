"""What is signed is what a node believes; what is not allowed is not signed and leaves no trace."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import zmq
from saltern_master.cluster.faults import ClusterFileError
from saltern_master.cluster.load import load
from saltern_master.compile.allocation import Allocation
from saltern_master.compile.cluster import Compilation, compile_cluster
from saltern_master.library import Binary, Library
from saltern_master.records.documents import hold_document
from saltern_master.records.nodes import Node, State, hold_node
from saltern_master.signing.home import Home, HomeError, link_public
from saltern_master.signing.init import DAY, init, sign_policy
from saltern_master.signing.recorded import known_facts, open_store, recorded_allocation
from saltern_master.signing.sign import Signed, SignError, sign
from saltern_protocol.documents import Document, Identity, decode_identity, decode_statement
from saltern_protocol.errors import RefusedError
from saltern_protocol.trust import Accepted, Trust
from saltern_states.body import read_body
from zmq.utils import z85

from tests.master.clusters import SMALL

NOW = 1_800_000_000
OWN = "resources: [{id: motd, spec: {kind: file/1, path: /etc/motd, text: hi}}]\n"
OTHER = SMALL + "resources: [{id: d, spec: {kind: directory/1, path: /etc/docker/d}}]\n"
MODES = {".": 0o711, "blobs": 0o711, "keys": 0o700, "pki": 0o700, "store.db": 0o600}
TWO = "- {name: w2, address: 10.9.0.22}\n"


def counting(start: int) -> bytes:
    return start.to_bytes(2, "big") * 16


class Chance:
    """Bytes that differ each time and are the same in every run."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, size: int) -> bytes:
        self.calls += 1
        return counting(self.calls)[:size]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    init(home, "demo", NOW, Chance())
    program = tmp_path / "kubelet"
    program.write_bytes(b"a kubelet")
    library = Library(home.path)
    sha256 = library.add_blob(program)
    library.add_binary(
        Binary(
            version="1.20.2",
            component="kubelet",
            architecture="amd64",
            sha256=sha256,
            size=9,
            origin="directory",
        )
    )
    return home


def compiling(home: Home, text: str = SMALL) -> Callable[[Allocation], Compilation]:
    stock = Library(home.path).list()
    return lambda before: compile_cluster(load(text.encode()), {}, before, stock)


def signed(home: Home, text: str = SMALL, now: int = NOW) -> tuple[Signed, ...]:
    return sign(home, "demo", compiling(home, text), home.path / "out", now, Chance())


def believed(
    home: Home, node: str = "w1", before: Accepted | None = None, now: int = NOW
) -> tuple[Document, Accepted, Identity]:
    """Take the files as the node would."""
    identity = decode_identity((home.path / "out" / f"{node}.identity").read_bytes())
    statement = decode_statement((home.path / "out" / f"{node}.statement").read_bytes())
    trust = Trust.pin(identity).follow(statement)
    document, entry = trust.accept(statement.document, statement.body, identity, before, now)
    body = read_body(statement.body)
    trust.permit(identity, [claim for one in body.resources for claim in one.claims])
    return document, entry, identity


def recorded(home: Home, name: str = "w1") -> Node:
    with open_store(home) as store:
        node = hold_node(store, name).value
    assert node is not None
    return node


def keep(home: Home, node: Node) -> None:
    with open_store(home) as store:
        store.commit(*hold_node(store, node.name).replaced(node))


def snapshot(home: Home) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in home.path.rglob("*") if path.is_file()}


def test_keys_are_for_their_owner_alone(home: Home) -> None:
    modes = {name: (home.path / name).stat().st_mode & 0o777 for name in MODES}
    assert modes == MODES
    keys = sorted((home.path / "keys").iterdir())
    assert [key.name for key in keys] == ["link.key", "policy.key", "root.key", "state.key"]
    assert all(key.stat().st_mode & 0o777 == 0o600 for key in keys)


def test_keys_are_never_made_over(home: Home) -> None:
    before = snapshot(home)
    with pytest.raises(HomeError, match="it holds keys"):
        init(home, "demo", NOW, Chance())
    assert snapshot(home) == before


def test_a_key_that_others_can_read_signs_nothing(home: Home) -> None:
    (home.path / "keys" / "state.key").chmod(0o640)
    with pytest.raises(HomeError, match="others can read it"):
        signed(home)


def test_a_broken_key_is_not_repeated_in_the_error(home: Home) -> None:
    path = home.path / "keys" / "state.key"
    secret = path.read_text()[:40]
    path.write_text(secret)
    with pytest.raises(HomeError) as caught:
        signed(home)
    assert secret not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_node_believes_what_was_signed(home: Home) -> None:
    (one,) = signed(home)
    document, _, identity = believed(home)
    assert (document.cluster, document.node, document.version) == ("demo", "w1", 1)
    assert document.expires == NOW + 30 * DAY
    assert identity.node_class == "worker"
    assert one.body == document.body.hex()
    with pytest.raises(RefusedError):
        believed(home, now=NOW + 31 * DAY)


def test_versions_rise_and_name_the_document_before(home: Home) -> None:
    signed(home)
    _, entry, first = believed(home)
    signed(home, OTHER)
    document, _, second = believed(home, before=entry)
    assert document.version == 2
    assert document.previous == entry.document
    assert first == second


def test_a_version_is_recorded_before_its_statement_appears(home: Home) -> None:
    signed(home)
    out = home.path / "out"
    (out / "w1.statement").unlink()
    (out / "w1.statement").mkdir()  # so that the file cannot be put there
    with pytest.raises(HomeError, match=r"cannot write .*w1\.statement"):
        signed(home, OTHER)
    assert recorded(home).version == 2
    (out / "w1.statement").rmdir()
    assert signed(home, OTHER)[0].version == 2
    assert believed(home)[0].version == 2
    assert signed(home)[0].version == 3


def test_each_node_has_an_incarnation_and_a_range_of_its_own(home: Home) -> None:
    chance = Chance()
    sign(home, "demo", compiling(home, SMALL + TWO), home.path / "out", NOW, chance)
    identities = [believed(home, node)[2] for node in ("w1", "w2")]
    assert len({one.incarnation for one in identities}) == 2
    with open_store(home) as store:
        ranges = recorded_allocation(store).ranges
    assert ranges == {"w1": "10.10.0.0/24", "w2": "10.10.1.0/24"}


def test_what_is_outside_policy_is_told_by_resource_and_leaves_no_trace(home: Home) -> None:
    before = snapshot(home)
    with pytest.raises(SignError) as caught:
        signed(home, SMALL + OWN)
    assert str(caught.value).splitlines()[1:] == ["  w1: motd: path /etc/motd"]
    assert snapshot(home) == before


def test_policy_is_what_was_signed_and_not_what_was_edited(home: Home) -> None:
    text = home.policy_file.read_text()
    home.policy_file.write_text(text.replace('- "/etc/docker"', '- "/etc/docker"\n    - /etc/motd'))
    with pytest.raises(SignError, match="was edited since; run: saltern policy"):
        signed(home, SMALL + OWN)
    assert sign_policy(home, NOW).version == 2
    assert signed(home, SMALL + OWN)[0].version == 1
    believed(home)


def test_a_policy_file_is_read_strictly(home: Home) -> None:
    home.policy_file.write_text(
        "apiVersion: saltern/v1\nclasses:\n  worker: {path: [/etc], units: all}\n"
    )
    with pytest.raises(ClusterFileError) as caught:
        sign_policy(home, NOW)
    assert [str(fault) for fault in caught.value.faults] == [
        "classes.worker.path: line 3: no such field; did you mean paths?",
        'classes.worker.units: line 3: expected a list, found "all"',
    ]


def test_documents_need_only_the_state_key(home: Home) -> None:
    (home.path / "keys" / "root.key").unlink()
    (home.path / "keys" / "policy.key").unlink()
    assert signed(home)[0].version == 1
    with pytest.raises(HomeError, match="bring the key here"):
        sign_policy(home, NOW)


def test_blobs_lie_beside_the_statements(home: Home) -> None:
    signed(home)
    (blob,) = (home.path / "out" / "blobs").iterdir()
    assert blob.read_bytes() == b"a kubelet"
    assert blob.stat().st_ino == Library(home.path).path(blob.name).stat().st_ino


def test_contents_that_are_missing_are_all_told(home: Home) -> None:
    make = compiling(
        home,
        SMALL + "resources:\n"
        f"- {{id: a, spec: {{kind: artifact/1, path: /etc/docker/a, sha256: {'ab' * 32}}}}}\n"
        f"- {{id: b, spec: {{kind: artifact/1, path: /etc/docker/b, sha256: {'cd' * 32}}}}}\n",
    )
    with pytest.raises(SignError) as caught:
        sign(home, "demo", make, home.path / "out", NOW, Chance())
    assert str(caught.value).splitlines()[1:] == [
        f"  {'ab' * 32} of a",
        f"  {'cd' * 32} of b",
    ]
    assert not (home.path / "out").exists()


def test_another_clusters_home_signs_nothing(home: Home) -> None:
    with pytest.raises(SignError, match='is the home of "demo"'):
        sign(home, "other", compiling(home), home.path / "out", NOW, Chance())


def test_what_a_node_would_refuse_is_not_published(home: Home) -> None:
    with pytest.raises(RefusedError, match="sign a new policy"):
        signed(home, now=NOW + 91 * DAY)
    assert not (home.path / "out").exists()


def test_a_home_that_is_none_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="run: saltern init"):
        signed(Home(tmp_path / "no"))


def test_the_link_key_is_a_curve_key_of_its_own(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    made = init(home, "demo", NOW, secrets.token_bytes)
    secret = home.link_key()
    text = zmq.curve_public(z85.encode(secret))
    assert z85.decode(text) == link_public(secret) == made.link
    assert secret not in {home.key(role).seed() for role in ("root", "policy", "state")}
    (home.path / "keys" / "link.key").unlink()
    with pytest.raises(HomeError, match=r"cannot read .*link\.key.*nodes know the master by it"):
        home.link_key()


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
    assert statement.policy == home.envelope("policy")
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
