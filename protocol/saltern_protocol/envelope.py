"""A signed envelope, after DSSE (Dead Simple Signing Envelope, protocol.md v1).

* What is signed is PAE(type, payload): lengths in bytes, so no two pairs of type
  and payload give the same signed bytes.
* The payload is kept as the very bytes that were signed. verify() gives those bytes,
  and only then does anybody parse them, once.
* A threshold counts distinct public keys. A key id narrows down which keys to try
  and decides nothing: the same key under two ids counts once.
* The payload type names encoding and schema, and is signed, so a proposal never
  passes for a document.
* Envelopes know no fields but these, and take no more work than 16 signatures cost.
"""

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from saltern_protocol import wire
from saltern_protocol.errors import Reason, RefusedError
from saltern_protocol.keys import PrivateKey, PublicKey

MAX_BYTES = 128 * 1024
MAX_SIGNATURES = 16


class Signature(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One signature; `key_id` is the signer's fingerprint, or empty: try every key."""

    key_id: Annotated[str, Meta(max_length=64)]
    sig: Annotated[bytes, Meta(min_length=64, max_length=64)]


class Envelope(
    Struct,
    frozen=True,
    kw_only=True,
    tag_field="type",
    tag="envelope/1",
    forbid_unknown_fields=True,
):
    """A payload as it was signed, and by whom it claims to be signed."""

    payload_type: Annotated[str, Meta(max_length=128)]
    payload: bytes
    signatures: Annotated[tuple[Signature, ...], Meta(max_length=MAX_SIGNATURES)]


def pae(payload_type: str, payload: bytes) -> bytes:
    """Give the bytes that are signed: DSSE's pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(payload_type: str, payload: bytes, keys: Iterable[PrivateKey]) -> bytes:
    """Give the bytes of an envelope, signed by each key in turn."""
    message = pae(payload_type, payload)
    signatures = tuple(
        Signature(key_id=key.public.fingerprint, sig=key.sign(message)) for key in keys
    )
    return encode(Envelope(payload_type=payload_type, payload=payload, signatures=signatures))


def add_signature(data: bytes, key: PrivateKey) -> bytes:
    """Give the envelope with one more signature; MalformedError if it is none, or is full."""
    unsigned = decode(data)
    message = pae(unsigned.payload_type, unsigned.payload)
    one = Signature(key_id=key.public.fingerprint, sig=key.sign(message))
    signed = replace(unsigned, signatures=(*unsigned.signatures, one))
    decode(encode(signed))
    return encode(signed)


def encode(envelope: Envelope) -> bytes:
    """Give the bytes of an envelope."""
    return wire.pack(envelope)


def decode(data: bytes) -> Envelope:
    """Read an envelope and believe nothing in it yet; MalformedError if it is none."""
    return wire.unpack(data, Envelope, MAX_BYTES)


def verify(data: bytes, payload_type: str, keys: Iterable[PublicKey], threshold: int) -> bytes:
    """Give the payload that `threshold` distinct keys signed as this type.

    MalformedError if it is no envelope; RefusedError WRONG_TYPE or UNSIGNED.
    """
    envelope = decode(data)
    if envelope.payload_type != payload_type:
        raise RefusedError(
            Reason.WRONG_TYPE,
            f'cannot take this envelope: it holds "{envelope.payload_type}" where '
            f'"{payload_type}" belongs; give the file that was made for this purpose',
        )
    known = frozenset(keys)
    signed_by = signers(envelope, known)
    if threshold < 1 or len(signed_by) < threshold:
        raise RefusedError(
            Reason.UNSIGNED,
            f"cannot take this {payload_type}: {len(envelope.signatures)} signatures, of which "
            f"{len(signed_by)} distinct known keys verify and {threshold} are needed; "
            f"sign it with keys that the root names for this role",
        )
    return envelope.payload


def signers(envelope: Envelope, keys: Iterable[PublicKey]) -> frozenset[PublicKey]:
    """Give the keys whose signature is there and good."""
    message, known = pae(envelope.payload_type, envelope.payload), frozenset(keys)
    return frozenset(
        key
        for signature in envelope.signatures
        for key in known
        if signature.key_id in {"", key.fingerprint} and key.verifies(signature.sig, message)
    )
