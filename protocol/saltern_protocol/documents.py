"""What a node is given: a document, its body, and the chain that makes both believable.

    Document    signed: this node shall have this body, until then
    Statement   the file: roots, policy, document, body; believed only by trust.py
    Identity    what an operator pins on a node: who it is, and the first root

* Tags and payload types carry versions. A released one never changes; a new
  meaning is a new one.
* Fields that we do not know are ignored, so that a newer signer can talk to an older node.
* Times are whole seconds since 1970, UTC. Hashes are raw SHA-256.
* Each decoder raises MalformedError and nothing else.
"""

from enum import StrEnum, unique
from hashlib import sha256
from typing import Annotated

from msgspec import Meta, Struct

from saltern_protocol import wire
from saltern_protocol.errors import MalformedError
from saltern_protocol.terms import Count, Digest, Incarnation, Name, Seconds

MAX_BODY_BYTES = 192 * 1024
MAX_DOCUMENT_BYTES = 4 * 1024
MAX_STATEMENT_BYTES = 512 * 1024  # 64 roots, the largest policy and body; hostile, it takes 40 MiB
MAX_IDENTITY_BYTES = 160 * 1024
MAX_ROOTS = 64  # links of one chain


@unique
class PayloadType(StrEnum):
    """What an envelope can hold. None passes for another, since the type is signed."""

    ROOT = "application/vnd.saltern.root+msgpack;v=1"
    POLICY = "application/vnd.saltern.policy+msgpack;v=1"
    DOCUMENT = "application/vnd.saltern.document+msgpack;v=1"
    PROPOSAL = "application/vnd.saltern.proposal+msgpack;v=1"  # can be planned, never applied
    LEASE = "application/vnd.saltern.lease+msgpack;v=1"


class Document(Struct, frozen=True, kw_only=True, tag_field="type", tag="document/1"):
    """This node, enrolled as this incarnation, shall have this body."""

    cluster: Name
    node: Name
    incarnation: Incarnation
    epoch: Count
    version: Count  # rises at every signing
    issued: Seconds  # for people; a node's clock may be behind the signer's
    expires: Seconds
    previous: Digest | None  # the document before this one, for auditors
    body: Digest


class Statement(Struct, frozen=True, kw_only=True, tag_field="type", tag="statement/1"):
    """All that a node needs to believe a body. Envelopes are kept as bytes, as signed."""

    roots: Annotated[tuple[bytes, ...], Meta(max_length=MAX_ROOTS)]  # rising, without gaps
    policy: bytes
    document: bytes
    body: bytes


class Identity(Struct, frozen=True, kw_only=True, tag_field="type", tag="identity/1"):
    """Who a node is, and the root envelope from which its trust starts."""

    cluster: Name
    node: Name
    incarnation: Incarnation
    node_class: Name  # which part of the policy it lives under
    root: bytes


def body_hash(body: bytes) -> bytes:
    """Give the name of a body: SHA-256, raw. MalformedError above MAX_BODY_BYTES."""
    if len(body) > MAX_BODY_BYTES:
        raise MalformedError(
            f"cannot take a body of {len(body)} bytes: the limit is {MAX_BODY_BYTES}; "
            "move large contents into blobs"
        )
    return sha256(body).digest()


def document_hash(payload: bytes) -> bytes:
    """Give the name of a document: SHA-256 of the signed bytes, whoever signed them."""
    return sha256(payload).digest()


def encode_document(document: Document) -> bytes:
    """Give the payload to sign; MalformedError if no node could read it."""
    return wire.pack_checked(document, MAX_DOCUMENT_BYTES)


def decode_document(payload: bytes) -> Document:
    """Read a payload that envelope.verify() gave."""
    return wire.unpack(payload, Document, MAX_DOCUMENT_BYTES)


def encode_statement(statement: Statement) -> bytes:
    """Give the bytes of the file; MalformedError if no node could read it."""
    return wire.pack_checked(statement, MAX_STATEMENT_BYTES)


def decode_statement(data: bytes) -> Statement:
    """Read the file; nothing in it is believed yet."""
    return wire.unpack(data, Statement, MAX_STATEMENT_BYTES)


def encode_identity(identity: Identity) -> bytes:
    """Give the bytes that an operator puts on a node; MalformedError if it could not read them."""
    return wire.pack_checked(identity, MAX_IDENTITY_BYTES)


def decode_identity(data: bytes) -> Identity:
    """Read what the operator put there."""
    return wire.unpack(data, Identity, MAX_IDENTITY_BYTES)
