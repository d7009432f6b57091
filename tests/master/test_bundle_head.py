"""Heads of bundles: one form and no other, whoever made it; and how a key is named."""

from __future__ import annotations

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from saltern_master.bundle.head import (
    PAYLOAD_TYPE,
    Head,
    Statement,
    is_named,
    read_head,
    refuse_names,
    shown,
    sign_statement,
)
from saltern_master.bundle.manifest import BundleError
from saltern_protocol import envelope, wire
from saltern_protocol.documents import PayloadType

from tests.master.bundles import KEY, OTHER, other_key

STATEMENT = Statement(cluster="demo", manifest="0" * 64, size=2)


@given(st.data())
@settings(deadline=None)
def test_no_head_is_another_one(data: st.DataObject) -> None:
    """Whatever is changed in it, no other signer comes out, and it is told."""
    head = sign_statement(STATEMENT, [KEY, OTHER])
    at = data.draw(st.integers(0, len(head) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != head[at]))
    with suppress(BundleError):
        found = read_head(head[:at] + bytes([byte]) + head[at + 1 :])
        assert found.faults
        assert set(found.signers) <= {KEY.public, OTHER.public}


@pytest.mark.parametrize("payload_type", [*PayloadType, PAYLOAD_TYPE + " "])
def test_what_was_signed_as_something_else_is_no_bundle(payload_type: str) -> None:
    signed = envelope.sign(payload_type, wire.pack(STATEMENT), [KEY])
    data = wire.pack(Head(keys=(KEY.public,), signed=signed))
    with pytest.raises(BundleError, match="it holds"):
        read_head(data)


def heads() -> dict[str, bytes]:
    """Give heads that say more than they show, each of another kind."""
    signed = envelope.sign(PAYLOAD_TYPE, wire.pack(STATEMENT), [KEY])
    both = envelope.sign(PAYLOAD_TYPE, wire.pack(STATEMENT), [KEY, KEY])
    one, two = sorted((KEY.public, OTHER.public))
    keys = {KEY.public: KEY, OTHER.public: OTHER}
    turned = envelope.sign(PAYLOAD_TYPE, wire.pack(STATEMENT), [keys[two], keys[one]])
    parts = envelope.decode(signed)
    nameless = msgspec.structs.replace(
        parts, signatures=(msgspec.structs.replace(parts.signatures[0], key_id=""),)
    )
    return {
        "a key that did not sign": wire.pack(Head(keys=(one, two), signed=signed)),
        "another key": wire.pack(Head(keys=(OTHER.public,), signed=signed)),
        "one key twice": wire.pack(Head(keys=(KEY.public, KEY.public), signed=both)),
        "two signatures of one": wire.pack(Head(keys=(KEY.public,), signed=both)),
        "out of order": wire.pack(Head(keys=(two, one), signed=turned)),
        "a signature without a name": wire.pack(
            Head(keys=(KEY.public,), signed=envelope.encode(nameless))
        ),
    }


@pytest.mark.parametrize("name", heads())
def test_a_head_has_one_form(name: str) -> None:
    assert read_head(heads()[name]).faults


def test_a_head_of_no_key_or_of_many_is_none() -> None:
    with pytest.raises(BundleError, match="cannot sign with 0 keys"):
        sign_statement(STATEMENT, [])
    with pytest.raises(BundleError, match="cannot sign with 17 keys"):
        sign_statement(STATEMENT, [other_key(number) for number in range(17)])
    most = sign_statement(STATEMENT, [other_key(number) for number in range(16)])
    assert len(read_head(most).signers) == 16
    assert read_head(most).faults == ()


def test_a_key_is_named_by_its_fingerprint_or_whole() -> None:
    key = KEY.public
    for text in (shown(key), shown(key).upper(), key.fingerprint, str(key)):
        refuse_names([text])
        assert is_named(key, text)
    for text in ("", shown(key)[:-1], key.fingerprint[:-1] + "g", "ed25519:" + key.fingerprint):
        assert not is_named(key, text)
        with pytest.raises(BundleError, match="is neither a fingerprint"):
            refuse_names([text])
