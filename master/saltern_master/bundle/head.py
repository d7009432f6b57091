"""The head of a bundle: which manifest was signed, and by whom. Pure.

    Head       the public keys of those who signed, and
      Envelope   their signatures (DSSE) over
        Statement   the cluster's name, the manifest's SHA-256 and its size

* A key in a head is worth nothing by itself: who takes a bundle knows keys, or their
  fingerprints, from elsewhere (ADR 0029). It is there so that a fingerprint is enough.
* There is one form: keys ascend, each has one signature in the same place, every one of them is
  good, and the bytes are those that we would write. So no byte of it can be another one.
* Signatures are looked at before the statement is parsed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Final

from msgspec import Meta, Struct
from saltern_protocol import envelope, wire
from saltern_protocol.errors import MalformedError, ProtocolError
from saltern_protocol.keys import PREFIX, PrivateKey, PublicKey, fingerprint
from saltern_protocol.terms import HexDigest, Name

from saltern_master.bundle.manifest import MOST_BYTES, BundleError

PAYLOAD_TYPE: Final = "application/vnd.saltern.bundle+msgpack;v=1"
MOST_HEAD: Final = 16 * 1024
"""Bytes of a head: sixteen signatures take four thousand."""
DIGITS: Final = 32


class Statement(
    Struct, frozen=True, kw_only=True, tag_field="type", tag="bundle/1", forbid_unknown_fields=True
):
    """What is signed."""

    cluster: Name
    manifest: HexDigest
    size: Annotated[int, Meta(ge=1, le=MOST_BYTES)]


class Head(
    Struct,
    frozen=True,
    kw_only=True,
    tag_field="type",
    tag="bundle-head/1",
    forbid_unknown_fields=True,
):
    """The first member of the file."""

    keys: Annotated[tuple[PublicKey, ...], Meta(min_length=1, max_length=envelope.MAX_SIGNATURES)]
    signed: Annotated[bytes, Meta(max_length=MOST_HEAD)]


@dataclass(frozen=True, slots=True)
class Signed:
    """What a head says. `signers`: those whose signature is good; `faults`: all against it."""

    statement: Statement
    signers: tuple[PublicKey, ...]
    faults: tuple[str, ...]


def sign_statement(statement: Statement, keys: Iterable[PrivateKey]) -> bytes:
    """Give the head's bytes, signed by each of these keys, whatever their order."""
    ordered = sorted({key.public: key for key in keys}.items())
    if not 1 <= len(ordered) <= envelope.MAX_SIGNATURES:
        raise BundleError(
            f"cannot sign with {len(ordered)} keys: 1 to {envelope.MAX_SIGNATURES} sign a bundle"
        )
    signed = envelope.sign(PAYLOAD_TYPE, wire.pack(statement), [key for _, key in ordered])
    return wire.pack_checked(Head(keys=tuple(key for key, _ in ordered), signed=signed), MOST_HEAD)


def add_signature(data: bytes, key: PrivateKey) -> bytes:
    """Give a head with one more signature; BundleError: it has that one, is full, or is not good.

    The others' are kept as they are: nobody has all keys in one place.
    """
    signed = read_head(data)
    if signed.faults:
        raise BundleError("cannot sign a head that is not good:", signed.faults)
    public, before = key.public, wire.unpack(data, Head, MOST_HEAD)
    if public in before.keys:
        raise BundleError(f"cannot sign with the key {shown(public)}: it has signed already")
    if len(before.keys) == envelope.MAX_SIGNATURES:
        raise BundleError(f"cannot sign: {envelope.MAX_SIGNATURES} have signed, which is the most")
    held = envelope.decode(envelope.add_signature(before.signed, key))
    by_key = dict(zip((*before.keys, public), held.signatures, strict=True))
    keys = tuple(sorted(by_key))
    ordered = envelope.Envelope(
        payload_type=held.payload_type,
        payload=held.payload,
        signatures=tuple(by_key[one] for one in keys),
    )
    return wire.pack_checked(Head(keys=keys, signed=envelope.encode(ordered)), MOST_HEAD)


def read_head(data: bytes) -> Signed:
    """Read a head; BundleError where nothing can be read of it, else all that is wrong with it."""
    try:
        head = wire.unpack(data, Head, MOST_HEAD)
        held = envelope.decode(head.signed)
        if held.payload_type != PAYLOAD_TYPE:
            raise MalformedError(f'it holds "{held.payload_type}"')
        faults = tuple(_faults(data, head, held))
        statement = wire.unpack(held.payload, Statement, MOST_HEAD)
    except ProtocolError as error:
        raise BundleError(
            f"cannot read who signed: {error}; it is no bundle, or it is damaged"
        ) from error
    if wire.pack(statement) != held.payload:
        faults += ("head: what was signed is not in the one form that it has",)
    good = envelope.signers(held, head.keys)
    return Signed(statement, tuple(sorted(good)), faults)


def shown(key: PublicKey) -> str:
    """Give what people compare of a key."""
    return fingerprint(key.raw)


def is_named(key: PublicKey, text: str) -> bool:
    """Tell whether a text is this key, whole, or its fingerprint as people write it."""
    if text.startswith(PREFIX):
        return text == str(key)
    return text.replace("-", "").lower() == key.fingerprint


def refuse_names(names: Iterable[str]) -> None:
    """Raise BundleError for texts that can name no key: all of them."""
    wrong = tuple(
        f'"{name}" is neither a fingerprint of {DIGITS} digits nor {PREFIX} and 64'
        for name in names
        if not _can_name(name)
    )
    if wrong:
        raise BundleError("cannot tell whose signature is wanted:", wrong)


def _can_name(text: str) -> bool:
    digits = text.removeprefix(PREFIX).replace("-", "").lower()
    length = 2 * DIGITS if text.startswith(PREFIX) else DIGITS
    return len(digits) == length and not set(digits) - set("0123456789abcdef")


def _faults(data: bytes, head: Head, held: envelope.Envelope) -> Iterator[str]:
    if wire.pack(head) != data or envelope.encode(held) != head.signed:
        yield "head: it is not in the one form that it has"
    if list(head.keys) != sorted(set(head.keys)):
        yield "head: a key stands twice, or out of its order"
    if len(head.keys) != len(held.signatures):
        yield f"head: {len(head.keys)} keys, and {len(held.signatures)} signatures"
    message = envelope.pae(held.payload_type, held.payload)
    for key, signature in zip(head.keys, held.signatures, strict=False):
        if signature.key_id != key.fingerprint or not key.verifies(signature.sig, message):
            yield f"head: the signature of {shown(key)} is not good"
