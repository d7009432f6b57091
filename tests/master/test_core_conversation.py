"""What a node says and what comes of it: tables, and whole conversations by their kinds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec.structs import replace as with_fields
from saltern_master.core.conversation import Said, UnheardError, hear
from saltern_master.core.peer import Peer
from saltern_master.core.rollout import NewDocument, sign
from saltern_master.core.signer import Signer, read_signer
from saltern_master.records.codec import Held
from saltern_master.records.nodes import Node, node_key
from saltern_master.store import Put
from saltern_protocol.documents import Identity, decode_identity
from saltern_protocol.lease import LEASE_SECONDS
from saltern_protocol.messages import (
    UPGRADING,
    BlobAsk,
    Csr,
    Current,
    Doc,
    Fetch,
    Health,
    Hello,
    Lease,
    Looked,
    Message,
    Refused,
    Report,
)
from saltern_protocol.report import Applied, DriftEnded, DriftSeen, Outcome
from saltern_protocol.trust import Trust
from saltern_states.body import Body, write_body

from tests.master.homes import NOW, made_home
from tests.protocol.examples import FROM_NODE

KEY = b"k" * 32
NONCE = b"n" * 16
US = NOW * 1_000_000
NODE = Node(
    name="w1",
    node_class="worker",
    state="joined",
    incarnation="ab" * 16,
    key=KEY.hex(),
    sealing="cd" * 32,
    facts={"mtu": 1500},
    kinds=("file/1",),
    release="1",
)


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return read_signer(made_home(tmp_path_factory.mktemp("home")))


def peer(node: Node = NODE) -> Peer:
    return Peer(held=Held(node_key("w1"), node, 1))


def with_document(signer: Signer, of: Peer) -> Peer:
    made = sign(NewDocument(of, 1, write_body(Body(()))), signer, NOW)
    return replace(of, held=Held(node_key("w1"), made.node, 2), document=made.issued)


def hello(**fields: object) -> Hello:
    usual: dict[str, object] = {
        "protocol": 1,
        "incarnation": NODE.incarnation,
        "instance": b"i" * 16,
        "boot": "b",
        "root": 1,
        "epoch": 0,
        "version": 0,
        "document": b"",
        "nonce": NONCE,
        "unacked": 0,
        "kinds": NODE.kinds,
        "release": "1",
        "facts": b'{"mtu": 1500}',
    }
    return Hello(**(usual | fields))  # type: ignore[arg-type]


def greeted(signer: Signer, of: Peer, **fields: object) -> Peer:
    return hear(of, hello(**fields), signer, NOW).peer


def applied(turn: int, version: int = 1, outcome: Outcome = Outcome.CHANGED) -> Applied:
    return Applied(
        at_us=US, turn=turn, epoch=1, version=version, body=b"", outcome=outcome, changes=2,
        took_us=5,
    )  # fmt: skip


def drift(number: int, resource: str = "motd", found: str = "x") -> DriftSeen:
    return DriftSeen(
        number=number,
        resource=resource,
        kind="file/1",
        since_us=US,
        recorded_us=US + number,
        seen="inotify",
        found=(found,),
    )


def kinds_of(said: Said) -> list[str]:
    return [type(one).__name__ for one in said.answers]


def believed(signer: Signer, of: Peer) -> tuple[Trust, Identity]:
    identity = decode_identity(signer.identity(of.subject))
    return Trust.pin(identity), identity


def health(state: str = "converged", nonce: bytes = b"", **fields: object) -> Health:
    usual: dict[str, object] = {
        "tick": 1,
        "at_us": US,
        "state": state,
        "version": 0,
        "drift": 0,
        "load_percent": 1,
        "memory_kib": 1,
        "disk_kib": 1,
        "nonce": nonce,
    }
    return Health(**(usual | fields))  # type: ignore[arg-type]


def test_nothing_is_heard_before_a_hello(signer: Signer) -> None:
    for name, message in FROM_NODE.items():
        if name != "hello":
            said = hear(peer(), message, signer, NOW)  # type: ignore[arg-type]
            assert (kinds_of(said), said.writes, said.ends) == (["Again"], (), ()), name


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"protocol": 2}, "protocol"), ({"incarnation": "00" * 16}, "wrong-incarnation")],
)
def test_a_hello_that_does_not_fit_is_refused(
    signer: Signer, fields: dict[str, object], reason: str
) -> None:
    said = hear(greeted(signer, peer()), hello(**fields), signer, NOW)
    (answer,) = said.answers

    assert isinstance(answer, Refused)
    assert (answer.reason, said.writes) == (reason, ())
    assert kinds_of(hear(said.peer, Fetch(), signer, NOW)) == ["Again"]


def test_a_hello_is_answered_by_a_lease_that_the_node_believes(signer: Signer) -> None:
    for of in (peer(), with_document(signer, peer())):
        (lease, *_) = hear(of, hello(), signer, NOW).answers
        assert isinstance(lease, Lease)
        trust, identity = believed(signer, of)
        payload = trust.lease(lease.lease, identity, NONCE)
        version = of.document.version if of.document else 0
        assert (payload.version, payload.life) == (version, LEASE_SECONDS)


def test_facts_are_shown_and_not_taken(signer: Signer) -> None:
    said = hear(peer(), hello(facts=b'{"mtu": 9000}', release="2"), signer, NOW)
    node = said.peer.node

    assert (node.facts, node.facts_now, node.release) == ({"mtu": 1500}, {"mtu": 9000}, "2")
    assert [one.key for one in said.writes if isinstance(one, Put)] == ["nodes/w1"]
    assert hear(said.peer, hello(facts=b'{"mtu": 9000}', release="2"), signer, NOW).writes == ()


@pytest.mark.parametrize("facts", [b"", b"[]", b"\xff", b"{" * 4000])
def test_facts_that_are_none_end_nothing(signer: Signer, facts: bytes) -> None:
    assert kinds_of(hear(peer(), hello(facts=facts), signer, NOW)) == ["Lease"]


@pytest.mark.parametrize(
    ("held", "turn", "answers"),
    [(0, 0, ["Lease", "Poke"]), (1, 0, ["Lease"]), (1, 7, ["Lease", "Poke"])],
)
def test_a_node_is_poked_when_there_is_something(
    signer: Signer, held: int, turn: int, answers: list[str]
) -> None:
    of = replace(with_document(signer, peer()), turn=turn)
    assert of.document is not None
    name = bytes.fromhex(of.document.document) if held else b""

    assert kinds_of(hear(of, hello(epoch=1, version=held, document=name), signer, NOW)) == answers


def test_fetch_gives_a_newer_document_or_says_that_there_is_none(signer: Signer) -> None:
    of = greeted(signer, replace(with_document(signer, peer()), turn=7))
    (doc,) = hear(of, Fetch(), signer, NOW).answers
    assert isinstance(doc, Doc)
    trust, identity = believed(signer, of)
    followed = trust.walk_all(doc.roots).with_policy(doc.policy)
    document, _ = followed.accept(doc.document, write_body(Body(())), identity, None, NOW)
    assert (doc.turn, document.version, document.body) == (7, 1, doc.body)

    has_it = greeted(signer, of, epoch=1, version=1)
    assert hear(has_it, Fetch(), signer, NOW).answers == (Current(turn=7),)
    assert hear(greeted(signer, peer()), Fetch(), signer, NOW).answers == (Current(turn=0),)


def test_a_node_that_has_more_than_the_store_knows_is_ahead(signer: Signer) -> None:
    of = with_document(signer, peer())
    assert of.document is not None
    ours = bytes.fromhex(of.document.document)

    assert not greeted(signer, of, epoch=1, version=1, document=ours).is_ahead
    assert greeted(signer, of, epoch=1, version=1, document=b"o" * 32).is_ahead
    assert greeted(signer, of, epoch=1, version=9).is_ahead


def test_a_report_is_stored_before_it_is_acknowledged_and_only_once(signer: Signer) -> None:
    of = greeted(signer, peer())
    report = Report(first=1, items=(drift(1), applied(7), drift(2, "b")))
    said = hear(of, report, signer, NOW)
    again = hear(said.peer, report, signer, NOW)

    assert said.answers == again.answers
    assert {one.key.split("/")[0] for one in said.writes} == {
        "reported",
        "results",
        "drift",
        "opendrift",
    }
    assert [(one.turn, one.standing.result, one.standing.changes) for one in said.ends] == [
        (7, "changed", 2)
    ]
    assert [one.resource for one in said.drift] == ["motd", "b"]
    assert (again.writes, again.ends, again.drift, again.peer) == ((), (), (), said.peer)


def test_drift_ends(signer: Signer) -> None:
    ended = DriftEnded(number=1, resource="motd", healed_us=US + 9, outcome="healed")
    seen = hear(greeted(signer, peer()), Report(first=1, items=(drift(1),)), signer, NOW)
    healed = hear(seen.peer, Report(first=2, items=(ended,)), signer, NOW + 1)

    assert list(seen.peer.drift) == ["motd"]
    assert healed.peer.drift == {}
    assert [(one.resource, one.healed > 0) for one in healed.drift] == [("motd", True)]


@pytest.mark.parametrize(
    ("outcome", "held"),
    [
        (Outcome.CHANGED, 4),
        (Outcome.FAILED, 4),
        (Outcome.REFUSED, 0),
        (Outcome.SUPERSEDED, 0),
    ],
)
def test_what_a_node_went_through_is_on_its_disk(
    signer: Signer, outcome: Outcome, held: int
) -> None:
    report = Report(first=1, items=(applied(7, 4, outcome),))

    assert hear(greeted(signer, peer()), report, signer, NOW).peer.session.held == held


@pytest.mark.parametrize(
    ("same", "says"),
    [(True, "signed again under root 1; "), (False, "a newer document took its place; ")],
)
def test_who_was_overtaken_says_by_what_and_what_to_do(
    signer: Signer, same: bool, says: str
) -> None:
    of = greeted(signer, with_document(signer, peer()))
    assert of.document is not None
    body = bytes.fromhex(of.document.body) if same else b"o" * 32
    told = with_fields(applied(7, 0, Outcome.SUPERSEDED), body=body)
    (end,) = hear(of, Report(first=1, items=(told,)), signer, NOW).ends

    again = "run the same apply again, it changes nothing twice"
    assert (end.standing.result, end.standing.why) == ("superseded", says + again)


def test_a_turn_waits_for_what_took_the_place_of_its_document_where_that_is_the_same_body(
    signer: Signer,
) -> None:
    of = replace(greeted(signer, with_document(signer, peer())), turn=7)
    assert of.document is not None
    body, version = bytes.fromhex(of.document.body), of.document.version
    told = with_fields(applied(7, version - 1, Outcome.SUPERSEDED), body=body)
    other = with_fields(told, turn=6)

    assert hear(of, Report(first=1, items=(told,)), signer, NOW).ends == ()
    assert len(hear(of, Report(first=1, items=(other,)), signer, NOW).ends) == 1


def test_health_is_seldom_stored(signer: Signer) -> None:
    of = greeted(signer, peer())
    first = hear(of, health(), signer, NOW)
    same = hear(first.peer, health(), signer, NOW + 15)
    news = hear(same.peer, health("drifted"), signer, NOW + 30)
    late = hear(news.peer, health("drifted"), signer, NOW + 630)

    assert [bool(one.writes) for one in (first, same, news, late)] == [True, False, True, True]
    assert [kinds_of(one) for one in (first, same)] == [[], []]


def test_health_with_a_nonce_renews_the_lease(signer: Signer) -> None:
    of = greeted(signer, peer())
    (lease,) = hear(of, health(nonce=NONCE), signer, NOW).answers
    assert isinstance(lease, Lease)
    trust, identity = believed(signer, of)

    assert trust.lease(lease.lease, identity, NONCE).version == 0


@pytest.mark.parametrize(
    ("state", "progress"),
    [("working", True), ("fetching blob 1 of 3, 40 %", True), ("converged", False), ("", False)],
)
def test_who_is_at_work_makes_progress(signer: Signer, state: str, progress: bool) -> None:
    assert hear(greeted(signer, peer()), health(state), signer, NOW).progress is progress


def test_who_goes_away_to_upgrade_its_agent_says_so_in_words_that_any_release_takes(
    signer: Signer,
) -> None:
    said = hear(greeted(signer, peer()), health(UPGRADING), signer, NOW)
    other = hear(greeted(signer, peer()), health("applying"), signer, NOW)

    assert (said.progress, said.upgrades) == (True, True)
    assert (other.progress, other.upgrades) == (True, False)


@pytest.mark.parametrize(
    "message",
    [Csr(request=1, resource="a", csr=b""), BlobAsk(blob=b"b" * 32, offset=0, credit=1)],
)
def test_what_others_answer_is_not_heard_here(signer: Signer, message: Message) -> None:
    with pytest.raises(UnheardError):
        hear(greeted(signer, peer()), message, signer, NOW)  # type: ignore[arg-type]


def test_hindrances_of_a_node_in_a_turn_are_bounded(signer: Signer) -> None:
    looked = FROM_NODE["looked"]
    assert isinstance(looked, Looked)
    many = with_fields(looked, hindrances=looked.hindrances[:1] * 64)
    (ended,) = hear(greeted(signer, peer()), many, signer, NOW).ends

    assert len(ended.standing.hindrances) <= 16


CONVERSATION = (
    (hello(), "Lease Poke"),
    (Fetch(), "Doc"),
    (health("fetching blob 1 of 2"), ""),
    (Report(first=1, items=(applied(7),)), "Ack"),
    (health(version=1), ""),
    (Fetch(), "Current"),
    (Looked(turn=7, at_us=US, version=1, outcome=Outcome.CONVERGED, changes=0, took_us=1), ""),
    (Report(first=2, items=(drift(1),)), "Ack"),
    (Report(first=2, items=(drift(1),)), "Ack"),
    (health("drifted", NONCE, drift=1), "Lease"),
    (hello(epoch=1, version=1), "Lease Poke"),
)


def test_a_whole_conversation(signer: Signer) -> None:
    of = replace(with_document(signer, peer()), turn=7)
    for message, answers in CONVERSATION:
        said = hear(of, message, signer, NOW)
        assert " ".join(kinds_of(said)) == answers, message
        of = said.peer


def test_a_conversation_depends_on_nothing_but_what_was_said(
    signer: Signer,
) -> None:
    def whole() -> list[Said]:
        of, heard = replace(with_document(signer, peer()), turn=7), []
        for message, _ in CONVERSATION:
            heard.append(hear(of, message, signer, NOW))
            of = heard[-1].peer
        return heard

    assert whole() == whole()
