"""Envelopes: the published encoding, thresholds of distinct keys, and no bit to spare."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_protocol.documents import PayloadType
from saltern_protocol.envelope import (
    MAX_SIGNATURES,
    Envelope,
    Signature,
    decode,
    encode,
    pae,
    sign,
    verify,
)
from saltern_protocol.errors import MalformedError, ProtocolError, Reason, RefusedError
from saltern_protocol.keys import PrivateKey, PublicKey
from saltern_protocol.testing import key
from saltern_protocol.wire import pack, unpack_plain

TYPE = PayloadType.DOCUMENT
A, B, C, STRANGER = key(1), key(2), key(3), key(99)
KNOWN = (A.public, B.public, C.public)


def reason_of(data: bytes, keys: tuple[PublicKey, ...] = KNOWN, threshold: int = 1) -> Reason:
    with pytest.raises(RefusedError) as caught:
        verify(data, TYPE, keys, threshold)
    return caught.value.reason


def by(signer: PrivateKey, key_id: str, payload: bytes = b"payload") -> Signature:
    return Signature(key_id=key_id, sig=signer.sign(pae(TYPE, payload)))


def holding(*signatures: Signature) -> bytes:
    return encode(Envelope(payload_type=TYPE, payload=b"payload", signatures=signatures))


def test_the_vector_that_dsse_publishes() -> None:
    assert (
        pae("http://example.com/HelloWorld", b"hello world")
        == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_lengths_are_in_bytes_not_in_letters() -> None:
    assert pae("é", "ü".encode()) == b"DSSEv1 2 \xc3\xa9 2 \xc3\xbc"


@given(st.tuples(st.text(), st.binary()), st.tuples(st.text(), st.binary()))
def test_no_two_things_are_signed_as_the_same_bytes(
    one: tuple[str, bytes], other: tuple[str, bytes]
) -> None:
    assert (pae(*one) == pae(*other)) == (one == other)


@pytest.mark.parametrize(
    ("signers", "threshold"),
    [([A], 1), ([B, A], 2), ([A, STRANGER], 1), ([A, B, C], 3), ([A, B, C], 2)],
)
def test_enough_distinct_keys_are_enough(signers: list[PrivateKey], threshold: int) -> None:
    assert verify(sign(TYPE, b"payload", signers), TYPE, KNOWN, threshold) == b"payload"


@pytest.mark.parametrize(
    ("data", "threshold"),
    [
        pytest.param(holding(), 1, id="no signature"),
        pytest.param(sign(TYPE, b"payload", [STRANGER]), 1, id="unknown key"),
        pytest.param(sign(TYPE, b"payload", [A, STRANGER]), 2, id="one known, one unknown"),
        pytest.param(sign(TYPE, b"payload", [A, A]), 2, id="one key twice"),
        pytest.param(
            holding(by(A, A.public.fingerprint), by(A, B.public.fingerprint)),
            2,
            id="one key under another's id",
        ),
        pytest.param(holding(by(A, A.public.fingerprint), by(A, "")), 2, id="one key, two ids"),
        pytest.param(holding(by(A, "", b"other")), 1, id="signature of another payload"),
        pytest.param(sign(TYPE, b"payload", [A]), 0, id="a threshold of nothing"),
    ],
)
def test_what_is_not_signed_by_enough_is_unsigned(data: bytes, threshold: int) -> None:
    assert reason_of(data, threshold=threshold) is Reason.UNSIGNED


def test_one_key_listed_twice_counts_once() -> None:
    twice = (A.public, PublicKey(A.public.raw))
    assert reason_of(sign(TYPE, b"payload", [A]), twice, 2) is Reason.UNSIGNED


def test_a_signature_without_key_id_is_tried_with_every_key() -> None:
    assert verify(holding(by(C, "")), TYPE, KNOWN, 1) == b"payload"


@pytest.mark.parametrize("other", [each for each in PayloadType if each is not TYPE])
def test_no_type_passes_for_another(other: PayloadType) -> None:
    signed = sign(other, b"payload", [A])
    assert reason_of(signed) is Reason.WRONG_TYPE

    renamed = decode(signed)
    relabelled = Envelope(payload_type=TYPE, payload=renamed.payload, signatures=renamed.signatures)
    assert reason_of(encode(relabelled)) is Reason.UNSIGNED


def test_every_flipped_bit_is_refused() -> None:
    data = sign(TYPE, b"payload", [A, B])
    accepted = []
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            verify(bytes(flipped), TYPE, KNOWN, 2)
        except ProtocolError:
            continue
        accepted.append(bit)
    assert accepted == []


def test_an_envelope_has_no_room_for_more() -> None:
    plain = unpack_plain(sign(TYPE, b"payload", [A]), 1024)
    assert isinstance(plain, dict)
    with pytest.raises(MalformedError, match="unknown field"):
        decode(pack({**plain, "comment": "x"}))


def test_the_work_is_bounded() -> None:
    with pytest.raises(MalformedError):
        decode(sign(TYPE, b"payload", [A] * (MAX_SIGNATURES + 1)))
    with pytest.raises(MalformedError, match="limit"):
        decode(sign(TYPE, bytes(128 * 1024), [A]))
