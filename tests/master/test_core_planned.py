"""What was planned is applied as it was seen, or refused; and what stays of that afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltern_master.api.plans import Expected, NodePlan, PlanLineView, PlanView
from saltern_master.api.service import ServiceError
from saltern_master.records.documents import hold_document
from saltern_master.signing.home import Home
from saltern_protocol.messages import Doc, Fetch, Poke

from tests.master.clusters import SMALL
from tests.master.core_laws import ended, run, taken
from tests.master.core_stand import Stand
from tests.master.homes import made_home
from tests.master.plan_pages import digest_of

TWO = SMALL + "- {name: w2, address: 10.9.0.22}\n"
THREE = TWO + "- {name: w3, address: 10.9.0.23}\n"
SYSCTLS = "groups: [{match: 'name=w*', sysctls: {vm.max_map_count: '300000'}}]\n"
MOTD = PlanLineView(
    resource="motd", verb="hold", finding="to change", change="write /etc/motd", impact="none"
)
OTHER = PlanLineView(
    resource="motd", verb="hold", finding="to change", change="write 9 bytes", impact="none"
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return made_home(tmp_path)


async def seen(stand: Stand, file: str, *names: str) -> dict[str, Expected]:
    """Plan, and give what a person has seen of these nodes."""
    plan = await stand.service.plan(file.encode(), "")
    *_, last = [one async for one in stand.service.follow_plan(plan.plan)]
    assert isinstance(last, PlanView)
    return {
        one.node: Expected(body=one.body, digest=one.digest)
        for one in last.nodes
        if isinstance(one, NodePlan) and one.node in names
    }


async def stale(stand: Stand, file: str, expects: dict[str, Expected]) -> tuple[str, ...]:
    """Give why a plan is not applied."""
    with pytest.raises(ServiceError) as caught:
        await stand.service.apply_planned(file.encode(), expects)
    assert caught.value.code == "conflict"
    return caught.value.faults


def expects_of(stand: Stand, name: str) -> str:
    issued = hold_document(stand.store, name).value
    assert issued is not None
    return issued.expects


def test_the_document_says_what_plan_it_is_to_be(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        w1.foresee(MOTD)
        turn = await stand.service.apply_planned(SMALL.encode(), await seen(stand, SMALL, "w1"))
        doc = await w1.hear(Doc)
        waits = expects_of(stand, "w1")
        w1.take(doc)
        await w1.report(w1.applied(turn.turn, "changed"))

        assert (doc.turn, doc.expects, waits) == (turn.turn, digest_of(MOTD), digest_of(MOTD).hex())
        assert await ended(stand, turn) == {"w1": "changed"}
        assert expects_of(stand, "w1") == ""  # from here on it is the node's state
        await w1.connect(epoch=0, version=0, document=b"")  # which it can lose, and has again
        assert (await w1.hear(Doc)).expects == b""

    run(home, law)


def test_a_node_that_finds_it_stale_says_so_and_a_plain_apply_lifts_it(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        w1.foresee(MOTD)
        turn = await stand.service.apply_planned(SMALL.encode(), await seen(stand, SMALL, "w1"))
        refused = await w1.hear(Doc)
        why = "it would now write 9 bytes"
        await w1.report(w1.applied(turn.turn, "refused", version=1, reason="stale", why=why))
        first = await stand.service.turn(turn.turn)
        assert [(one.result, one.why) for one in first.nodes] == [("refused", why)]
        plain = await stand.service.apply(SMALL.encode())
        doc = await w1.hear(Doc)

        assert refused.expects == digest_of(MOTD)
        assert (doc.turn, doc.expects) == (plain.turn, b"")
        assert doc.body == refused.body
        assert doc.document != refused.document  # no node takes the one for the other
        assert (await stand.service.node("w1")).wanted == 2

    run(home, law)


def test_who_was_away_is_asked_the_same_by_another_core(home: Home) -> None:
    async def begin(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        w1.foresee(MOTD)
        expects = await seen(stand, SMALL, "w1")
        await stand.service.apply_planned(SMALL.encode(), expects)

    async def go_on(stand: Stand) -> None:
        w1 = stand.nodes["w1"]
        await w1.connect()
        await w1.hear(Poke)
        w1.say(Fetch())
        assert (await w1.hear(Doc)).expects == digest_of(MOTD)

    run(home, begin, go_on)


def test_what_moved_is_told_in_words_and_nothing_is_begun(home: Home) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        w1.foresee(MOTD)
        w2.foresee(MOTD)
        expects = await seen(stand, TWO, "w1", "w2")
        before = {one.key: one.value for one in stand.store.list("", most=10_000)}
        w1.foresee(OTHER)
        w2.foresee()
        faults = await stale(stand, TWO, expects)

        assert faults == (
            "w1: it would now hold motd: write 9 bytes; "
            "it would no more hold motd: write /etc/motd",
            "w2: it would no more hold motd: write /etc/motd",
        )
        assert {one.key: one.value for one in stand.store.list("", most=10_000)} == before

    run(home, law)


def test_a_plan_of_another_core_is_held_against_what_nodes_say_now(home: Home) -> None:
    kept: dict[str, Expected] = {}

    async def save(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        w1.foresee(MOTD)
        kept.update(await seen(stand, SMALL, "w1"))

    async def moved(stand: Stand) -> None:
        await stand.nodes["w1"].connect()
        stand.nodes["w1"].foresee(OTHER)
        faults = await stale(stand, SMALL, kept)
        assert faults == ("w1: it would now do something else: hold motd: write 9 bytes",)

    async def same(stand: Stand) -> None:
        await stand.nodes["w1"].connect()
        stand.nodes["w1"].foresee(MOTD)
        turn = await stand.service.apply_planned(SMALL.encode(), kept)
        assert [one.result for one in turn.nodes] == ["waiting"]

    run(home, save, moved, same)


def test_who_cannot_be_asked_again_is_named_and_nothing_is_begun(home: Home) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        w1.foresee(MOTD)
        w2.foresee(MOTD)
        expects = await seen(stand, TWO, "w1", "w2")
        w2.disconnect()
        (fault,) = await stale(stand, TWO, expects)

        assert fault.startswith("w2: it cannot be asked again: it is not connected")
        assert (await stand.service.node("w1")).wanted == 0

    run(home, law)


def test_who_is_not_named_keeps_what_he_has_until_somebody_applies(home: Home) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        await taken(await stand.service.apply(THREE.encode()), w1, w2)
        w1.foresee(MOTD)
        w2.foresee(MOTD)
        expects = await seen(stand, THREE + SYSCTLS, "w1")
        turn = await stand.service.apply_planned((THREE + SYSCTLS).encode(), expects)
        wanted = {one.name: one.wanted for one in (await stand.service.status()).nodes}
        await stand.joined("w3")  # what that changes for others is rolled out
        await stand.nodes["w3"].hear(Poke)
        later = {one.name: one.wanted for one in (await stand.service.status()).nodes}
        await stand.service.apply((THREE + SYSCTLS).encode())
        last = {one.name: one.wanted for one in (await stand.service.status()).nodes}

        assert "w2 keeps what it has" in turn.notes
        assert wanted == {"w1": 2, "w2": 1}
        assert later["w2"] == 1
        assert last["w2"] == 2

    run(home, law)


def test_who_joins_lifts_nobodys_condition(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        w1.foresee(MOTD)
        expects = await seen(stand, TWO, "w1")
        await stand.service.apply_planned(TWO.encode(), expects)
        await stand.joined("w2")
        await stand.nodes["w2"].hear(Poke)

        assert expects_of(stand, "w1") == digest_of(MOTD).hex()

    run(home, law)


def test_a_plan_of_nobody_is_no_plan(home: Home) -> None:
    async def law(stand: Stand) -> None:
        with pytest.raises(ServiceError) as caught:
            await stand.service.apply_planned(SMALL.encode(), {})
        assert caught.value.code == "invalid"

    run(home, law)


def test_a_document_that_is_renewed_before_it_is_taken_keeps_its_condition(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        w1.foresee(MOTD)
        expects = await seen(stand, SMALL, "w1")
        await stand.service.apply_planned(SMALL.encode(), expects)
        peer = stand.office.known.peers["w1"]
        (old,) = stand.office.rolling._old(stand.now() + 16 * 24 * 3600)

        assert peer.document is not None
        assert old.expects == peer.document.expects == expects["w1"].digest

    run(home, law)
