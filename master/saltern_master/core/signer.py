"""What core signs with: the root and the policy of HOME, the state key and the lease key.

* Every document is believed here before it is stored, by the very steps that its node will take.
* Root, policy and keys are read anew for each apply, and when they change (office.py).
* A lease is signed for one nonce and says what is in the store at that moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from saltern_protocol.documents import Identity, PayloadType, encode_identity
from saltern_protocol.lease import LEASE_SECONDS, Hold, LeasePayload, sign_lease
from saltern_protocol.messages import Lease
from saltern_protocol.policy import Claim, Policy, outside
from saltern_protocol.root import Root

from saltern_master.records.documents import Issued
from saltern_master.signing.authority import Authority, read_authority
from saltern_master.signing.documents import Draft, Proposed, issue, propose
from saltern_master.signing.home import Home


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a document or a lease is for."""

    node: str
    node_class: str
    incarnation: str


@dataclass(frozen=True, slots=True)
class Signer:
    """Root, policy and keys, as they were when they were read."""

    authority: Authority

    @property
    def root(self) -> Root:
        """The root that it signs under."""
        return self.authority.root

    @property
    def root_envelope(self) -> bytes:
        """What a new node pins."""
        return self.authority.root_envelope

    @property
    def policy(self) -> Policy:
        """What nodes may be told."""
        return self.authority.policy

    @property
    def policy_envelope(self) -> bytes:
        """The same as it was signed."""
        return self.authority.policy_envelope

    @property
    def cluster(self) -> str:
        """The cluster that it signs for."""
        return self.root.cluster

    def identity(self, subject: Subject) -> bytes:
        """Give what a node has to pin."""
        return encode_identity(self._identity(subject))

    def roots_after(self, version: int) -> tuple[bytes, ...]:
        """Give the roots that a node which believes this version lacks."""
        return self.authority.roots[version:]

    def outside(self, node_class: str, claims: Iterable[Claim]) -> tuple[Claim, ...]:
        """Give what the policy does not allow."""
        return outside(self.policy, node_class, claims)

    def document(self, subject: Subject, draft: Draft, now: int) -> Issued:
        """Sign a body for a node; RefusedError where the node would not believe it."""
        issued = issue(draft, self.root, self.authority.state_keys, now)
        self.authority.trust.accept(issued.envelope, draft.body, self._identity(subject), None, now)
        return issued

    def proposal(self, subject: Subject, draft: Draft, now: int) -> Proposed:
        """Sign a body for a node to plan; RefusedError where the node would not believe it."""
        proposed = propose(draft, self.root, self.authority.state_keys, now)
        identity, trust = self._identity(subject), self.authority.trust
        trust.expect(PayloadType.PROPOSAL, proposed.envelope, identity, None, now)
        return proposed

    def lease(
        self,
        subject: Subject,
        version: int,
        document: bytes | None,
        nonce: bytes,
        now: int,
        hold: Hold | None = None,
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
            hold=hold,
        )
        return Lease(lease=sign_lease(payload, self.authority.lease_keys))

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
    return Signer(read_authority(home))
