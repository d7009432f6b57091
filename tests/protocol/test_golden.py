"""Released bytes never change, and no bytes make a decoder fail in another way.

SALTERN_GOLDEN=write makes the files of tests/golden/protocol anew. Read the
difference before you commit it: a changed file means nodes that cannot read us.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from textwrap import fill

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from saltern_protocol import envelope
from saltern_protocol.documents import (
    MAX_BODY_BYTES,
    MAX_ROOTS,
    decode_document,
    decode_identity,
    decode_statement,
    encode_document,
    encode_identity,
    encode_statement,
)
from saltern_protocol.errors import MalformedError, RefusedError
from saltern_protocol.lease import decode_lease, encode_lease
from saltern_protocol.policy import Allow, decode_policy, encode_policy
from saltern_protocol.root import decode_root, encode_root
from saltern_protocol.testing import (
    BODY,
    DOCUMENT,
    IDENTITY,
    LEASE,
    NOW,
    POLICY,
    ROOT,
    signed_document,
    statement,
    trust,
)
from saltern_protocol.trust import Trust
from saltern_protocol.wire import unpack_plain

GOLDEN = Path(__file__).parent.parent / "golden" / "protocol"

SECOND = replace(DOCUMENT, version=2**63 - 1, previous=bytes(range(32)))
PINNED = replace(POLICY, classes={"a": Allow(artifacts=("ab" * 32,), images=()), "b": Allow()})
VALUES: dict[str, tuple[object, bytes, Callable[[bytes], object]]] = {
    "document": (DOCUMENT, encode_document(DOCUMENT), decode_document),
    "document-second": (SECOND, encode_document(SECOND), decode_document),
    "root": (ROOT, encode_root(ROOT), decode_root),
    "policy": (POLICY, encode_policy(POLICY), decode_policy),
    "policy-pinned": (PINNED, encode_policy(PINNED), decode_policy),
    "envelope": (
        envelope.decode(signed_document(DOCUMENT)),
        signed_document(DOCUMENT),
        envelope.decode,
    ),
    "statement": (statement(), encode_statement(statement()), decode_statement),
    "lease": (LEASE, encode_lease(LEASE), decode_lease),
    "identity": (IDENTITY, encode_identity(IDENTITY), decode_identity),
}
DECODERS: tuple[Callable[[bytes], object], ...] = (
    *{decode for _, _, decode in VALUES.values()},
    lambda data: unpack_plain(data, 1024 * 1024),
    lambda data: Trust.pin(IDENTITY).walk(data),
    lambda data: Trust.pin(IDENTITY).with_policy(data),
    lambda data: trust().lease(data, IDENTITY, LEASE.nonce),
    lambda data: trust().accept(data, BODY, IDENTITY, None, NOW),
)


@pytest.mark.parametrize("name", VALUES)
def test_released_bytes_never_change(name: str) -> None:
    value, data, decode = VALUES[name]
    path = GOLDEN / f"{name}.hex"
    if os.environ.get("SALTERN_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(fill(data.hex(), 96) + "\n")
    golden = bytes.fromhex(path.read_text())
    assert data == golden
    assert decode(golden) == value


def test_every_golden_file_is_looked_at() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(VALUES)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Golden bytes with a part overwritten, cut out or put in."""
    data = VALUES[draw(st.sampled_from(sorted(VALUES)))][1]
    start = draw(st.integers(0, len(data)))
    end = start + draw(st.integers(0, 8))
    return data[:start] + draw(st.binary(max_size=8)) + data[end:]


def read_with_all(data: bytes) -> None:
    for decode in DECODERS:
        with suppress(MalformedError, RefusedError):
            decode(data)


@given(st.binary(max_size=300))
@example(b"\x91" * 100_000)
@example(b"\x81\xa4type" * 10_000)
@example(b"\x82\xa4type\xaadocument/1\xa1x" + b"\x91" * 100_000)
@example(b"\x80" * 300_000)
def test_any_bytes_are_read_or_malformed(data: bytes) -> None:
    read_with_all(data)


@given(mutated())
def test_any_mutation_is_read_or_malformed(data: bytes) -> None:
    read_with_all(data)


@given(st.sampled_from(sorted(VALUES)), st.data())
def test_what_is_cut_short_is_malformed(name: str, data: st.DataObject) -> None:
    _, whole, decode = VALUES[name]
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(MalformedError):
        decode(whole[:cut])


@pytest.mark.parametrize(
    "fields",
    [
        {"node": "../w1"},
        {"node": "w1\n"},
        {"node": "W1"},
        {"node": "a" * 64},
        {"node": ""},
        {"incarnation": "0" * 31},
        {"incarnation": "G" * 32},
        {"version": 0},
        {"version": 2**63},
        {"epoch": 0},
        {"issued": -1},
        {"expires": 253_402_300_800},
        {"body": bytes(31)},
        {"previous": bytes(33)},
        {"cluster": None},
    ],
    ids=str,
)
def test_a_document_that_no_node_could_read_is_not_encoded(fields: dict[str, object]) -> None:
    with pytest.raises(MalformedError, match=r"^cannot read a Document"):
        encode_document(replace(DOCUMENT, **fields))


@pytest.mark.parametrize("node", ["a", "w1", "w-1.rack-2", "a" * 63])
def test_the_names_of_nodes(node: str) -> None:
    assert decode_document(encode_document(replace(DOCUMENT, node=node))).node == node


def test_a_statement_holds_sixty_four_roots() -> None:
    encode_statement(replace(statement(), roots=(b"",) * 64))
    with pytest.raises(MalformedError):
        encode_statement(replace(statement(), roots=(b"",) * 65))


def test_the_largest_body_fits_a_statement_with_a_long_chain_and_a_large_policy() -> None:
    chain = (IDENTITY.root,) * MAX_ROOTS
    large = replace(statement(), roots=chain, policy=bytes(envelope.MAX_BYTES))
    body = bytes(MAX_BODY_BYTES)
    assert decode_statement(encode_statement(replace(large, body=body))).body == body
    with pytest.raises(MalformedError, match="limit"):
        encode_statement(replace(large, body=body * 2))


def test_a_policy_of_before_there_were_releases_is_read_and_allows_none() -> None:
    older = GOLDEN.parent / "older/policy-without-releases.hex"

    assert decode_policy(bytes.fromhex(older.read_text())) == PINNED
