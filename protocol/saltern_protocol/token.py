"""A join token: all that an operator carries to a machine so that it can become a node.

    saltern1-<unpadded base64url of: packed fields, 4 bytes of checksum>

* It names the master by key and the cluster by its first root, so that a machine believes
  nobody who merely answers.
* The checksum is for people: a token that was mistyped or cut is told as such, before anything
  is asked of anybody. It proves nothing; the secret does.
* Whoever has the token can become that node, once. So repr, errors and logs never show it.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Annotated, Any, Final, Self

from msgspec import Meta, Struct

from saltern_protocol import wire
from saltern_protocol.errors import MalformedError
from saltern_protocol.terms import Digest, Name

PREFIX: Final = "saltern1-"
SECRET_BYTES: Final = 32
CHECKSUM_BYTES: Final = 4
MAX_PACKED: Final = 4 * 1024
MAX_TEXT: Final = 6 * 1024
LETTERS: Final = re.compile(r"[A-Za-z0-9_-]*\Z")

Address = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z")]
Port = Annotated[int, Meta(ge=1, le=65_535)]
CurveKey = Annotated[bytes, Meta(min_length=32, max_length=32)]


class JoinToken(Struct, frozen=True, kw_only=True, array_like=True, forbid_unknown_fields=True):
    """Where the master is and who it is, which node this is to be, and why it is let in."""

    addresses: Annotated[tuple[Address, ...], Meta(min_length=1, max_length=8)]  # IPv4 or a name
    link_port: Port
    door_port: Port
    server: CurveKey  # the master's, for both ports
    root: Digest  # SHA-256 of the payload of the root that the identity will carry
    cluster: Name
    node: Name
    secret: Annotated[bytes, Meta(max_length=SECRET_BYTES)]  # empty: an operator approves

    def __post_init__(self) -> None:
        if len(self.secret) not in (0, SECRET_BYTES):
            raise MalformedError(
                f"cannot make a token with a secret of {len(self.secret)} bytes: it has "
                f"{SECRET_BYTES}, or none"
            )

    def __repr__(self) -> str:
        secret = "a secret" if self.secret else "no secret"
        return f"JoinToken(node {self.node} of cluster {self.cluster}, {secret})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Give what a pretty-printer may show: msgspec's own would show all."""
        return [("cluster", self.cluster), ("node", self.node)]

    def text(self) -> str:
        """Give the token as people carry it; MalformedError if no machine could read it."""
        packed = wire.pack_checked(self, MAX_PACKED)
        return PREFIX + urlsafe_b64encode(packed + _checksum(packed)).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a token, white space around it or not; MalformedError says what is wrong with it."""
        given = text.strip()
        if not given.startswith(PREFIX):
            raise MalformedError(
                f"cannot read this token: it does not begin with {PREFIX}; give the whole line "
                "that `saltern node token NAME` printed"
            )
        packed = _unpacked(given.removeprefix(PREFIX))
        try:
            return wire.unpack(packed, cls, MAX_PACKED)
        except MalformedError:
            # Its text may quote what it found: a part of the secret.
            raise MalformedError(
                "cannot read this token: whole as it is, it was made by another release; "
                "make one with a `saltern node token NAME` that fits this agent"
            ) from None


def _unpacked(body: str) -> bytes:
    """Give what was packed, if every letter of it is here."""
    wrong = MalformedError(
        "cannot read this token: it was mistyped or cut (its checksum does not fit); copy the "
        "whole line that `saltern node token NAME` printed"
    )
    if len(body) > MAX_TEXT or not LETTERS.match(body):
        raise wrong
    try:
        data = urlsafe_b64decode(body + "=" * (-len(body) % 4))
    except ValueError:
        raise wrong from None
    packed, checksum = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
    # The last letter has bits that stand for nothing: they must be none.
    again = urlsafe_b64encode(data).decode().rstrip("=")
    if again != body or checksum != _checksum(packed):
        raise wrong
    return packed


def _checksum(packed: bytes) -> bytes:
    return sha256(PREFIX.encode() + packed).digest()[:CHECKSUM_BYTES]
