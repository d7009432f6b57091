"""What core makes of bad messages, races at the door, full disks and other processes."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from saltern_master.api.drifts import DriftAsk
from saltern_master.api.service import ServiceError, TurnNode, TurnView
from saltern_master.core.desk import TRIM_EVERY
from saltern_master.front.frames import Heard
from saltern_master.records.drift import KEPT
from saltern_master.signing.home import Home
from saltern_master.store import Memory, MemoryStore, Put, StoreError, Write
from saltern_protocol import messages
from saltern_protocol.envelope import decode
from saltern_protocol.lease import decode_lease
from saltern_protocol.messages import Enrolled, Lease, Poke, Refused, Report
from saltern_protocol.report import Item
from saltern_protocol.token import JoinToken

from tests.master.clusters import SMALL
from tests.master.core_laws import ended, run, taken
from tests.master.core_stand import Stand, core_stand, enrol_of
from tests.master.homes import made_home

TWO = SMALL + "- {name: w2, address: 10.9.0.22}\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return made_home(tmp_path)


def test_a_bad_message_costs_its_sender_only(home: Home) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        stand.front.say(
            Heard(key=w1.key, data=b"\xc1"),
            Heard(key=w1.key, data=messages.encode(messages.Beat())),
            Heard(key=secrets.token_bytes(32), data=messages.encode(w1.hello())),
            Heard(key=w2.key, data=messages.encode(Report(first=1, items=(w2.deviation("a"),)))),
        )

        assert (await w2.hear(messages.Ack)).seq == 1
        assert stand.office.desk.seen.counts == {"failed Heard": 2, "of no node": 1}

    run(home, law)


def test_two_strangers_with_one_token_are_one_node(home: Home) -> None:
    async def law(stand: Stand) -> None:
        made = await stand.service.make_token("w1", "worker", 60, False)
        enrol = enrol_of(JoinToken.parse(made.token))
        keys = [secrets.token_bytes(32) for _ in range(20)]
        answers = await asyncio.gather(*(stand.front.knock(key, enrol) for key in keys))
        winners = [key for key, one in zip(keys, answers, strict=True) if isinstance(one, Enrolled)]

        assert stand.front.allowed == set(winners)
        assert len(winners) == 1
        assert sum(isinstance(one, Refused) for one in answers) == 19

    run(home, law)


class FullStore(MemoryStore):
    """A store whose disk can be full."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory)
        self.full = False
        self.commits = 0

    def commit(self, *writes: Write) -> int:
        if self.full:
            raise StoreError("cannot write: the disk is full")
        self.commits += 1
        return super().commit(*writes)


def with_full_store(home: Home, law: Callable[[Stand, FullStore], Awaitable[None]]) -> None:
    store = FullStore(Memory())

    async def whole() -> None:
        async with asyncio.timeout(30), core_stand(home, opened=lambda: store) as stand:
            await law(stand, store)

    asyncio.run(whole())


def test_what_cannot_be_stored_is_not_acknowledged(home: Home) -> None:
    async def law(stand: Stand, store: FullStore) -> None:
        (w1,) = await stand.joined("w1")
        report = Report(first=1, items=(w1.deviation("a"),))
        store.full = True
        w1.say(report)
        while not stand.office.desk.seen.counts["unwritten"]:
            await asyncio.sleep(0.01)
        assert stand.front.told(w1.key).empty()
        with pytest.raises(ServiceError) as caught:
            await stand.service.apply(SMALL.encode())
        assert caught.value.code == "unavailable"
        assert await stand.service.drift(DriftAsk(most=10, open=True)) == ()

        store.full = False
        w1.say(report)
        assert (await w1.hear(messages.Ack)).seq == 1
        w1.seq = 1
        turn = await stand.service.apply(SMALL.encode())
        await taken(turn, w1)
        assert await ended(stand, turn) == {"w1": "changed"}

    with_full_store(home, law)


def test_what_comes_together_is_one_commit(home: Home) -> None:
    async def law(stand: Stand, store: FullStore) -> None:
        names = [f"w{number}" for number in range(1, 21)]
        nodes = await stand.joined(*names)
        before = store.commits
        reports = [Report(first=1, items=(node.deviation("a"),)) for node in nodes]
        stand.office.heard(
            [
                Heard(key=node.key, data=messages.encode(report))
                for node, report in zip(nodes, reports, strict=True)
            ]
        )
        for node in nodes:
            await node.hear(messages.Ack)

        assert store.commits - before == 1

    with_full_store(home, law)


def test_another_process_that_changes_a_record_is_no_hindrance(home: Home) -> None:
    memory = Memory()

    async def whole() -> None:
        async with asyncio.timeout(30), core_stand(home, memory) as stand:
            (w1,) = await stand.joined("w1")
            other = MemoryStore(memory)
            entry = other.get("nodes/w1")
            assert entry is not None
            other.commit(Put(entry.key, entry.value))
            lease = await w1.connect(release="2")
            assert isinstance(lease, Lease)
            assert (await stand.service.node("w1")).release == "2"

    asyncio.run(whole())


def test_a_lease_names_what_the_store_has(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        await taken(await stand.service.apply(SMALL.encode()), w1)
        w1.say(w1.health(nonce=b"m" * 16))
        lease = decode_lease(decode((await w1.hear(Lease)).lease).payload)

        assert (lease.version, lease.document, lease.nonce) == (1, w1.document, b"m" * 16)

    run(home, law)


def test_a_follower_who_comes_late_hears_how_things_stand(home: Home) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        turn = await stand.service.apply(TWO.encode())
        await taken(turn, w1)
        events: list[TurnNode | TurnView] = []
        async for one in stand.service.follow_turn(turn.turn):
            events.append(one)
            if len(events) == 1:
                await taken(turn, w2)

        assert [getattr(one, "node", "end") for one in events] == ["w1", "w2", "end"]

    run(home, law)


def test_a_store_from_a_copy_gives_no_version_twice(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        await taken(await stand.service.apply(SMALL.encode()), w1)
        w1.held, w1.document = 7, b"o" * 32  # what a newer store had given it
        await w1.connect()
        assert "ahead" in (await stand.service.node("w1")).health
        await stand.service.apply(SMALL.encode())
        await w1.hear(Poke)
        await w1.fetch()

        assert w1.held == 8

    run(home, law)


def test_a_node_gets_certificates_of_its_own_body_only(home: Home) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        authority = stand.office.authorities.of["kubernetes"]
        wanted = {
            "kind": "certificate/1",
            "path": "/etc/kubernetes/pki/x.crt",
            "key": "/etc/kubernetes/pki/x.key",
            "issuer": "kubernetes",
            "common_name": "system:node:w1",
            "usages": ["client"],
            "ca": authority.pem,
        }
        own = [{"match": "name=w1", "resources": [{"id": "x", "spec": wanted}]}]
        file = TWO + f"groups: {json.dumps(own)}\n"
        await taken(await stand.service.apply(file.encode()), w1, w2)
        key = generate_private_key(SECP256R1())
        named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "system:masters")])
        builder = x509.CertificateSigningRequestBuilder(named)
        csr = builder.sign(key, SHA256()).public_bytes(Encoding.DER)
        for node in (w1, w2):
            node.say(messages.Csr(request=5, resource="x", csr=csr))
        given, refused = await w1.hear(messages.Cert), await w2.hear(messages.Cert)
        certificate = x509.load_pem_x509_certificate(given.chain)

        assert (given.request, given.why) == (5, "")
        assert certificate.subject.rfc4514_string() == "CN=system:node:w1"
        certificate.verify_directly_issued_by(authority.certificate)
        assert (refused.chain, "no certificate" in refused.why) == (b"", True)

    run(home, law)


def test_a_log_of_drift_is_kept_to_its_length(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        for _ in range(20):
            items: list[Item] = []
            for number in range(100):
                items += [w1.deviation(f"r{number}"), w1.healing(f"r{number}")]
            await w1.report(*items)

        stored = stand.store.list("drift/w1/", most=5000)
        assert KEPT <= len(stored) <= KEPT + TRIM_EVERY + 100
        assert (await stand.service.drift(DriftAsk(nodes=frozenset({"w1"}), most=1)))[
            0
        ].number == 2000

    run(home, law)
