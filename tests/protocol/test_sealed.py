"""Sealed secrets: opened by one node for one purpose, and by no other, whatever is changed."""

import secrets

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from saltern_protocol.errors import MalformedError, ProtocolError, Reason, RefusedError
from saltern_protocol.sealed import (
    MAX_PLAIN,
    OVERHEAD,
    Context,
    make_sealing_key,
    open_sealed,
    seal,
    sealing_public,
)

# RFC 7748, section 6.1: Alice and Bob
ALICE = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f92ebc099ac7b1c9e04a0f9d8f1")
BOB = bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
BOB_PUBLIC = bytes.fromhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
# IETF's curves draft, and the curve25519 paper's list: exchanges with these give nothing secret
LOW_ORDER = [bytes(32), b"\1" + bytes(31), b"\xed" + b"\xff" * 30 + b"\x7f"]

CONTEXT = Context(cluster="demo", node="w1", secret="registry-password", generation=3)
PLAIN = b"correct horse battery staple"
SEALED = seal(PLAIN, BOB_PUBLIC, CONTEXT, lambda size: ALICE[:size])
RELEASED = bytes.fromhex(
    "53414c5445524e312523936b9da4e095ef68afbf511de5998109b035b6bd463a81d9233c0b061913e796625205"
    "b4f8053c9617fdd34c9013ff33044d241a3a3299a4c9d8ccc41525e01d14fbaec8514604405d1e"
)


def refusal(data: bytes, private: bytes = BOB, context: Context = CONTEXT) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        open_sealed(data, private, context)
    return caught.value


def test_the_released_form_never_changes() -> None:
    assert sealing_public(BOB) == BOB_PUBLIC
    assert SEALED == RELEASED
    assert open_sealed(RELEASED, BOB, CONTEXT) == PLAIN


def test_every_flipped_bit_is_refused() -> None:
    """Also the top bit of the ephemeral key, which X25519 itself passes over."""
    for bit in range(len(SEALED) * 8):
        flipped = bytearray(SEALED)
        flipped[bit // 8] ^= 1 << bit % 8
        refusal(bytes(flipped))


@pytest.mark.parametrize(
    "context",
    [
        replace(CONTEXT, cluster="other"),
        replace(CONTEXT, node="w2"),
        replace(CONTEXT, secret="root-password"),
        replace(CONTEXT, generation=2),
        replace(CONTEXT, generation=4),
    ],
)
def test_it_opens_as_what_it_was_sealed_for_and_as_nothing_else(context: Context) -> None:
    error = refusal(SEALED, context=context)
    assert isinstance(error, RefusedError)
    assert error.reason is Reason.WRONG_SEAL
    assert f'"{context.secret}"' in str(error)


def test_another_nodes_key_does_not_open_it() -> None:
    error = refusal(SEALED, private=ALICE)
    assert isinstance(error, RefusedError)
    assert error.reason is Reason.WRONG_SEAL


def test_every_cut_is_refused() -> None:
    for size in range(len(SEALED)):
        refusal(SEALED[:size])
    refusal(SEALED + b"\0")


@pytest.mark.parametrize("point", LOW_ORDER, ids=bytes.hex)
def test_a_key_that_makes_nothing_secret_is_none(point: bytes) -> None:
    with pytest.raises(MalformedError, match="no X25519 key"):
        seal(PLAIN, point, CONTEXT, secrets.token_bytes)
    refusal(SEALED[:8] + point + SEALED[40:])


@pytest.mark.parametrize("size", [0, 31, 33])
def test_keys_have_their_length(size: int) -> None:
    with pytest.raises(MalformedError, match="no X25519 key"):
        seal(PLAIN, bytes(size), CONTEXT, secrets.token_bytes)
    with pytest.raises(MalformedError, match=f"key of {size} bytes"):
        open_sealed(SEALED, bytes(size), CONTEXT)


def test_the_same_secret_sealed_twice_shows_no_likeness() -> None:
    one, two = (seal(PLAIN, BOB_PUBLIC, CONTEXT, secrets.token_bytes) for _ in range(2))
    assert one[8:24] != two[8:24]
    assert one[40:] != two[40:]
    assert PLAIN not in one + two


@pytest.mark.parametrize("size", [0, 1, MAX_PLAIN])
def test_any_size_up_to_the_limit(size: int) -> None:
    sealed = seal(bytes(size), BOB_PUBLIC, CONTEXT, secrets.token_bytes)
    assert len(sealed) == size + OVERHEAD
    assert open_sealed(sealed, BOB, CONTEXT) == bytes(size)


def test_above_the_limit_nothing_is_sealed() -> None:
    with pytest.raises(MalformedError, match="limit"):
        seal(bytes(MAX_PLAIN + 1), BOB_PUBLIC, CONTEXT, secrets.token_bytes)


def test_a_context_that_cannot_be_is_malformed() -> None:
    with pytest.raises(MalformedError):
        seal(PLAIN, BOB_PUBLIC, replace(CONTEXT, generation=0), secrets.token_bytes)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    refusal(data)
    refusal(SEALED[:8] + data)


@given(st.binary(max_size=300), st.binary(min_size=32, max_size=32))
def test_what_is_sealed_for_a_key_is_opened_with_it(plain: bytes, private: bytes) -> None:
    public = X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    sealed = seal(plain, public, CONTEXT, secrets.token_bytes)
    assert open_sealed(sealed, private, CONTEXT) == plain


def test_keys_take_their_chance_from_the_caller() -> None:
    assert make_sealing_key(lambda size: BOB[:size]) == BOB
