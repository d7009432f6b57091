"""Signed things that a node must not take, each with the one reason for which it must not.

The node believes root 2, policy 3 and document 5. Root 2 dropped a state key and a lease key, which
are a thief's now; before that it believed root 1, policy 2 and document 4. What is drawn by chance
(versions, names, times) differs from seed to seed; the reasons do not.
"""

from __future__ import annotations

import dataclasses
import getpass
import grp
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from msgspec.structs import replace
from saltern_protocol import envelope, testing
from saltern_protocol.documents import (
    Document,
    PayloadType,
    Statement,
    body_hash,
    encode_document,
    encode_statement,
)
from saltern_protocol.errors import Reason
from saltern_protocol.keys import PrivateKey
from saltern_protocol.lease import LEASE_SECONDS, LeasePayload, encode_lease, sign_lease
from saltern_protocol.policy import Policy, encode_policy
from saltern_protocol.root import Root
from saltern_protocol.terms import LAST_SECOND, MAX_COUNT
from saltern_protocol.testing import key, role
from saltern_states.body import Resource, make_body, write_body
from saltern_states.contract import Spec
from saltern_states.file import File

OWNER = getpass.getuser()
GROUP = grp.getgrgid(os.getegid()).gr_name
PATH = "/etc/docker/daemon.json"
STATE, LEASE = key(22), key(32)
OLD_STATE, OLD_LEASE = testing.STATE_KEYS[0], testing.LEASE_KEYS[0]
ROOT_KEYS, POLICY_KEY = testing.ROOT_KEYS[:2], testing.POLICY_KEYS[0]

ROOT_1 = replace(testing.ROOT, expires=LAST_SECOND)
ROOT_2 = replace(
    ROOT_1,
    version=2,
    roles=replace(ROOT_1.roles, state=role([STATE], 1), lease=role([LEASE], 1)),
)
POLICY_3 = replace(testing.POLICY, version=3, expires=LAST_SECOND)
IDENTITY = replace(testing.IDENTITY, root=testing.signed_root(ROOT_1))


def body(text: str, path: str = PATH) -> bytes:
    """Give a body with one file."""
    spec: Spec = File(path=path, text=text, owner=OWNER, group=GROUP)
    return write_body(make_body((Resource(id="f", spec=spec),)))


@dataclass(frozen=True, slots=True)
class Parts:
    """All that a statement is made of, before anything is signed."""

    document: Document
    body: bytes
    policy: Policy = POLICY_3
    roots: tuple[bytes, ...] = (IDENTITY.root, testing.signed_root(ROOT_2))
    signers: tuple[PrivateKey, ...] = (STATE,)
    policy_signers: tuple[PrivateKey, ...] = (POLICY_KEY,)
    kind: PayloadType = PayloadType.DOCUMENT
    instead: bytes = b""  # an envelope in the document's place
    other_body: bytes = b""  # a body in the place of the one that is named


def parts(version: int, text: str, **fields: Any) -> Parts:  # noqa: ANN401  # as Document's
    """Give what makes a good statement, with some of the document's fields changed."""
    good = body(text)
    usual: dict[str, Any] = {"version": version, "expires": LAST_SECOND, "body": body_hash(good)}
    return Parts(replace(testing.DOCUMENT, **(usual | fields)), good)


def statement(made: Parts) -> bytes:
    """Sign it all."""
    document = envelope.sign(made.kind, encode_document(made.document), made.signers)
    policy = envelope.sign(PayloadType.POLICY, encode_policy(made.policy), made.policy_signers)
    return encode_statement(
        Statement(
            roots=made.roots,
            policy=policy,
            document=made.instead or document,
            body=made.other_body or made.body,
        )
    )


@dataclass(frozen=True, slots=True)
class Offer:
    """A statement that must be refused, and why."""

    name: str
    data: bytes
    reason: Reason


@dataclass(frozen=True, slots=True)
class LeaseOffer:
    """A lease that must be refused, and why."""

    name: str
    data: bytes
    reason: Reason


def offers(rng: Random, now: int) -> Iterator[Offer]:
    """Give every statement once, in its own variant."""
    for made in (*_documents(rng, now), *_policies(rng, now), *_roots(rng, now)):
        name, told, reason = made
        yield Offer(name, statement(told), reason)


def leases(rng: Random, nonce: bytes) -> Iterator[LeaseOffer]:
    """Give every lease once. `nonce`: what the node has just asked with."""
    good = LeasePayload(
        cluster="demo",
        node="w1",
        incarnation=IDENTITY.incarnation,
        epoch=1,
        version=5,
        document=bytes(32),
        issued=1,
        expires=1 + LEASE_SECONDS,
        nonce=nonce,
    )
    strangers = {"cluster": "other", "node": _name(rng), "incarnation": _incarnation(rng)}
    wrongs = {"cluster": "WRONG_CLUSTER", "node": "WRONG_NODE", "incarnation": "WRONG_INCARNATION"}
    for field, value in strangers.items():
        data = sign_lease(replace(good, **{field: value}), [LEASE])
        yield LeaseOffer(f"a lease of another {field}", data, Reason[wrongs[field]])
    later = replace(good, epoch=rng.randint(2, MAX_COUNT))
    yield LeaseOffer("a lease of another epoch", sign_lease(later, [LEASE]), Reason.WRONG_EPOCH)
    old = replace(good, nonce=rng.randbytes(16))
    yield LeaseOffer("an old lease once more", sign_lease(old, [LEASE]), Reason.WRONG_NONCE)
    for who, signer in (
        ("the dropped lease key", OLD_LEASE),
        ("the state key", STATE),
        ("the policy key", POLICY_KEY),
        ("a stranger", testing.STRANGER),
    ):
        yield LeaseOffer(f"a lease by {who}", sign_lease(good, [signer]), Reason.UNSIGNED)
    document = parts(9, "x").document
    for kind, payload in (
        (PayloadType.DOCUMENT, encode_document(document)),
        (PayloadType.PROPOSAL, encode_lease(good)),
    ):
        data = envelope.sign(kind, payload, [LEASE])
        yield LeaseOffer(f"{kind.split('.')[2]} as lease", data, Reason.WRONG_TYPE)


Made = tuple[str, Parts, Reason]


def _documents(rng: Random, now: int) -> Iterator[Made]:
    high = rng.randint(6, MAX_COUNT)
    yield "an older version", parts(rng.randint(1, 4), "old"), Reason.ROLLBACK
    yield "the same version with another body", parts(5, "other"), Reason.ROLLBACK
    yield "another node's", parts(high, "x", node=_name(rng)), Reason.WRONG_NODE
    incarnation = _incarnation(rng)
    yield (
        "another incarnation's",
        parts(high, "x", incarnation=incarnation),
        (Reason.WRONG_INCARNATION),
    )
    yield "another cluster's", parts(high, "x", cluster=_name(rng)), Reason.WRONG_CLUSTER
    yield "a later epoch's", parts(1, "x", epoch=rng.randint(2, MAX_COUNT)), Reason.WRONG_EPOCH
    ended = rng.randint(1, now - 1)
    yield "expired", parts(high, "x", issued=0, expires=ended), Reason.EXPIRED
    yield "expired this second", parts(high, "x", expires=now), Reason.EXPIRED
    good = parts(high, "x")
    yield "a proposal", _with(good, kind=PayloadType.PROPOSAL), Reason.WRONG_TYPE
    swapped = _with(good, other_body=body("swapped"))
    yield "a body that was not signed", swapped, Reason.WRONG_BODY
    forbidden = body("x", "/etc/shadow")
    named = replace(good.document, body=body_hash(forbidden))
    yield "outside policy", _with(good, document=named, body=forbidden), Reason.OUTSIDE_POLICY
    yield from _by_others(rng, high)
    yield from _other_things(good)


def _by_others(rng: Random, high: int) -> Iterator[Made]:
    """Fast-forward: the highest version, by whoever may not sign it."""
    for who, signers in (
        ("the dropped state key", (OLD_STATE,)),
        ("the lease key", (LEASE,)),
        ("the policy key", (POLICY_KEY,)),
        ("the root keys", ROOT_KEYS),
        ("a stranger", (testing.STRANGER,)),
        ("nobody", ()),
        ("all but the state key", (OLD_STATE, LEASE, POLICY_KEY, *ROOT_KEYS)),
    ):
        for version in (MAX_COUNT, high):
            name = f"version {'MAX' if version == MAX_COUNT else 'N'} by {who}"
            yield name, _with(parts(version, rng.choice("abc")), signers=signers), Reason.UNSIGNED


def _other_things(good: Parts) -> Iterator[Made]:
    """Give what was signed for other purposes, in the document's place."""
    things: Sequence[tuple[str, bytes]] = (
        ("a lease", testing.signed_lease(testing.LEASE, [LEASE])),
        ("a policy", testing.signed_policy(POLICY_3)),
        ("a root", testing.signed_root(ROOT_2)),
    )
    for name, data in things:
        yield f"{name} as document", _with(good, instead=data), Reason.WRONG_TYPE


def _policies(rng: Random, now: int) -> Iterator[Made]:
    good = parts(rng.randint(6, 1000), "x")
    for name, fields, reason in (
        ("an older policy", {"version": rng.randint(1, 2)}, Reason.ROLLBACK),
        ("another policy of the same version", {"classes": {}}, Reason.ROLLBACK),
        ("another cluster's policy", {"cluster": _name(rng), "version": 4}, Reason.WRONG_CLUSTER),
        ("a later epoch's policy", {"epoch": 2, "version": 1}, Reason.WRONG_EPOCH),
        ("an expired policy", {"expires": now, "version": 4}, Reason.POLICY_EXPIRED),
        ("a policy without this class", {"classes": {}, "version": 4}, Reason.OUTSIDE_POLICY),
    ):
        changed: dict[str, Any] = fields
        yield name, _with(good, policy=replace(POLICY_3, **changed)), reason
    wide = replace(POLICY_3, version=4)
    for who, signer in (("state", STATE), ("lease", LEASE), ("a stranger's", testing.STRANGER)):
        forged = _with(good, policy=wide, policy_signers=(signer,))
        yield f"a policy by the {who} key", forged, Reason.UNSIGNED


def _roots(rng: Random, now: int) -> Iterator[Made]:
    good = parts(rng.randint(6, 1000), "x")
    third = replace(ROOT_2, version=3)
    by_thief = replace(third, roles=replace(ROOT_2.roles, state=role([OLD_STATE], 1)))
    gap = replace(by_thief, version=rng.randint(4, 60))
    for name, root, signers, reason in (
        ("a root by one of two", third, ROOT_KEYS[:1], Reason.UNSIGNED),
        ("a root by one twice", third, (ROOT_KEYS[0],) * 2, Reason.UNSIGNED),
        ("a root by the state key", by_thief, (STATE, OLD_STATE), Reason.UNSIGNED),
        ("a root that leaves others out", gap, ROOT_KEYS, Reason.ROOT_GAP),
        ("another cluster's root", replace(third, cluster="other"), ROOT_KEYS, _CLUSTER),
        ("a root that expired", replace(third, expires=now), ROOT_KEYS, Reason.ROOT_EXPIRED),
        ("a root that its own keys did not sign", _taken_over(third), ROOT_KEYS, Reason.UNSIGNED),
    ):
        yield name, _with(good, roots=(*good.roots, testing.signed_root(root, signers))), reason
    back = replace(ROOT_2, epoch=2, version=3)
    chain = (testing.signed_root(back), testing.signed_root(replace(ROOT_2, version=4)))
    yield "a root of an earlier epoch", _with(good, roots=(*good.roots, *chain)), Reason.ROLLBACK


_CLUSTER = Reason.WRONG_CLUSTER


def _taken_over(root: Root) -> Root:
    return replace(root, roles=replace(root.roles, root=role([testing.STRANGER], 1)))


def _with(made: Parts, **fields: Any) -> Parts:  # noqa: ANN401  # as Parts'

    return dataclasses.replace(made, **fields)


def _name(rng: Random) -> str:
    return f"n{rng.randrange(10**6)}"


def _incarnation(rng: Random) -> str:
    return rng.randbytes(16).hex()
