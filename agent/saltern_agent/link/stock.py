"""The stock: what the link needs of the disk, in a thread of its own.

It has its own view of the journal and of the blobs, so that neither a long apply holds up what the
master is told, nor a slow disk the heartbeats. Laws:

* A document that was accepted and gone through already is held: it comes again where the master
  has not heard of that, or where somebody replays it, and is looked at, not applied once more.
* Signatures are verified before anything is fetched, and everything again when it is all here.
* The body is a blob like any other. Where the accepted document has that body, it is here already.
* One blob is on its way at a time. What came of it outlives the connection, not the process.
* A blob is as large as its first part says, fits the disk with room to spare, and is hashed as
  it comes: what is not what was asked for never stands under its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from saltern_protocol.documents import (
    MAX_BODY_BYTES,
    Identity,
    PayloadType,
    Statement,
    body_hash,
    decode_statement,
    encode_statement,
)
from saltern_protocol.errors import ProtocolError
from saltern_protocol.messages import Doc
from saltern_protocol.trust import Trust
from saltern_states.body import Body, BodyError
from saltern_states.ports import HostError

from saltern_agent.accept import considered, expected, proposed, standing
from saltern_agent.host.blobs import BlobWriter, DiskBlobs
from saltern_agent.items import Asked, reason_of, refused, superseded
from saltern_agent.journal import Accepted, Journal, JournalError
from saltern_agent.link.words import (
    Checked,
    Declined,
    Kept,
    Offer,
    Refuse,
    Spoiled,
    Standing,
    Write,
    Written,
)
from saltern_agent.outbox import Batch


@dataclass(frozen=True, slots=True)
class Reading:
    """What the journal says to the link."""

    standing: Standing
    batch: Batch


class Stock:
    """The link's view of the disk. One thread uses one Stock."""

    def __init__(
        self, journal: Journal, blobs: DiskBlobs, identity: Identity, clock: Callable[[], float]
    ) -> None:
        self._journal, self._blobs = journal, blobs
        self._identity, self._clock = identity, clock
        self._writer: BlobWriter | None = None
        self._body_wanted = b""
        self._fresh: set[str] = set()  # blobs that were fetched for the offer in hand
        self._standing: tuple[float | None, Standing] | None = None

    def read(self, acked: int) -> Reading:
        """Forget what was acknowledged; read the rest. JournalError: it cannot be."""
        if acked:
            self._journal.told(acked)
        held = self._journal.hold.read() is not None
        return Reading(replace(self._stands(), held=held), self._journal.untold())

    def check(self, offer: Offer) -> Checked | Declined:
        """Verify an offer as far as that is possible, and say what has to be fetched."""
        try:
            body = self._verified(offer)
            if body is None:
                self._body_wanted = offer.body
                return self._checked(offer, (offer.body.hex(),))
            missing = self._missing(body.blobs)
            held = not missing and self._is_held(offer)
            return replace(self._checked(offer, missing), held=held)
        except (ProtocolError, BodyError, JournalError) as error:
            return Declined(offer, reason_of(error), str(error))
        except HostError as error:
            return Declined(offer, "blob", str(error))

    def write(self, part: Write) -> Written | Kept | Spoiled:
        """Write one part, and keep the blob when it was the last."""
        try:
            writer = self._writer_of(part)
            writer.write(part.data)
            if writer.size < part.size:
                return Written(part.blob, writer.size)
            self._writer = None
            writer.finish()
            self._fresh.add(writer.blob)
        except HostError as error:
            self.close()
            return Spoiled(part.blob, str(error))
        return Kept(part.blob)

    def statement(self, offer: Offer) -> bytes:
        """Give the statement of an offer of which all is here. JournalError, HostError: it is not.

        Of a proposal it has that in the document's place: nobody takes it for a document.
        """
        body = self._body(offer)
        if body is None:
            raise HostError("cannot read the body that was fetched: it is not there any more")
        self._fresh.clear()
        return encode_statement(_statement(offer, body))

    def refuse(self, refusal: Refuse) -> None:
        """Have the master told that a document is not taken. JournalError: it was not written."""
        offer, now = refusal.offer, self._clock()
        if not isinstance(offer, Doc):
            return
        asked = Asked(offer.turn, now)
        told = refused(asked, offer.document, refusal.reason, refusal.why, now)
        self._journal.tell(superseded(told) if refusal.reason == "superseded" else told)

    def close(self) -> None:
        """Let go of what is half-made."""
        if self._writer is not None:
            self._writer.drop()
            self._writer = None

    def _stands(self) -> Standing:
        """Believed again only when there is something new to believe: it costs signatures."""
        at = self._journal.accepted_at()
        if self._standing is None or self._standing[0] != at:
            self._standing = (at, self._read_standing())
        return self._standing[1]

    def _read_standing(self) -> Standing:
        try:
            trust, floor = standing(self._identity, self._journal.accepted())
        except ProtocolError:  # of another release: as if nothing had been accepted
            return Standing(Trust.pin(self._identity))
        if floor is None:
            return Standing(trust)
        return Standing(trust, floor.epoch, floor.version, floor.document)

    def _verified(self, offer: Offer) -> Body | None:
        """Give the body of an offer that is good; None: it has yet to come."""
        now, accepted, identity = self._clock(), self._journal.accepted(), self._identity
        body = self._body(offer, accepted)
        offered = _statement(offer, body or b"")
        if body is None:
            is_document = isinstance(offer, Doc)
            payload_type = PayloadType.DOCUMENT if is_document else PayloadType.PROPOSAL
            document = expected(identity, accepted, offered, payload_type, now)
            if document.body != offer.body:
                raise BodyError(("$: the document is for another body than the one offered",))
            return None
        data = encode_statement(offered)
        if isinstance(offer, Doc):
            return proposed(identity, accepted, data, now).body
        return considered(identity, accepted, data, now)

    def _body(self, offer: Offer, accepted: Accepted | None = None) -> bytes | None:
        accepted = accepted or self._journal.accepted()
        if accepted is not None:
            have = decode_statement(accepted.statement).body
            if body_hash(have) == offer.body:
                return have
        name = offer.body.hex()
        if not self._blobs.has(name):
            return None
        path = self._blobs.path(name)
        if path.stat().st_size > MAX_BODY_BYTES:
            raise BodyError((f"$: a body has at most {MAX_BODY_BYTES} bytes",))
        return path.read_bytes()

    def _is_held(self, offer: Offer) -> bool:
        """Say whether nothing of a document is new; one that is gone through still is not yet."""
        accepted = self._journal.accepted()
        if not isinstance(offer, Doc) or accepted is None or accepted.unfinished:
            return False
        have = decode_statement(accepted.statement)
        known = (offer.document, offer.policy) == (have.document, have.policy)
        return known and set(offer.roots) <= set(have.roots)

    def _missing(self, blobs: frozenset[str]) -> tuple[str, ...]:
        """What was fetched a moment ago is not hashed again: the keeper does that."""
        fresh = self._fresh.intersection(self._blobs.names())
        return tuple(blob for blob in sorted(blobs - fresh) if not self._blobs.has(blob))

    def _checked(self, offer: Offer, missing: tuple[str, ...]) -> Checked:
        """Begin with what is half here."""
        writer = self._writer
        if writer is not None and writer.blob in missing:
            rest = (one for one in missing if one != writer.blob)
            return Checked(offer, _raw((writer.blob, *rest)), writer.size)
        self.close()
        return Checked(offer, _raw(missing))

    def _writer_of(self, part: Write) -> BlobWriter:
        name = part.blob.hex()
        if self._writer is None or self._writer.blob != name:
            self.close()
            if part.blob == self._body_wanted and part.size > MAX_BODY_BYTES:
                raise HostError(
                    f"cannot keep a body of {part.size} bytes: {MAX_BODY_BYTES} at most"
                )
            self._blobs.room(part.size)
            self._writer = self._blobs.begin(name)
        if self._writer.size != part.offset:
            raise HostError(f"cannot keep blob {name}: its parts came in another order")
        return self._writer


def _raw(blobs: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(blob) for blob in blobs)


def _statement(offer: Offer, body: bytes) -> Statement:
    envelope = offer.document if isinstance(offer, Doc) else offer.proposal
    return Statement(roots=offer.roots, policy=offer.policy, document=envelope, body=body)
