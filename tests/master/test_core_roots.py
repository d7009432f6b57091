"""Core follows HOME: a new root or policy is signed under, and handed on, as it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from saltern_master.core.alarms import Situation, alarms
from saltern_master.signing.authority import Authority, pinned, read_authority
from saltern_master.signing.ceremony import propose_root, take
from saltern_master.signing.home import Home
from saltern_master.signing.init import sign_policy
from saltern_master.signing.next_root import DAY, Wish
from saltern_protocol.documents import PayloadType
from saltern_protocol.envelope import verify
from saltern_protocol.keys import PrivateKey
from saltern_protocol.messages import Current, Fetch, Lease, Poke
from saltern_protocol.terms import MAX_COUNT
from saltern_protocol.testing import key

from tests.master.clusters import SMALL
from tests.master.core_front import SECONDS
from tests.master.core_laws import run, taken
from tests.master.core_stand import Stand, now
from tests.master.homes import NOW, made_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return made_home(tmp_path)


def rotate(home: Home, role: str, new: PrivateKey, raise_epoch: bool = False) -> None:
    at = int(now())
    with home.locked():
        wishes = {role: Wish((new.public,), 1)}
        take(home, propose_root(home, wishes, raise_epoch, at, {role: new}), at)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not holds():
            await asyncio.sleep(0.02)


def test_a_new_lease_key_is_used_without_a_restart_and_nodes_are_given_the_root(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        await stand.service.apply(SMALL.encode())
        before = await w1.fetch()
        rotate(home, "lease", key(50))

        await w1.hear(Poke)
        after = await w1.fetch()
        assert (after.document, after.roots) == (before.document, (home.roots()[1],))
        lease = await w1.connect(root=2)
        verify(lease.lease, PayloadType.LEASE, [key(50).public], 1)
        w1.say(Fetch())
        await w1.hear(Current)  # it lacks nothing any more

    run(home, law)


@pytest.mark.parametrize("raise_epoch", [False, True])
def test_a_new_state_key_signs_every_document_anew(home: Home, raise_epoch: bool) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        text = SMALL + "- {name: w2, address: 10.9.0.22}\n"
        await stand.service.apply(text.encode())
        before = [await one.fetch() for one in (w1, w2)]
        rotate(home, "state", key(50), raise_epoch)

        for one, old in zip((w1, w2), before, strict=True):
            await one.hear(Poke)
            new = await one.fetch()
            assert new.body == old.body
            verify(new.document, PayloadType.DOCUMENT, [key(50).public], 1)
            assert one.held == (1 if raise_epoch else 2)

    run(home, law)


@pytest.mark.parametrize("raise_epoch", [False, True])
def test_what_was_taken_back_is_signed_anew_for_a_person_and_for_nobody_else(
    home: Home, raise_epoch: bool
) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        two = SMALL + "- {name: w2, address: 10.9.0.22}\n"
        await taken(await stand.service.apply(two.encode()), w1, w2)
        w1.say(w1.health("taken back", version=0))
        peers = stand.office.known.peers
        await until(lambda: peers["w1"].took_back)
        rotate(home, "state", key(50), raise_epoch)
        await stand.office.rolling.renew()
        assert await stand.office.rolling.again() is None
        assert names_of(stand) == {"w1": (1, 1), "w2": (2, 1) if raise_epoch else (1, 2)}
        assert any("the document of w1 is not renewed" in line for line in stand.log)

        again = await stand.service.apply(two.encode())
        assert again.revision == 1
        assert names_of(stand) == dict.fromkeys(("w1", "w2"), (2, 1) if raise_epoch else (1, 2))

    run(home, law)


def test_what_was_taken_back_under_the_same_root_is_tried_again_by_a_person(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        await taken(await stand.service.apply(SMALL.encode()), w1)
        w1.say(w1.health("taken back", version=0))
        await until(lambda: stand.office.known.peers["w1"].took_back)
        await stand.service.apply(SMALL.encode())
        assert names_of(stand) == {"w1": (1, 2)}
        await stand.service.apply(SMALL.encode())
        assert names_of(stand) == {"w1": (1, 2)}  # it is on its way: once is enough

    run(home, law)


def names_of(stand: Stand) -> dict[str, tuple[int, int]]:
    """Give the epoch and version of the document that each node shall have."""
    shall = {name: one.document for name, one in stand.office.known.peers.items()}
    return {name: (one.epoch, one.version) for name, one in shall.items() if one is not None}


def test_versions_that_a_thief_ran_high_count_for_nothing_under_a_new_epoch(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        await stand.service.apply(SMALL.encode())
        await w1.fetch()
        w1.held, w1.document = MAX_COUNT, b"t" * 32
        await w1.connect()
        assert [one.kind for one in stand.office.look_for_alarms()] == ["ahead"]

        rotate(home, "state", key(50), raise_epoch=True)
        await until(lambda: any("under root 2" in line for line in stand.log))
        assert stand.office.look_for_alarms() == ()  # while its last word is still the old one
        await w1.fetch()
        assert w1.held == 1
        await w1.connect(root=2, epoch=2)
        for state in ("applying", "stuck"):  # its status is from before it began to
            w1.say(w1.health(state, version=MAX_COUNT, nonce=bytes(16)))
            await w1.hear(Lease)
        assert "ahead" not in [one.kind for one in stand.office.look_for_alarms()]

    run(home, law)


def test_a_node_that_slept_is_given_every_root_that_it_lacks(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        await stand.service.apply(SMALL.encode())
        await w1.fetch()
        w1.disconnect()
        for number, role in enumerate(("root", "policy", "state", "lease", "root")):
            rotate(home, role, key(50 + number))
        await until(lambda: any("under root 6" in line for line in stand.log))

        await w1.connect()
        await w1.hear(Poke)
        doc = await w1.fetch()
        assert doc.roots == home.roots()[1:]
        trust = pinned(home.roots()[0]).walk_all(doc.roots).with_policy(doc.policy)
        verify(doc.document, PayloadType.DOCUMENT, trust.root.roles.state.keys, 1)

    run(home, law)


def test_a_root_that_lacks_its_policy_is_told_and_does_not_stop_the_master(home: Home) -> None:
    (home.path / "keys" / "policy.key").rename(home.path / "policy.elsewhere")

    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        rotate(home, "lease", key(50), raise_epoch=True)
        await until(lambda: any("not yet under the newest root" in line for line in stand.log))
        assert isinstance(await w1.connect(), Lease)
        told = [one.kind for one in stand.office.look_for_alarms()]
        assert told.count("root-held-back") == 1

        (home.path / "policy.elsewhere").rename(home.path / "keys" / "policy.key")
        sign_policy(home, int(now()))
        await until(lambda: any("under root 2 (epoch 2)" in line for line in stand.log))
        assert "root-held-back" not in [one.kind for one in stand.office.look_for_alarms()]

    run(home, law)


@pytest.mark.parametrize(
    ("days", "kinds"),
    [
        (0, []),
        (60, ["policy-ending"]),
        (91, ["policy-ending"]),
        (310, ["root-ending", "policy-ending"]),
        (366, ["root-ending", "policy-ending"]),
    ],
)
def test_root_and_policy_that_run_out_are_told_long_before(
    home: Home, days: int, kinds: list[str]
) -> None:
    authority = read_authority(home)
    found = alarms(Situation(NOW + days * DAY + 1, authority=authority))
    assert [one.kind for one in found] == kinds
    assert all(("has expired" in one.why) == _over(authority, one.kind, days) for one in found)


def _over(authority: Authority, kind: str, days: int) -> bool:
    thing = authority.root if kind.startswith("root") else authority.policy
    return thing.expires <= NOW + days * DAY + 1
