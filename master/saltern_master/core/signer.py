"""What core signs with: the root and the policy of HOME, the state key and the lease key.

* Every document is believed here before it is stored, by the very steps that its node will take.
* Root and policy are read anew for each apply: `saltern policy` may have signed another.
* A lease is signed for one nonce and says what is in the store at that moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from saltern_protocol.documents import Identity, encode_identity
from saltern_protocol.keys import PrivateKey
from saltern_protocol.lease import LEASE_SECONDS, LeasePayload, sign_lease
from saltern_protocol.messages import Lease
from saltern_protocol.policy import Claim, Policy, outside
from saltern_protocol.root import Root
from saltern_protocol.trust import Trust

from saltern_master.records.documents import Issued
from saltern_master.signing.documents import Draft, issue
from saltern_master.signing.home import Home, HomeError
from saltern_master.signing.init import policy_of, root_of


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a document or a lease is for."""

    node: str
    node_class: str
    incarnation: str


@dataclass(frozen=True, slots=True)
class Signer:
    """Root, policy and keys, as they were when they were read."""

    root: Root
    root_envelope: bytes
    policy: Policy
    policy_envelope: bytes
    key: PrivateKey
    lease_key: PrivateKey
    trust: Trust

    @property
    def cluster(self) -> str:
        """The cluster that it signs for."""
        return self.root.cluster

    def identity(self, subject: Subject) -> bytes:
        """Give what a node has to pin."""
        return encode_identity(self._identity(subject))

    def roots_after(self, version: int) -> tuple[bytes, ...]:
        """Give the roots that a node which believes this version lacks."""
        return () if version >= self.root.version else (self.root_envelope,)

    def outside(self, node_class: str, claims: Iterable[Claim]) -> tuple[Claim, ...]:
        """Give what the policy does not allow."""
        return outside(self.policy, node_class, claims)

    def document(self, subject: Subject, draft: Draft, now: int) -> Issued:
        """Sign a body for a node; RefusedError where the node would not believe it."""
        issued = issue(draft, self.root, self.key, now)
        self.trust.accept(issued.envelope, draft.body, self._identity(subject), None, now)
        return issued

    def lease(
        self, subject: Subject, version: int, document: bytes | None, nonce: bytes, now: int
    ) -> Lease:
        """Say which document is the current one; version 0 and None: there is none yet."""
        payload = LeasePayload(
            cluster=self.cluster,
            node=subject.node,
            incarnation=subject.incarnation,
            epoch=self.root.epoch,
            version=version,
            document=document,
            issued=now,
            expires=now + LEASE_SECONDS,
            nonce=nonce,
        )
        return Lease(lease=sign_lease(payload, [self.lease_key]))

    def _identity(self, subject: Subject) -> Identity:
        return Identity(
            cluster=self.cluster,
            node=subject.node,
            incarnation=subject.incarnation,
            node_class=subject.node_class,
            root=self.root_envelope,
        )


def read_signer(home: Home) -> Signer:
    """Read HOME; HomeError where something lacks, RefusedError where root and policy differ."""
    policy = policy_of(home)
    if policy is None:
        raise HomeError(f"cannot sign: {home.path} has no signed policy; run: saltern policy")
    root_envelope, policy_envelope = home.envelope("root"), home.envelope("policy")
    root = root_of(home)
    pinned = Identity(
        cluster=root.cluster,
        node="any",
        incarnation="0" * 32,
        node_class="any",
        root=root_envelope,
    )
    return Signer(
        root=root,
        root_envelope=root_envelope,
        policy=policy,
        policy_envelope=policy_envelope,
        key=home.key("state"),
        lease_key=home.key("lease"),
        trust=Trust.pin(pinned).with_policy(policy_envelope),
    )
