"""Members: tokens, who knocks, who is approved and revoked, and certificates for nodes.

The decisions are those of enrol/ and pki/; here they are read for, committed and made known.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509
from saltern_protocol.messages import Cert, Csr, Enrol
from saltern_states.body import Body, read_body
from saltern_states.certificate import Certificate

from saltern_master.api.service import ServiceError
from saltern_master.core.desk import Welcome
from saltern_master.core.peer import Peer
from saltern_master.core.signer import Signer
from saltern_master.enrol import approve as approvals
from saltern_master.enrol import tokens
from saltern_master.enrol.decide import Cluster
from saltern_master.enrol.knock import knock
from saltern_master.enrol.standing import EnrolError, Standing, read_standing
from saltern_master.library import Library
from saltern_master.pki.authorities import Authorities
from saltern_master.pki.issue import issue_for
from saltern_master.records.certificates import certified, hold_certificate
from saltern_master.records.codec import hold
from saltern_master.records.nodes import Node, hold_node, hold_pending
from saltern_master.records.tokens import Token, every_token
from saltern_master.store import ConflictError, Store, StoreError, Write

TRIES = 5
MOST_BODIES = 2000
"""Bodies of which the certificates are kept in memory: some kilobytes each."""


class Members:
    """Who is a node, and who may become one."""

    def __init__(
        self,
        store: Store,
        library: Library,
        authorities: Authorities,
        random: Callable[[int], bytes],
    ) -> None:
        self._store, self._library, self._random = store, library, random
        self._authorities = authorities
        self._certificates: dict[str, Body] = {}  # of bodies asked about, in that order

    def make_token(
        self,
        meeting: tokens.Meeting,
        node: str,
        node_class: str,
        seconds: int,
        secret: bytes,
        now: float,
    ) -> tuple[Token, str]:
        """Make a token; give it, and how people carry it. EnrolError, StoreError."""
        wanted = tokens.token_for(node, node_class, seconds, secret, now)
        before = hold(self._store, tokens.held_under(wanted), Token)
        made = tokens.make_token(meeting, hold_node(self._store, node), before, wanted, secret)
        self._store.commit(*made.writes)
        return made.token, made.carried.text()

    def good_tokens(self, now: float) -> tuple[Token, ...]:
        """Give the tokens that can still be used."""
        return tuple(one for one in every_token(self._store) if tokens.is_good(one, now))

    def welcome(self, key: bytes, enrol: Enrol, signer: Signer, now: float) -> Welcome:
        """Answer a machine at the door; what is answered is in the store. StoreError."""
        cluster = Cluster(signer.cluster, signer.root_envelope)
        decision, _ = knock(self._store, enrol, key, cluster, now, self._random)
        joined = decision.joined.name if decision.joined is not None else ""
        return Welcome(decision.answer, joined, decision.why)

    def approve(self, name: str, fingerprint: str, now: float) -> Node:
        """Let a waiting machine in; EnrolError, StoreError."""
        waiting = [one.value for one in hold_pending(self._store, name) if one.value is not None]
        if not waiting and hold_node(self._store, name).value is not None:
            raise EnrolError("conflict", f"cannot approve {name}: no machine waits for that name")
        try:
            pending = approvals.find_pending(waiting, name, fingerprint, now)
        except EnrolError as error:
            raise EnrolError("conflict" if waiting else error.code, str(error)) from error
        standing = read_standing(self._store, name, pending.key)
        admitted = approvals.approve(pending, standing, now, self._random(16).hex())
        self._store.commit(*admitted.writes)
        return admitted.node

    def revoke(self, name: str, now: float) -> Node:
        """Shut a node out, from its next message on; EnrolError, StoreError."""
        return self._end(name, lambda standing: approvals.revoke(standing, now))

    def unlock(self, name: str) -> Node:
        """Let a locked node speak again; EnrolError, StoreError."""
        return self._end(name, approvals.unlock)

    def forget(self, name: str, now: float) -> str:
        """Forget a node; gives the key that it had. EnrolError, StoreError."""
        key = ""

        def decide(standing: Standing) -> tuple[Node, tuple[Write, ...]]:
            nonlocal key
            key = standing.key
            return approvals.remove(standing, now)

        self._end(name, decide)
        return key

    def certify(self, peer: Peer, csr: Csr, now: float) -> tuple[Cert, tuple[Write, ...]]:
        """Answer a node that wants a certificate of its own body. MasterError, BodyError."""
        if peer.document is None:
            why = "there is no document for this node, so there is no certificate in it"
            return Cert(request=csr.request, chain=b"", why=why), ()
        answer = issue_for(
            self._certificates_of(peer.document.body),
            csr.resource,
            csr.csr,
            self._authorities,
            int(now),
            x509.random_serial_number(),
        )
        cert = Cert(request=csr.request, chain=answer.chain, why=answer.why[:4096])
        if answer.issued is None:
            return cert, ()
        name = peer.node.name
        held = hold_certificate(self._store, name, answer.issued.resource)
        return cert, certified(held, name, answer.issued)

    def _certificates_of(self, sha256: str) -> Body:
        """Give the part of a body that has its certificates.

        A whole body takes a tenth of a second to read. Nodes that ask in turn, and all the time,
        must not have it read anew each time.
        """
        found = self._certificates.pop(sha256, None)
        if found is None:
            whole = read_body(self._library.path(sha256).read_bytes()).resources
            found = Body(tuple(one for one in whole if isinstance(one.spec, Certificate)))
        self._certificates[sha256] = found
        if len(self._certificates) > MOST_BODIES:
            del self._certificates[next(iter(self._certificates))]
        return found

    def _end(self, name: str, decide: Callable[[Standing], tuple[Node, tuple[Write, ...]]]) -> Node:
        for _ in range(TRIES):
            known = hold_node(self._store, name).value
            if known is None or not known.key:
                raise EnrolError("not-found", f"cannot find the node {name}; see: saltern status")
            node, writes = decide(read_standing(self._store, name, known.key))
            try:
                self._store.commit(*writes)
            except ConflictError:
                continue
            return node
        raise StoreError(f"cannot change {name}: its record changes all the time; try again")


def refused(error: EnrolError) -> ServiceError:
    """Give an error of enrolment as the service gives it."""
    return ServiceError(error.code, str(error))
