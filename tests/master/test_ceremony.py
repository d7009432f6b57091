"""Roots N+1 and policies: proposed, signed by one after the other, taken in; refusals say all."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltern_master.signing.authority import (
    newest_policy,
    newest_root,
    pinned,
    read_authority,
)
from saltern_master.signing.ceremony import make_key, propose_policy, propose_root, take
from saltern_master.signing.home import Home
from saltern_master.signing.init import init, sign_policy
from saltern_master.signing.key_file import HomeError, read_key
from saltern_master.signing.next_root import (
    ROOT_LIFE,
    CeremonyError,
    Wish,
    key_named,
    next_root,
    without,
)
from saltern_master.signing.proposal import (
    decode_proposal,
    encode_proposal,
    lacking,
    needs,
    sign_proposal,
)
from saltern_protocol.keys import PrivateKey, generate
from saltern_protocol.root import Root
from saltern_protocol.testing import key
from saltern_protocol.trust import Trust

from tests.master.homes import NOW, Chance, believed, made_home, signed

OTHERS = (bytes([number]) for number in range(100))
PEOPLE = (key(41), key(42), key(43))
MADE = {"lease": key(50)}
TWO_OF_THREE = Wish(tuple(one.public for one in PEOPLE), 2)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return made_home(tmp_path)


def rotated(home: Home, role: str, new: PrivateKey, raise_epoch: bool = False) -> Root:
    """Give a role another key that is made here, and take that in."""
    wishes = {role: Wish((new.public,), 1)}
    proposal = propose_root(home, wishes, raise_epoch, NOW, {role: new})
    thing = take(home, proposal, NOW).thing
    assert isinstance(thing, Root)
    return thing


def walked(home: Home, first: bytes) -> Trust:
    """Believe what a node believes that has the first root and is given the whole chain."""
    return pinned(first).walk_all(home.roots()).with_policy(home.policy_envelope())


@pytest.mark.parametrize("role", ["root", "policy", "state", "lease"])
def test_one_person_rotates_any_role_in_one_step(home: Home, role: str) -> None:
    first = home.roots()[0]
    signed(home)
    root = rotated(home, role, key(50))
    assert (root.version, root.expires) == (2, NOW + ROOT_LIFE)
    assert read_authority(home).root == root == walked(home, first).root
    signed(home)
    document, _, _ = believed(home)
    assert document.version == (2 if role == "state" else 1)


def test_a_key_that_was_rotated_away_signs_nothing_more(home: Home) -> None:
    old = home.key("state")
    rotated(home, "state", key(50))
    authority = read_authority(home)
    assert [one.public for one in authority.state_keys] == [key(50).public]
    assert old.public not in authority.root.roles.state.keys


def test_two_of_three_sign_one_after_the_other(home: Home, tmp_path: Path) -> None:
    proposal = propose_root(home, {"root": TWO_OF_THREE}, False, NOW)
    assert [need.missing for need in needs(proposal)] == [0, 2]  # the old root key is here
    with pytest.raises(CeremonyError, match="root keys of root 2: 0 of 2 have signed; any of"):
        take(home, proposal, NOW)

    for person in (PEOPLE[2], PEOPLE[0]):  # a file goes from one to the next
        path = tmp_path / "root-2.proposal"
        path.write_bytes(encode_proposal(proposal))
        proposal = sign_proposal(decode_proposal(path.read_bytes()), person)
    assert lacking(proposal) == ()
    take(home, proposal, NOW)
    assert newest_root(home).roles.root.threshold == 2

    with pytest.raises(CeremonyError, match="has signed already"):
        sign_proposal(proposal, PEOPLE[0])
    with pytest.raises(CeremonyError, match="none of those that count"):
        sign_proposal(proposal, key(99))


def test_the_next_root_needs_two_of_the_three(home: Home) -> None:
    proposal = propose_root(home, {"root": TWO_OF_THREE}, False, NOW)
    take(home, sign_proposal(sign_proposal(proposal, PEOPLE[0]), PEOPLE[1]), NOW)

    proposal = sign_proposal(propose_root(home, {}, False, NOW), PEOPLE[1])
    with pytest.raises(CeremonyError, match="root keys of root 2: 1 of 2 have signed"):
        take(home, proposal, NOW)
    take(home, sign_proposal(proposal, PEOPLE[2]), NOW)
    assert newest_root(home).version == 3


def test_a_policy_is_signed_by_a_key_that_is_not_here(home: Home, tmp_path: Path) -> None:
    elsewhere = tmp_path / "policy.key"
    (home.path / "keys" / "policy.key").rename(elsewhere)
    with pytest.raises(CeremonyError, match="saltern policy --out FILE"):
        sign_policy(home, NOW)

    proposal = propose_policy(home, NOW)
    with pytest.raises(CeremonyError, match=r"policy 2\n  policy keys of root 1: 0 of 1"):
        take(home, proposal, NOW)
    take(home, sign_proposal(proposal, read_key(elsewhere)), NOW)
    policy = newest_policy(home)
    assert policy is not None
    assert policy.version == read_authority(home).policy.version == 2


def test_without_a_policy_under_it_a_new_root_waits_and_the_master_goes_on(
    home: Home, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "policy.key"
    (home.path / "keys" / "policy.key").rename(elsewhere)
    taken = take(home, propose_root(home, {}, True, NOW), NOW)
    assert any("has to be signed under root 2" in note for note in taken.notes)
    authority = read_authority(home)
    assert (authority.root.version, newest_root(home).version) == (1, 2)
    assert "not signed under it (wrong-epoch)" in authority.held_back

    take(home, sign_proposal(propose_policy(home, NOW), read_key(elsewhere)), NOW)
    authority = read_authority(home)
    assert (authority.root.version, authority.root.epoch, authority.held_back) == (2, 2, "")


def test_a_raised_epoch_starts_versions_afresh(home: Home) -> None:
    signed(home)
    rotated(home, "state", key(50), raise_epoch=True)
    signed(home)
    document, _, _ = believed(home)
    assert document.epoch == 2


def test_everything_against_a_root_is_told_at_once(home: Home) -> None:
    old = propose_root(home, {"root": TWO_OF_THREE, "state": Wish((key(60).public,), 1)}, False, 1)
    rotated(home, "lease", key(50))
    with pytest.raises(CeremonyError) as caught:
        take(home, old, NOW + ROOT_LIFE)
    text = str(caught.value)
    for part in ("has expired", "0 of 2 have signed", "after root 2 comes 3", "state: the private"):
        assert part in text
    assert newest_root(home).version == 2


def test_everything_against_a_wish_is_told_at_once(home: Home) -> None:
    root = newest_root(home)
    policy = root.roles.policy.keys[0]
    wishes = {
        "root": Wish((PEOPLE[0].public, PEOPLE[0].public), 2),
        "state": Wish((policy,), 1),
        "lease": Wish(TWO_OF_THREE.keys, 2),
    }
    with pytest.raises(CeremonyError) as caught:
        next_root(root, wishes, False, NOW)
    text = str(caught.value)
    for part in (
        "given twice",
        "2 of 1 keys",
        "one key must be enough",
        "is one of policy already",
    ):
        assert part in text


def test_a_role_that_would_lack_keys_is_not_left_so(home: Home) -> None:
    root = newest_root(home)
    (policy,) = root.roles.policy.keys
    with pytest.raises(CeremonyError, match="put another in its place"):
        without(root, policy, ())
    assert without(root, policy, (key(70).public,)) == {"policy": Wish((key(70).public,), 1)}
    with pytest.raises(CeremonyError, match="names it for nothing"):
        without(root, key(99).public, ())
    assert key_named(root, policy.fingerprint) == key_named(root, str(policy)) == policy


def test_another_homes_root_is_not_taken_in(home: Home, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Home(tmp_path / "other" / "home")
    init(other, "other", NOW, lambda size: b"o" * (size - 1) + next(OTHERS))
    proposal = propose_root(other, {}, False, NOW)
    assert lacking(proposal) == ()  # in its own home it would be
    with pytest.raises(CeremonyError) as caught:
        take(home, proposal, NOW)
    assert 'cluster "other"' in str(caught.value)
    assert "root keys of root 1: 0 of 1 have signed" in str(caught.value)


def test_a_key_file_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "me.key"
    public = make_key(path, Chance())
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_key(path).public == public == generate(Chance()).public
    with pytest.raises(HomeError, match="File exists"):
        make_key(path, Chance())
    (tmp_path / "link.key").symlink_to(tmp_path / "nowhere")
    with pytest.raises(HomeError, match="cannot make the key"):
        make_key(tmp_path / "link.key", Chance())


def test_what_is_no_proposal_is_told_so() -> None:
    with pytest.raises(CeremonyError, match="cannot read this proposal"):
        decode_proposal(b"\x80")


def test_a_chain_has_no_gap(home: Home) -> None:
    with pytest.raises(HomeError, match="not the next one"):
        home.add_root(3, b"")
    with pytest.raises(HomeError, match="not the next one"):
        home.add_root(1, b"")


def test_a_home_from_before_a_root_takes_the_same_file_again(home: Home) -> None:
    proposal = propose_root(home, {"lease": Wish((key(50).public,), 1)}, False, NOW, MADE)
    file = encode_proposal(proposal)
    take(home, decode_proposal(file), NOW)
    chain = home.roots()
    (home.path / "roots" / "2.envelope").unlink()  # as a backup of the day before has it
    take(home, decode_proposal(file), NOW)
    assert home.roots() == chain
