"""What is signed is what a node believes; what is not allowed is not signed and leaves no trace."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
import zmq
from saltern_master.cluster.faults import ClusterFileError
from saltern_master.library import Library
from saltern_master.signing.home import Home, link_public
from saltern_master.signing.init import init, sign_policy
from saltern_master.signing.key_file import HomeError
from saltern_master.signing.next_root import DAY, CeremonyError
from saltern_master.signing.recorded import open_store, recorded_allocation
from saltern_master.signing.sign import SignError, sign
from saltern_protocol.errors import RefusedError
from zmq.utils import z85

from tests.master.clusters import SMALL
from tests.master.homes import (
    MODES,
    NOW,
    OTHER,
    OWN,
    TWO,
    Chance,
    believed,
    believed_body,
    compiling,
    made_home,
    recorded,
    signed,
    snapshot,
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return made_home(tmp_path)


def test_keys_are_for_their_owner_alone(home: Home) -> None:
    modes = {name: (home.path / name).stat().st_mode & 0o777 for name in MODES}
    assert modes == MODES
    keys = sorted((home.path / "keys").iterdir())
    names = ["lease.key", "link.key", "policy.key", "root.key", "state.key"]
    assert [key.name for key in keys] == names
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
    with pytest.raises(CeremonyError, match=r"saltern policy --out FILE\n.*0 of 1 have signed"):
        sign_policy(home, NOW)


def test_blobs_lie_beside_the_statements(home: Home) -> None:
    signed(home)
    (blob,) = (home.path / "out" / "blobs").iterdir()
    assert blob.read_bytes() == b"a kubelet"
    assert blob.stat().st_ino == Library(home.path).path(blob.name).stat().st_ino
    body = Library(home.path).path(recorded(home).body)
    assert body.read_bytes() == believed_body(home)
    assert body.stat().st_mode & 0o777 == 0o444


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
    assert secret not in {home.key(role).seed() for role in ("root", "policy", "state", "lease")}
    (home.path / "keys" / "link.key").unlink()
    with pytest.raises(HomeError, match=r"cannot read .*link\.key.*nodes know the master by it"):
        home.link_key()
