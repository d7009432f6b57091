"""Core as a whole: a store in memory, a front of ours, nodes that say what they are told to."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_master.api.drifts import DriftAsk
from saltern_master.api.service import ServiceError
from saltern_master.core.turns import Limits
from saltern_master.library import Library
from saltern_master.records.codec import hold
from saltern_master.records.documents import Issued, document_key
from saltern_master.records.health import every_health
from saltern_master.records.turns import newest_turn
from saltern_master.signing.home import Home
from saltern_protocol import messages
from saltern_protocol.messages import Current, Poke, Report
from saltern_states.body import read_body
from saltern_states.secret import Secret

from tests.master.clusters import CONTROLLED, SMALL
from tests.master.core_laws import ended, run, taken
from tests.master.core_stand import Stand
from tests.master.homes import OWN, made_home

TWO = SMALL + "- {name: w2, address: 10.9.0.22}\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return made_home(tmp_path)


def test_a_document_goes_out_and_its_result_comes_back(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        turn = await stand.service.apply(SMALL.encode())
        await w1.hear(Poke)
        doc = await w1.fetch()
        body = (home.path / "blobs" / doc.body.hex()).read_bytes()
        needed = {doc.body, *(bytes.fromhex(one) for one in read_body(body).blobs)}
        granted = set(stand.front.grants[w1.key])
        await w1.report(w1.applied(turn.turn, "changed"))

        assert granted == needed
        assert await ended(stand, turn) == {"w1": "changed"}
        node = await stand.service.node("w1")
        assert (node.version, node.wanted, node.pods) == (1, 1, "10.10.0.0/24")

    run(home, law)


def test_the_same_file_again_asks_for_a_look_and_signs_nothing(home: Home) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        first = await stand.service.apply(TWO.encode())
        await taken(first, w1, w2)
        again = await stand.service.apply(TWO.encode())
        for node in (w1, w2):  # each is known to have the newest: it needs not ask
            assert await node.hear(Current) == Current(turn=again.turn)
            node.say(node.looked(again.turn))

        assert await ended(stand, again) == {"w1": "converged", "w2": "converged"}
        assert again.revision == first.revision == 1
        assert (await stand.service.node("w1")).wanted == 1

    run(home, law)


def test_another_file_gives_only_who_differs_a_new_document(home: Home) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        await taken(await stand.service.apply(TWO.encode()), w1, w2)
        group = "groups: [{match: name=w2, sysctls: {vm.max_map_count: '300000'}}]\n"
        turn = await stand.service.apply((TWO + group).encode())

        assert turn.revision == 2
        wanted = {one.name: one.wanted for one in (await stand.service.status()).nodes}
        assert wanted == {"w1": 1, "w2": 2}

    run(home, law)


def test_what_policy_does_not_allow_is_told_for_all_nodes_and_leaves_no_trace(home: Home) -> None:
    async def law(stand: Stand) -> None:
        await stand.joined("w1", "w2")
        with pytest.raises(ServiceError) as caught:
            await stand.service.apply((TWO + OWN).encode())

        assert caught.value.code == "invalid"
        assert len(caught.value.faults) == 2
        assert newest_turn(stand.store) == 0

    run(home, law)


@pytest.mark.parametrize(
    ("node_class", "hello", "result", "says"),
    [
        ("control-plane", {}, "refused", "class worker"),
        ("worker", {"kinds": ("file/1",)}, "blocked", "too old"),
    ],
)
def test_who_cannot_take_its_body_is_named_and_the_others_go_on(
    home: Home, node_class: str, hello: dict[str, object], result: str, says: str
) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1", node_class=node_class)
        await stand.joined("w2")
        await w1.connect(**hello)
        turn = await stand.service.apply(TWO.encode())
        first, second = turn.nodes

        assert {one.node: one.result for one in (first, second)} == {"w1": result, "w2": "waiting"}
        assert says in next(one.why for one in turn.nodes if one.node == "w1")

    run(home, law)


def test_who_is_away_is_unreachable_and_is_taken_when_it_comes_back(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        w1.disconnect()
        turn = await stand.service.apply(SMALL.encode())
        assert await ended(stand, turn) == {"w1": "unreachable"}

        await w1.connect()
        await taken(turn, w1)
        (line,) = (await stand.service.turn(turn.turn)).nodes
        assert line.result == "changed"

    run(home, law)


def test_who_tells_nothing_expires(home: Home) -> None:
    async def law(stand: Stand) -> None:
        await stand.joined("w1")
        turn = await stand.service.apply(SMALL.encode())

        assert await ended(stand, turn) == {"w1": "expired"}

    run(home, law, limits=Limits(grace=5, deadline=0.3))


def test_a_newer_apply_takes_over(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        older = await stand.service.apply(SMALL.encode())
        newer = await stand.service.apply(SMALL.encode())
        await taken(newer, w1)

        assert await ended(stand, older) == {"w1": "superseded"}
        assert await ended(stand, newer) == {"w1": "changed"}

    run(home, law)


def test_a_core_that_was_started_again_goes_on_with_a_turn(home: Home) -> None:
    numbers: list[int] = []

    async def before(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        turn = await stand.service.apply(TWO.encode())
        numbers.append(turn.turn)
        await taken(turn, w1)
        await w2.report(w2.deviation("motd"))

    async def after(stand: Stand) -> None:
        turn = await stand.service.turn(numbers[0])
        assert {one.node: one.result for one in turn.nodes} == {"w1": "changed", "w2": "waiting"}
        (drift,) = await stand.service.drift(DriftAsk(most=10, open=True))
        assert (drift.node, drift.resource) == ("w2", "motd")
        assert (await stand.service.status()).revision == 1

        w2 = stand.nodes["w2"]
        await w2.connect()
        await taken(turn, w2)
        assert await ended(stand, turn) == {"w1": "changed", "w2": "changed"}

    run(home, before, after)


def test_a_report_that_comes_again_after_a_kill_is_acknowledged_and_kept_once(home: Home) -> None:
    said: list[Report] = []

    async def before(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        said.append(Report(first=1, items=(w1.deviation("a"), w1.deviation("b"))))
        w1.say(*said)
        await w1.hear(messages.Ack)

    async def after(stand: Stand) -> None:
        w1 = stand.nodes["w1"]
        await w1.connect()
        w1.say(*said)
        assert (await w1.hear(messages.Ack)).seq == 2
        assert len(await stand.service.drift(DriftAsk(nodes=frozenset({"w1"}), most=10))) == 2

    run(home, before, after)


def test_who_joins_later_gets_its_part_of_the_applied_file(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        turn = await stand.service.apply(TWO.encode())
        await taken(turn, w1)
        assert (await ended(stand, turn))["w2"] == "unreachable"

        (w2,) = await stand.joined("w2")
        await w2.hear(Poke)
        doc = await w2.fetch()
        assert doc.turn == turn.turn + 1
        names = [one.node for one in (await stand.service.turn(doc.turn)).nodes]
        assert names == ["w2"]

    run(home, law)


def test_a_revoked_node_is_heard_no_more_and_no_turn_waits_for_it(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        turn = await stand.service.apply(SMALL.encode())
        await stand.service.revoke("w1")
        stand.front.allowed.add(w1.key)  # a front that lets it through all the same
        w1.say(w1.hello(), Report(first=1, items=(w1.deviation("a"),)))
        (w2,) = await stand.joined("w2")  # an answer that comes after it

        assert w2.key in stand.front.allowed
        assert await ended(stand, turn) == {"w1": "refused"}
        assert await stand.service.drift(DriftAsk(most=10)) == ()
        assert stand.office.desk.seen.counts["of no node"] == 2

    run(home, law)


def test_a_node_is_removed_when_it_says_that_it_is_empty(home: Home) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        await taken(await stand.service.apply(TWO.encode()), w1, w2)
        turn = await stand.service.remove("w2", False)
        assert (await stand.service.node("w2")).state == "removing"
        await w2.hear(Poke)
        doc = await w2.fetch()
        assert read_body((home.path / "blobs" / doc.body.hex()).read_bytes()).resources == ()
        assert (await stand.service.node("w2")).state == "removing"
        await w2.report(w2.applied(turn.turn, "changed"))

        while (await stand.service.node("w2")).state != "removed":
            await asyncio.sleep(0.01)
        while w2.key in stand.front.allowed:
            await asyncio.sleep(0.01)
        assert [(one.key, one.reason) for one in stand.front.expelled] == [(w2.key, "removed")]
        assert [one.name for one in (await stand.service.status()).nodes] == ["w1"]
        again = await stand.service.apply(TWO.encode())
        assert {one.node: one.result for one in again.nodes} == {
            "w1": "waiting",
            "w2": "unreachable",
        }

    run(home, law)


@pytest.mark.parametrize("revoked", [True, False], ids=["revoked", "forced"])
def test_a_node_that_is_forgotten_at_once_leaves_nothing_behind(home: Home, revoked: bool) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        await taken(await stand.service.apply(TWO.encode()), w1, w2)
        await w2.report(w2.deviation("swap"))
        turn = await stand.service.apply(TWO.encode())
        if revoked:
            await stand.service.revoke("w2")
        await stand.service.remove("w2", not revoked)

        assert every_health(stand.store) == ()
        assert hold(stand.store, document_key("w2"), Issued).value is None
        (drift,) = await stand.service.drift(DriftAsk(nodes=frozenset({"w2"}), most=10))
        assert drift.outcome == ("its node was revoked" if revoked else "its node was removed")
        assert await stand.service.drift(DriftAsk(most=10, open=True)) == ()
        while w2.key in stand.front.allowed:
            await asyncio.sleep(0.01)
        assert stand.front.expelled[0].reason == ("revoked" if revoked else "removed")
        assert not stand.office.known.turns[turn.turn].waits_for("w2")
        again = await stand.service.apply(TWO.encode())
        assert {one.node: one.result for one in again.nodes}["w2"] == "unreachable"
        await stand.joined("w2")

    async def started_again(stand: Stand) -> None:
        assert (await stand.service.node("w2")).state == "joined"
        assert not any("failed" in line for line in stand.log)

    run(home, law, started_again)


def test_a_removal_that_reaches_nobody_says_so_from_the_first_word(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        await taken(await stand.service.apply(SMALL.encode()), w1)
        w1.disconnect()
        while not stand.office.known.gone:
            await asyncio.sleep(0.01)
        turn = await stand.service.remove("w1", False)
        assert "saltern node remove w1 --forget" in turn.nodes[0].why
        assert await ended(stand, turn) == {"w1": "unreachable"}
        (line,) = (await stand.service.turn(turn.turn)).nodes
        assert "saltern node remove w1 --forget" in line.why

        await stand.service.remove("w1", True)
        assert (await stand.service.node("w1")).state == "removed"

    run(home, law)


def test_a_removal_that_was_cut_off_begins_anew(home: Home) -> None:
    async def before(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        await taken(await stand.service.apply(TWO.encode()), w1, w2)
        await stand.service.remove("w2", False)

    async def after(stand: Stand) -> None:
        w2 = stand.nodes["w2"]
        await w2.connect()
        await w2.hear(Poke)
        doc = await w2.fetch()
        await w2.report(w2.applied(doc.turn, "changed"))
        while (await stand.service.node("w2")).state != "removed":
            await asyncio.sleep(0.01)

    run(home, before, after)


def test_a_control_plane_gets_its_secret_sealed_once_and_granted(home: Home) -> None:
    program = home.path / "kube-proxy"
    program.write_bytes(b"a kube-proxy")
    library = Library(home.path)
    sha256 = library.add_blob(program)
    kubelet = library.binary("1.20.2", "kubelet")
    library.add_binary(replace(kubelet, component="kube-proxy", sha256=sha256, size=12))

    async def law(stand: Stand) -> None:
        (cp1,) = await stand.joined("cp1", node_class="control-plane")
        (w1,) = await stand.joined("w1")
        first = await stand.service.apply(CONTROLLED.encode())
        await taken(first, cp1, w1)
        again = await stand.service.apply(CONTROLLED.encode())
        body = read_body((home.path / "blobs" / stand.front.grants[cp1.key][0].hex()).read_bytes())
        (secret,) = [one.spec for one in body.resources if isinstance(one.spec, Secret)]

        assert {one.node: one.result for one in again.nodes} == {
            "cp1": "waiting",
            "w1": "waiting",
            "w2": "unreachable",
        }
        assert again.revision == first.revision
        assert bytes.fromhex(secret.blob) in stand.front.grants[cp1.key]
        assert bytes.fromhex(secret.blob) not in stand.front.grants[w1.key]

    run(home, law)
