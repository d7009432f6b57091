"""Fetching: an offer on its way, blob by blob, part by part. Pure.

* Parts come in order, at most `credit` of them; what does not fit exactly is not taken.
* The next parts are asked for when those before are on the disk: a slow disk slows the master
  down and fills no memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from saltern_protocol.messages import BlobAsk, BlobPart

from saltern_agent.link.words import Offer

CREDIT = 8  # parts of at most messages.MAX_PART


@dataclass(slots=True)
class Fetching:
    """One offer: what it wants of the master, and how far that is."""

    offer: Offer
    wants: tuple[bytes, ...] = ()
    had: set[bytes] = field(default_factory=set)  # fetched for this offer
    of: int = 0
    offset: int = 0  # of the next part that may come
    size: int | None = None  # of the blob in hand; None: no part of it has come yet
    credit: int = 0  # parts that may still come

    @property
    def blob(self) -> bytes:
        """Give the blob in hand."""
        return self.wants[0] if self.wants else b""

    def begin(self, wants: tuple[bytes, ...], at: int) -> None:
        """Set out for these; of the first, so many bytes are here already."""
        self.wants, self.of = wants, len(wants)
        self.offset, self.size, self.credit = at, None, 0

    def ask(self) -> BlobAsk:
        """Give the question for the next parts."""
        self.credit = CREDIT
        return BlobAsk(blob=self.blob, offset=self.offset, credit=CREDIT)

    def take(self, part: BlobPart) -> bool:
        """Count a part as come, if it is the one that was asked for."""
        end = part.offset + len(part.data)
        fits = (
            part.blob == self.blob
            and self.credit > 0
            and part.offset == self.offset
            and part.size == (part.size if self.size is None else self.size)
            and (self.offset < end <= part.size or end == part.size == 0)
        )
        if fits:
            self.offset, self.size = end, part.size
            self.credit = 0 if end == part.size else self.credit - 1
        return fits

    def written(self, blob: bytes, size: int) -> bool:
        """So much is on the disk: say whether to ask for more."""
        return blob == self.blob and self.credit == 0 and size == self.offset

    def kept(self, blob: bytes) -> bool:
        """The blob in hand is here; say whether it was."""
        if not self.wants or blob != self.blob:
            return False
        self.had.add(blob)
        self.wants, self.offset, self.size, self.credit = self.wants[1:], 0, None, 0
        return True

    def __str__(self) -> str:
        if not self.wants:
            return "verifying a document"
        share = f", {100 * self.offset // self.size} %" if self.size else ""
        return f"fetching blob {self.of - len(self.wants) + 1} of {self.of}{share}"
