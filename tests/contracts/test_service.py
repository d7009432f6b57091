"""What the HTTP API stands on: in memory, and whatever else service_stands.STANDS names."""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64decode
from contextlib import aclosing
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from ruamel.yaml import YAML
from saltern_master.api.drifts import DriftAsk
from saltern_master.api.service import (
    DriftView,
    TurnNode,
    TurnView,
)

from tests.contracts.service_stands import TWO, Run, Stand, joined, refused, run
from tests.master.clusters import CONTROLLED, SMALL
from tests.master.test_cluster_file import SIX_MISTAKES

__all__ = ["run"]


def test_a_token_is_told_once_and_used_once(run: Run) -> None:
    async def law(stand: Stand) -> None:
        before = stand.now()
        made = await stand.service.make_token("w1", "worker", 60, False)
        (listed,) = await stand.service.tokens()
        fingerprint = await stand.join(made.token)
        node = await stand.service.node("w1")

        assert made.token != ""
        assert before + 60 <= made.expires <= stand.now() + 60
        assert (listed.id, listed.node, listed.token) == (made.id, "w1", "")
        assert await stand.service.tokens() == ()
        assert (node.state, node.node_class, node.fingerprint) == ("joined", "worker", fingerprint)
        assert node.connected
        assert [one.name for one in (await stand.service.status()).nodes] == ["w1"]

    run(law)


def test_there_is_no_token_for_a_node_that_has_joined(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1")

        error = await refused(stand.service.make_token("w1", "worker", 60, False))
        assert error.code == "conflict"

    run(law)


def test_without_a_secret_an_operator_approves_by_the_fingerprint(run: Run) -> None:
    async def law(stand: Stand) -> None:
        made = await stand.service.make_token("w1", "worker", 60, True)
        fingerprint = await stand.join(made.token)
        pending = await stand.service.node("w1")
        wrong = await refused(stand.service.approve("w1", "another"))
        approved = await stand.service.approve("w1", fingerprint)
        again = await refused(stand.service.approve("w1", fingerprint))

        assert (made.approval, pending.state, wrong.code) == (True, "pending", "conflict")
        assert (approved.state, again.code) == ("joined", "conflict")

    run(law)


def test_a_revoked_node_is_known_and_not_connected(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1")
        revoked = await stand.service.revoke("w1")

        assert (revoked.state, revoked.connected) == ("revoked", False)
        assert (await stand.service.node("w1")).state == "revoked"

    run(law)


def test_a_locked_node_is_alarmed_until_it_is_unlocked(run: Run) -> None:
    async def law(stand: Stand) -> None:
        service = stand.service
        await joined(stand, "w1", "w2")
        assert (await service.status()).alarms == ()
        assert (await refused(service.unlock("w1"))).code == "conflict"
        await stand.lock("w1")
        locked = await service.node("w1")
        (alarm,) = (await service.status()).alarms
        assert (locked.state, locked.connected) == ("locked", False)
        assert (alarm.kind, alarm.node) == ("locked", "w1")
        assert (await refused(service.make_token("w1", "worker", 60, False))).code == "conflict"

        assert (await service.unlock("w1")).state == "joined"
        assert (await service.status()).alarms == ()
        assert (await refused(service.unlock("w9"))).code == "not-found"

    run(law)


@pytest.mark.parametrize("revoked", [True, False], ids=["revoked", "forced"])
def test_a_node_is_forgotten_at_once_where_nothing_can_be_taken_back(
    run: Run, revoked: bool
) -> None:
    async def law(stand: Stand) -> None:
        service = stand.service
        await joined(stand, "w1", "w2")
        await stand.deviate("w1", "swap")
        if revoked:
            await service.revoke("w1")
        turn = await service.remove("w1", not revoked)

        (line,) = turn.nodes
        assert (line.result, turn.ended > 0) == ("changed", True)
        assert "left there" in line.why
        assert await service.turn(turn.turn) == turn
        assert [one async for one in service.follow_turn(turn.turn)] == [line, turn]
        assert [one.name for one in (await service.status()).nodes] == ["w2"]
        assert (await refused(service.remove("w1", True))).code == "not-found"
        assert (await service.make_token("w1", "worker", 60, False)).node == "w1"

    run(law)


def test_what_is_not_there_is_not_found(run: Run) -> None:
    async def law(stand: Stand) -> None:
        service = stand.service
        for asked in (
            service.node("w9"),
            service.approve("w9", "x"),
            service.revoke("w9"),
            service.remove("w9", False),
            service.turn(99),
        ):
            error = await refused(asked)
            assert (error.code, str(error)[:7]) == ("not-found", "cannot ")

    run(law)


def test_a_bad_file_is_refused_with_every_fault(run: Run) -> None:
    async def law(stand: Stand) -> None:
        error = await refused(stand.service.apply(SIX_MISTAKES.encode()))

        assert (error.code, str(error)) == ("invalid", "cannot take the cluster file: 6 faults")
        assert len(error.faults) == 6
        assert any(fault.startswith("cluster.domian: line ") for fault in error.faults)
        assert (await stand.service.status()).revision == 0

    run(law)


def test_a_turn_is_followed_to_its_end(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1", "w2")
        turn = await stand.service.apply(TWO.encode())
        waiting = {one.node: one.result for one in turn.nodes}
        events: list[TurnNode | TurnView] = []
        async with aclosing(stand.service.follow_turn(turn.turn)) as news:  # type: ignore[type-var]
            await stand.report(turn.turn, "w1", "converged")
            events.append(await anext(news))
            await stand.report(turn.turn, "w2", "failed")
            events.extend([one async for one in news])

        assert (waiting, turn.revision) == ({"w1": "waiting", "w2": "waiting"}, 1)
        assert turn.ended == 0
        ends = {one.node: one.result for one in events if isinstance(one, TurnNode)}
        assert ends == {"w1": "converged", "w2": "failed"}
        last = events[-1]
        assert isinstance(last, TurnView)
        assert {one.node: one.result for one in last.nodes} == ends
        assert last.ended >= turn.began
        assert await stand.service.turn(turn.turn) == last

    run(law)


def test_a_turn_that_has_ended_can_be_followed_too(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1")
        turn = (await stand.service.apply(SMALL.encode())).turn
        await stand.report(turn, "w1", "converged")
        events = [one async for one in stand.service.follow_turn(turn)]

        assert events[-1] == await stand.service.turn(turn)
        assert [one.node for one in events if isinstance(one, TurnNode)] == ["w1"]

    run(law)


def test_a_node_that_is_not_there_is_named_and_the_others_go_on(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1")
        turn = (await stand.service.apply(TWO.encode())).turn
        await stand.report(turn, "w1", "converged")
        *_, last = [one async for one in stand.service.follow_turn(turn)]

        assert isinstance(last, TurnView)
        ends = {one.node: one.result for one in last.nodes}
        assert ends == {"w1": "converged", "w2": "unreachable"}
        assert all(one.why for one in last.nodes if one.result == "unreachable")

    run(law)


def test_drift_is_listed_newest_first(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1", "w2")
        await stand.deviate("w1", "a")
        await stand.deviate("w2", "b")
        await stand.deviate("w1", "c")
        await stand.heal("w1", "a")
        service = stand.service

        async def listed(node: str, most: int, open_only: bool) -> list[str]:
            return [
                one.resource
                for one in await service.drift(
                    DriftAsk(nodes=frozenset({node}) if node else None, most=most, open=open_only)
                )
            ]

        assert await listed("", 10, False) == ["c", "b", "a"]
        assert await listed("w1", 10, False) == ["c", "a"]
        assert await listed("", 2, False) == ["c", "b"]
        assert await listed("", 10, True) == ["c", "b"]
        (healed,) = [
            one
            for one in await service.drift(DriftAsk(nodes=frozenset({"w1"}), most=10))
            if one.resource == "a"
        ]
        assert healed.healed >= healed.since > 0

    run(law)


def test_drift_is_what_fits_all_that_is_asked(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1", "w2")
        for node, resource in (("w1", "net/a"), ("w2", "net/b"), ("w1", "docker/c")):
            await stand.deviate(node, resource)
        await stand.heal("w1", "net/a")

        async def listed(**asked: Any) -> list[str]:  # noqa: ANN401 - fields of DriftAsk
            return [one.resource for one in await stand.service.drift(DriftAsk(**asked))]

        newest, *_, oldest = await stand.service.drift(DriftAsk())
        assert await listed(resource="net/*") == ["net/b", "net/a"]
        assert await listed(resource="net/*", open=True) == ["net/b"]
        assert await listed(nodes=frozenset({"w1"}), resource="net/*") == ["net/a"]
        assert await listed(nodes=frozenset()) == []
        assert await listed(kind="file") == await listed(kind="file/1") == await listed()
        assert await listed(kind="unit") == await listed(kind="file/2") == []
        assert await listed(nature="external") == await listed()
        assert await listed(nature="intended") == await listed(incident=True) == []
        assert await listed(since=stand.now() + 60) == await listed(until=oldest.recorded) == []
        assert "net/a" in await listed(since=oldest.recorded, until=newest.recorded + 1)

    run(law)


def test_a_list_goes_on_behind_the_last_of_the_one_before(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1", "w2")
        for number in range(4):
            await stand.deviate("w1", f"a{number}")
            await stand.deviate("w2", f"b{number}")
        whole = await stand.service.drift(DriftAsk())
        read: list[DriftView] = []
        for _ in range(3):
            behind = read[-1].id if read else ""
            read += await stand.service.drift(DriftAsk(most=3, before=behind))
            await stand.deviate("w1", f"new{len(read)}")

        assert read == list(whole)
        assert len({one.id for one in whole}) == 8
        gone = await refused(stand.service.drift(DriftAsk(before="w1:999")))
        wrong = await refused(stand.service.drift(DriftAsk(before="w1")))
        assert (gone.code, wrong.code) == ("not-found", "invalid")

    run(law)


def test_all_of_one_drift_is_told(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1", "w2")
        for node in ("w1", "w2", "w1"):
            await stand.deviate(node, "a")
            await stand.heal(node, "a")
        third, _, first = await stand.service.drift(DriftAsk())
        page = await stand.service.one_drift(first.id)

        assert page.drift == first
        assert page.after == (third.id,)
        assert (page.connected, page.policy) == (True, None)
        assert page.now >= first.healed
        assert (await stand.service.one_drift(third.id)).after == ()
        assert (await refused(stand.service.one_drift("w1:999"))).code == "not-found"
        assert (await refused(stand.service.one_drift("../w1:1"))).code == "invalid"

    run(law)


def test_drift_is_told_as_it_comes_and_as_it_ends(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1", "w2")
        found: list[DriftView] = []

        async def follow() -> None:
            async for one in stand.service.follow_drift(DriftAsk(nodes=frozenset({"w1"}))):
                found.append(one)
                if one.healed:
                    return

        following = asyncio.create_task(follow())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(following), 0)  # until it listens
        await stand.deviate("w2", "b")
        await stand.deviate("w1", "a")
        await stand.heal("w1", "a")
        await following

        assert [(one.node, one.resource, one.healed > 0) for one in found] == [
            ("w1", "a", False),
            ("w1", "a", True),
        ]

    run(law)


def test_a_kubeconfig_is_for_the_key_of_the_request(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await stand.service.apply(CONTROLLED.encode())
        key = generate_private_key(SECP256R1())
        request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, SHA256())
        text = await stand.service.kubeconfig(request.public_bytes(Encoding.PEM))
        plain = YAML(typ="safe", pure=True).load(text)
        (user,) = plain["users"]
        certificate = x509.load_pem_x509_certificate(
            b64decode(user["user"]["client-certificate-data"])
        )

        def pem(public: object) -> bytes:
            told: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
            return told

        assert pem(certificate.public_key()) == pem(key.public_key())
        assert plain["kind"] == "Config"
        assert "client-key-data" not in text

    run(law)


@pytest.mark.parametrize("csr", [b"", b"nonsense", b"-----BEGIN CERTIFICATE REQUEST-----\n"])
def test_what_is_no_request_gets_no_kubeconfig(run: Run, csr: bytes) -> None:
    async def law(stand: Stand) -> None:
        assert (await refused(stand.service.kubeconfig(csr))).code == "invalid"

    run(law)
