"""What a node believes, and the one way by which it comes to believe more.

After python-tuf's TrustedMetadataSet: a frozen value; each step checks one signed
thing and gives the next value, or raises and leaves everything as it was.

    Trust.pin(identity) -> walk(root) ... -> with_policy(policy) -> accept(document, body)
                                                                 -> permit(claims of the body)

The order of checks never changes, and the first that fails gives the reason:

    walk          wrong-type, unsigned (old keys), malformed, unsigned (new keys),
                  wrong-cluster, rollback or root-gap (exactly N+1), rollback (epoch)
    with_policy   wrong-type, unsigned, malformed, wrong-cluster, wrong-epoch, rollback
    accept        root-expired, policy-missing, policy-expired,
                  wrong-type, unsigned, malformed, wrong-cluster, wrong-node,
                  wrong-incarnation, wrong-epoch, rollback, expired, wrong-body
    permit        policy-missing, outside-policy (naming every claim)
    lease         wrong-type, unsigned, malformed, wrong-cluster, wrong-node,
                  wrong-incarnation, wrong-epoch, wrong-nonce

* A signature is checked before the signed bytes are parsed, and they are parsed once.
* The clock (`now`, seconds since 1970) can only refuse. Roots and policies are walked even
  when expired, since they are the floor that versions may not fall below; it is
  new documents that an expired root or policy refuses. What was accepted stays in force.
* A root replaces keys, so it forgets the policy, which has to be given again under the
  new keys; the policy's version is not forgotten.
* A lease is fresh because it answers our nonce; no wall clock is asked, so none that jumps
  makes one good or bad (lease.py).
* The journal keeps roots that were walked (keep_roots), so that no restart goes back.
* (epoch, version) of a document rises strictly; only the very same signed bytes
  are taken again. The epoch is the root's, so a new epoch heals a version run high.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

from msgspec import Struct, structs

from saltern_protocol import envelope
from saltern_protocol.documents import (
    MAX_ROOTS,
    Document,
    Identity,
    PayloadType,
    Statement,
    body_hash,
    decode_document,
    document_hash,
)
from saltern_protocol.errors import MalformedError, Reason, RefusedError
from saltern_protocol.lease import LeasePayload, decode_lease
from saltern_protocol.policy import Claim, Policy, decode_policy, outside
from saltern_protocol.root import Role, Root, decode_root
from saltern_protocol.terms import Count, Digest


class Accepted(Struct, frozen=True, kw_only=True):
    """What the journal holds of the last document that this incarnation accepted."""

    epoch: Count
    version: Count
    body: Digest
    document: Digest


@dataclass(frozen=True, slots=True)
class Trust:
    """A root, the policy that its keys signed, and the lowest policy still to be taken."""

    root: Root
    policy: Policy | None = None
    floor: tuple[int, int] = (0, 0)  # (epoch, version) of the newest policy ever taken

    @classmethod
    def pin(cls, identity: Identity) -> Self:
        """Start from the root that the operator put on the node; it must be signed by itself."""
        root = decode_root(envelope.decode(identity.root).payload)
        _verify(identity.root, PayloadType.ROOT, root.roles.root)
        _same_cluster("root", root.cluster, identity.cluster)
        return cls(root)

    def walk(self, data: bytes) -> Self:
        """Take the next root: signed by enough of the old keys and enough of the new."""
        new = decode_root(_verify(data, PayloadType.ROOT, self.root.roles.root))
        _verify(data, PayloadType.ROOT, new.roles.root)
        _same_cluster("root", new.cluster, self.root.cluster)
        have = self.root
        if new.version <= have.version or new.epoch < have.epoch:
            raise RefusedError(
                Reason.ROLLBACK,
                f"cannot go to root {_at(new)}: this node is at {_at(have)} and "
                "never goes back; give it the newest chain",
            )
        if new.version != have.version + 1:
            raise RefusedError(
                Reason.ROOT_GAP,
                f"cannot go to root {_at(new)}: this node is at {_at(have)}; "
                f"give it version {have.version + 1} first",
            )
        return replace(self, root=new, policy=None)

    def walk_all(self, chain: Sequence[bytes]) -> Self:
        """Walk the part of a chain that is new, at most 64 roots at a time."""
        if len(chain) > MAX_ROOTS:
            raise MalformedError(
                f"cannot walk {len(chain)} roots: {MAX_ROOTS} at a time; "
                f"give the part after version {self.root.version}"
            )
        trust = self
        for data in chain:
            if _claimed_version(data) > trust.root.version:
                trust = trust.walk(data)
        return trust

    def with_policy(self, data: bytes) -> Self:
        """Take a policy that is no older than the newest one ever taken."""
        new = decode_policy(_verify(data, PayloadType.POLICY, self.root.roles.policy))
        _same_cluster("policy", new.cluster, self.root.cluster)
        _same_epoch("policy", new.epoch, self.root.epoch)
        at = (new.epoch, new.version)
        other = self.policy is not None and self.policy != new
        if at < self.floor or (at == self.floor and other):
            raise RefusedError(
                Reason.ROLLBACK,
                f"cannot take policy {_at(new)}: epoch {self.floor[0]} version {self.floor[1]} "
                "was taken before; sign the policy with a higher version",
            )
        return replace(self, policy=new, floor=at)

    def follow(self, statement: Statement) -> Self:
        """Take a statement's roots and its policy. Its document is for accept()."""
        return self.walk_all(statement.roots).with_policy(statement.policy)

    def accept(
        self, data: bytes, body: bytes, identity: Identity, accepted: Accepted | None, now: int
    ) -> tuple[Document, Accepted]:
        """Give the document in an envelope, and what to journal before anything is applied."""
        document, entry = self.expect(PayloadType.DOCUMENT, data, identity, accepted, now)
        refuse_other_body(document, body)
        return document, entry

    def expect(
        self,
        payload_type: PayloadType,
        data: bytes,
        identity: Identity,
        accepted: Accepted | None,
        now: int,
    ) -> tuple[Document, Accepted]:
        """Give a document, or a proposal, whose body is yet to be fetched: all but the body."""
        self._refuse_stale(now)
        payload = _verify(data, payload_type, self.root.roles.state)
        document = decode_document(payload)
        self._refuse_strangers("document", document, identity)
        entry = Accepted(
            epoch=document.epoch,
            version=document.version,
            body=document.body,
            document=document_hash(payload),
        )
        _refuse_older(entry, accepted)
        if document.expires <= now:
            raise RefusedError(
                Reason.EXPIRED,
                f"cannot take document {_at(document)}: it expired {_date(document.expires)} and "
                f"it is {_date(now)}; sign it again, or set this node's clock",
            )
        return document, entry

    def lease(self, data: bytes, identity: Identity, nonce: bytes) -> LeasePayload:
        """Give the lease in an envelope, if it is this node's answer to the nonce it asked with.

        It vouches for `life` seconds from when the nonce was *sent*, by a monotonic clock.
        """
        payload = _verify(data, PayloadType.LEASE, self.root.roles.lease)
        lease = decode_lease(payload)
        self._refuse_strangers("lease", lease, identity)
        if lease.nonce != nonce:
            raise RefusedError(
                Reason.WRONG_NONCE,
                f"cannot take the lease of {_date(lease.issued)}: it answers another question "
                "than the one asked; it is an old one, or came over another connection",
            )
        return lease

    def permit(self, identity: Identity, claims: Iterable[Claim]) -> None:
        """Raise RefusedError OUTSIDE_POLICY, naming every claim that the node may not make."""
        policy = self._policy()
        refused = outside(policy, identity.node_class, claims)
        if not refused:
            return
        known = identity.node_class in policy.classes
        found = "does not allow" if known else "does not know; it allows it nothing, so not"
        raise RefusedError(
            Reason.OUTSIDE_POLICY,
            f"cannot touch what policy {_at(policy)} {found} nodes of class "
            f'"{identity.node_class}": {", ".join(map(str, refused))}; '
            "change the cluster file, or have the policy keys sign a policy that covers it",
        )

    def _policy(self) -> Policy:
        if self.policy is None:
            raise RefusedError(
                Reason.POLICY_MISSING,
                f"cannot take a document under root {_at(self.root)} without a policy; "
                "give this node a policy signed by that root's keys",
            )
        return self.policy

    def _refuse_stale(self, now: int) -> None:
        if self.root.expires <= now:
            raise RefusedError(
                Reason.ROOT_EXPIRED,
                f"cannot take a document under root {_at(self.root)}: that expired "
                f"{_date(self.root.expires)} and it is {_date(now)}; sign a new root, or set this "
                "node's clock",
            )
        policy = self._policy()
        if policy.expires <= now:
            raise RefusedError(
                Reason.POLICY_EXPIRED,
                f"cannot take a document under policy {_at(policy)}: that expired "
                f"{_date(policy.expires)} and it is {_date(now)}; sign a new policy, or set "
                "this node's clock",
            )

    def _refuse_strangers(
        self, what: str, thing: Document | LeasePayload, identity: Identity
    ) -> None:
        _same_cluster(what, thing.cluster, identity.cluster)
        if thing.node != identity.node:
            raise RefusedError(
                Reason.WRONG_NODE,
                f'cannot take a {what} for node "{thing.node}": this is "{identity.node}"; '
                "give it to that node",
            )
        if thing.incarnation != identity.incarnation:
            raise RefusedError(
                Reason.WRONG_INCARNATION,
                f"cannot take a {what} for incarnation {thing.incarnation}: this node was "
                f"enrolled as {identity.incarnation}; sign one for that",
            )
        _same_epoch(what, thing.epoch, self.root.epoch)


def refuse_other_body(document: Document, body: bytes) -> None:
    """Raise RefusedError WRONG_BODY where this is not the body that a document is for."""
    if (found := body_hash(body)) != document.body:
        raise RefusedError(
            Reason.WRONG_BODY,
            f"cannot take document {_at(document)}: it is for body {document.body.hex()}, "
            f"and the body given is {found.hex()}; give the body that was signed",
        )


def keep_roots(before: Statement, followed: Statement) -> Statement:
    """Give a statement to journal in place of the one before, with no root of that one lost.

    Nobody signs a statement, so whoever carries it can leave roots out. A node that had
    passed them and forgot them would, once restarted, believe keys that they dropped.
    """
    known = max(map(_claimed_version, before.roots), default=0)
    newer = tuple(data for data in followed.roots if _claimed_version(data) > known)
    return structs.replace(followed, roots=before.roots + newer)


def _claimed_version(data: bytes) -> int:
    """Read a root's version unverified: good enough to pass over what lies behind us."""
    return decode_root(envelope.decode(data).payload).version


def _verify(data: bytes, payload_type: PayloadType, role: Role) -> bytes:
    return envelope.verify(data, payload_type, role.keys, role.threshold)


def _same_cluster(what: str, found: str, ours: str) -> None:
    if found != ours:
        raise RefusedError(
            Reason.WRONG_CLUSTER,
            f'cannot take a {what} of cluster "{found}": this node belongs to "{ours}"; '
            "give it one of its own cluster",
        )


def _same_epoch(what: str, found: int, ours: int) -> None:
    if found != ours:
        raise RefusedError(
            Reason.WRONG_EPOCH,
            f"cannot take a {what} of epoch {found}: the root's epoch is {ours}; "
            f"sign it under epoch {ours}, or give this node the newer root",
        )


def _refuse_older(new: Accepted, have: Accepted | None) -> None:
    """Let (epoch, version) rise, or the very same document come again."""
    if have is None or new == have or (new.epoch, new.version) > (have.epoch, have.version):
        return
    same = (new.epoch, new.version) == (have.epoch, have.version)
    raise RefusedError(
        Reason.ROLLBACK,
        f"cannot take {'another' if same else 'the older'} document {_at(new)}: "
        f"this node accepted {_at(have)}; sign the body again under a higher version",
    )


def _at(thing: Root | Policy | Document | Accepted) -> str:
    return f"epoch {thing.epoch} version {thing.version}"


def _date(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
