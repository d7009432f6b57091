"""A small cluster's keys and signed things, for tests. Nothing in here is secret.

Seeds are one byte thirty-two times over, so every run signs the same bytes.
A test changes one thing: `statement(document=replace(DOCUMENT, node="w2"))`.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from saltern_protocol.documents import (
    Document,
    Identity,
    PayloadType,
    Statement,
    body_hash,
    document_hash,
    encode_document,
)
from saltern_protocol.envelope import sign
from saltern_protocol.keys import PrivateKey
from saltern_protocol.lease import LEASE_SECONDS, LeasePayload, sign_lease
from saltern_protocol.policy import Allow, Policy, encode_policy
from saltern_protocol.root import Role, Roles, Root, encode_root
from saltern_protocol.trust import Trust

NOW = 1_800_000_000  # 2027-01-15T08:00:00Z
DAY = 86_400


def key(number: int) -> PrivateKey:
    """Give the test key of a number from 0 to 255."""
    return PrivateKey.from_seed(bytes([number]) * 32)


ROOT_KEYS = (key(1), key(2), key(3))
POLICY_KEYS = (key(11), key(12))
STATE_KEYS = (key(21),)
LEASE_KEYS = (key(31),)
STRANGER = key(99)


def role(keys: Iterable[PrivateKey], threshold: int) -> Role:
    """Give the role of these keys."""
    return Role(keys=tuple(each.public for each in keys), threshold=threshold)


ROOT = Root(
    cluster="demo",
    version=1,
    epoch=1,
    expires=NOW + 365 * DAY,
    roles=Roles(
        root=role(ROOT_KEYS, 2),
        policy=role(POLICY_KEYS, 1),
        state=role(STATE_KEYS, 1),
        lease=role(LEASE_KEYS, 1),
    ),
)
POLICY = Policy(
    cluster="demo",
    version=1,
    epoch=1,
    expires=NOW + 90 * DAY,
    classes={
        "worker": Allow(
            paths=("/etc/docker", "/etc/kubernetes", "/run/saltern"),
            units=("docker.service", "kubelet*"),
            sysctls=("net.ipv4.*",),
            chains=("nat/SALTERN-*", "filter/SALTERN-*"),
            links=("cbr0",),
            modules=("br_netfilter",),
            packages=("docker.io",),
            routes=("10.10.0.0/16",),
            swap=True,
        )
    },
)
BODY = b"\x80"  # an empty map: this distribution never looks inside
DOCUMENT = Document(
    cluster="demo",
    node="w1",
    incarnation="0123456789abcdef0123456789abcdef",
    epoch=1,
    version=1,
    issued=NOW,
    expires=NOW + 30 * DAY,
    previous=None,
    body=body_hash(BODY),
)
LEASE = LeasePayload(
    cluster="demo",
    node="w1",
    incarnation=DOCUMENT.incarnation,
    epoch=1,
    version=DOCUMENT.version,
    document=document_hash(encode_document(DOCUMENT)),
    issued=NOW,
    expires=NOW + LEASE_SECONDS,
    nonce=bytes(range(16)),
)


def signed_root(root: Root, keys: Iterable[PrivateKey] = ROOT_KEYS[:2]) -> bytes:
    """Give a root's envelope."""
    return sign(PayloadType.ROOT, encode_root(root), keys)


def signed_policy(policy: Policy, keys: Iterable[PrivateKey] = POLICY_KEYS[:1]) -> bytes:
    """Give a policy's envelope."""
    return sign(PayloadType.POLICY, encode_policy(policy), keys)


def signed_document(document: Document, keys: Iterable[PrivateKey] = STATE_KEYS) -> bytes:
    """Give a document's envelope."""
    return sign(PayloadType.DOCUMENT, encode_document(document), keys)


def signed_lease(lease: LeasePayload, keys: Iterable[PrivateKey] = LEASE_KEYS) -> bytes:
    """Give a lease's envelope."""
    return sign_lease(lease, keys)


IDENTITY = Identity(
    cluster="demo",
    node="w1",
    incarnation=DOCUMENT.incarnation,
    node_class="worker",
    root=signed_root(ROOT),
)


def trust() -> Trust:
    """Give what node w1 believes once it has its root and its policy."""
    return Trust.pin(IDENTITY).with_policy(signed_policy(POLICY))


def statement(body: bytes = BODY, document: Document = DOCUMENT) -> Statement:
    """Give a statement for this body, which the document is made to name."""
    named = replace(document, body=body_hash(body))
    return Statement(
        roots=(IDENTITY.root,),
        policy=signed_policy(POLICY),
        document=signed_document(named),
        body=body,
    )
