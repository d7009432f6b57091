"""Leases: fresh by nonce and by nothing else; each refusal has its reason."""

import msgspec
import pytest
from msgspec.structs import replace
from saltern_protocol import wire
from saltern_protocol.documents import PayloadType, document_hash, encode_document
from saltern_protocol.envelope import sign
from saltern_protocol.errors import MalformedError, Reason, RefusedError
from saltern_protocol.lease import LEASE_SECONDS, LeasePayload, decode_lease, encode_lease
from saltern_protocol.testing import (
    BODY,
    DOCUMENT,
    IDENTITY,
    LEASE,
    LEASE_KEYS,
    NOW,
    POLICY_KEYS,
    ROOT_KEYS,
    STATE_KEYS,
    STRANGER,
    signed_document,
    signed_lease,
    trust,
)
from saltern_protocol.trust import Trust

SIGNED = signed_lease(LEASE)


def refusal(data: bytes, nonce: bytes = LEASE.nonce) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        trust().lease(data, IDENTITY, nonce)
    return caught.value


def test_a_good_lease_names_the_current_document_and_how_long_it_vouches() -> None:
    lease = trust().lease(SIGNED, IDENTITY, LEASE.nonce)
    assert lease == LEASE
    assert lease.document == document_hash(encode_document(DOCUMENT))
    assert lease.life == LEASE_SECONDS == 900


def test_a_lease_can_say_that_there_is_no_document_yet() -> None:
    none = replace(LEASE, version=0, document=None)
    assert trust().lease(signed_lease(none), IDENTITY, LEASE.nonce) == none


def test_a_lease_needs_no_policy_and_no_clock() -> None:
    """A node whose root and policy are missing or over still learns what is current."""
    old = replace(LEASE, issued=1, expires=2)
    assert Trust.pin(IDENTITY).lease(signed_lease(old), IDENTITY, LEASE.nonce).life == 1


@pytest.mark.parametrize(
    ("lease", "reason", "said"),
    [
        (replace(LEASE, cluster="other"), Reason.WRONG_CLUSTER, '"other"'),
        (replace(LEASE, node="w2"), Reason.WRONG_NODE, '"w2"'),
        (replace(LEASE, incarnation="f" * 32), Reason.WRONG_INCARNATION, "f" * 32),
        (replace(LEASE, epoch=2), Reason.WRONG_EPOCH, "epoch 2"),
        (replace(LEASE, nonce=bytes(16)), Reason.WRONG_NONCE, "another question"),
    ],
    ids=lambda value: str(value) if isinstance(value, Reason) else "",
)
def test_each_wrong_lease_has_its_own_reason(
    lease: LeasePayload, reason: Reason, said: str
) -> None:
    error = refusal(signed_lease(lease))
    assert error.reason is reason
    assert str(error).startswith("cannot take ")
    assert said in str(error)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (signed_lease(LEASE, []), Reason.UNSIGNED),
        (signed_lease(LEASE, [STRANGER]), Reason.UNSIGNED),
        (signed_lease(LEASE, ROOT_KEYS), Reason.UNSIGNED),
        (signed_lease(LEASE, POLICY_KEYS), Reason.UNSIGNED),
        (signed_lease(LEASE, STATE_KEYS), Reason.UNSIGNED),
        (sign(PayloadType.DOCUMENT, encode_lease(LEASE), LEASE_KEYS), Reason.WRONG_TYPE),
        (signed_document(DOCUMENT), Reason.WRONG_TYPE),
    ],
)
def test_only_the_lease_keys_speak_as_leases(data: bytes, reason: Reason) -> None:
    assert refusal(data).reason is reason


def test_no_lease_passes_for_a_document() -> None:
    with pytest.raises(RefusedError) as caught:
        trust().accept(SIGNED, BODY, IDENTITY, None, NOW)
    assert caught.value.reason is Reason.WRONG_TYPE


WRONGS: list[tuple[Reason, dict[str, object]]] = [
    (Reason.WRONG_CLUSTER, {"cluster": "other"}),
    (Reason.WRONG_NODE, {"node": "w2"}),
    (Reason.WRONG_INCARNATION, {"incarnation": "f" * 32}),
    (Reason.WRONG_EPOCH, {"epoch": 2}),
    (Reason.WRONG_NONCE, {"nonce": bytes(16)}),
]


def test_the_order_of_checks_is_the_documented_one() -> None:
    """Mend the first fault of a lease that has them all, and the next one is told."""
    told = []
    for first in range(len(WRONGS)):
        fields: dict[str, object] = {}
        for _, wrong in WRONGS[first:]:
            fields |= wrong
        told.append(refusal(signed_lease(replace(LEASE, **fields))).reason)
    assert told == [reason for reason, _ in WRONGS]


def test_every_flipped_bit_is_refused() -> None:
    believer = trust()
    for bit in range(len(SIGNED) * 8):
        flipped = bytearray(SIGNED)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises((MalformedError, RefusedError)):
            believer.lease(bytes(flipped), IDENTITY, LEASE.nonce)


@pytest.mark.parametrize(
    "fields",
    [
        {"expires": NOW + LEASE_SECONDS + 1},
        {"expires": NOW},
        {"expires": NOW - 1},
        {"version": 0},
        {"document": None},
        {"nonce": bytes(15)},
        {"nonce": bytes(17)},
        {"node": "../w1"},
        {"epoch": 0},
    ],
    ids=str,
)
def test_what_is_no_lease_is_neither_signed_nor_read(fields: dict[str, object]) -> None:
    with pytest.raises(MalformedError, match=r"^cannot read a "):
        encode_lease(replace(LEASE, **fields))
    plain = msgspec.to_builtins(LEASE, builtin_types=(bytes,)) | fields
    with pytest.raises(MalformedError):
        decode_lease(wire.pack(plain))
