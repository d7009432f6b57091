"""A proposal: a root or a policy on its way from one signer to the next, as a file.

It carries the root that is in force too, so that who signs on a machine without network sees what
would change, and who has yet to sign. Nothing is believed because of it: the master checks what
comes back against its own chain, and every node against its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final

from msgspec import Meta, Struct
from msgspec.structs import replace
from saltern_protocol import envelope, wire
from saltern_protocol.documents import PayloadType
from saltern_protocol.errors import MalformedError, ProtocolError
from saltern_protocol.keys import PrivateKey, PublicKey
from saltern_protocol.policy import Policy, decode_policy
from saltern_protocol.root import Role, Root, decode_root

from saltern_master.signing.next_root import CeremonyError, shown

MAX_BYTES: Final = 512 * 1024
Packed = Annotated[bytes, Meta(max_length=envelope.MAX_BYTES)]


class Proposal(
    Struct,
    frozen=True,
    kw_only=True,
    tag_field="type",
    tag="proposal-file/1",
    forbid_unknown_fields=True,
):
    """The envelope that is being signed, and the root that is in force."""

    current: Packed
    signed: Packed


@dataclass(frozen=True, slots=True)
class Need:
    """Signatures that have to be there: of a role's keys, so many; and whose are."""

    who: str
    role: Role
    signed_by: frozenset[PublicKey]

    @property
    def missing(self) -> int:
        """How many more must sign."""
        return max(0, self.role.threshold - len(self.signed_by))

    @property
    def left(self) -> tuple[PublicKey, ...]:
        """Whose keys could."""
        return tuple(key for key in self.role.keys if key not in self.signed_by)

    def __str__(self) -> str:
        left = ", ".join(map(shown, self.left))
        done = f"{len(self.signed_by)} of {self.role.threshold} have signed"
        return f"{self.who}: {done}" + (f"; any of {left} can" if self.missing else "")


def encode_proposal(proposal: Proposal) -> bytes:
    """Give the bytes of the file."""
    return wire.pack_checked(proposal, MAX_BYTES)


def decode_proposal(data: bytes) -> Proposal:
    """Read the file; CeremonyError if it is none."""
    try:
        proposal = wire.unpack(data, Proposal, MAX_BYTES)
        current_root(proposal)
        proposed(proposal)
    except ProtocolError as error:
        raise CeremonyError(
            f"cannot read this proposal: {error}; give a file that saltern key or "
            "saltern policy --out wrote"
        ) from error
    return proposal


def current_root(proposal: Proposal) -> Root:
    """Give the root that was in force when it was proposed."""
    return decode_root(envelope.decode(proposal.current).payload)


def proposed(proposal: Proposal) -> Root | Policy:
    """Give what is to be signed. MalformedError."""
    held = envelope.decode(proposal.signed)
    if held.payload_type == PayloadType.ROOT:
        return decode_root(held.payload)
    if held.payload_type == PayloadType.POLICY:
        return decode_policy(held.payload)
    raise MalformedError(f'cannot propose a "{held.payload_type}"')


def needs(proposal: Proposal) -> tuple[Need, ...]:
    """Give whose signatures a node will ask for: of a root the old keys' and the new ones'."""
    return tuple(_needs(proposal))


def lacking(proposal: Proposal) -> tuple[str, ...]:
    """Say who is missing; nothing where enough have signed."""
    return tuple(str(need) for need in needs(proposal) if need.missing)


def sign_proposal(proposal: Proposal, key: PrivateKey) -> Proposal:
    """Add a signature; CeremonyError where it would count for nothing, or is there already."""
    asked = needs(proposal)
    public = key.public
    if not any(public in need.role.keys for need in asked):
        listed = "\n".join(f"  {need}" for need in asked)
        raise CeremonyError(
            f"cannot sign with the key {shown(public)}: it is none of those that count\n{listed}"
        )
    if any(public in need.signed_by for need in asked):
        raise CeremonyError(
            f"cannot sign with the key {shown(public)}: it has signed already; hand the file on"
        )
    return replace(proposal, signed=envelope.add_signature(proposal.signed, key))


def _needs(proposal: Proposal) -> Iterator[Need]:
    held, now, new = envelope.decode(proposal.signed), current_root(proposal), proposed(proposal)
    if isinstance(new, Policy):
        yield _need(f"policy keys of root {now.version}", now.roles.policy, held)
        return
    yield _need(f"root keys of root {now.version}", now.roles.root, held)
    if new.roles.root != now.roles.root:
        yield _need(f"root keys of root {new.version}", new.roles.root, held)


def _need(who: str, role: Role, held: envelope.Envelope) -> Need:
    return Need(who, role, envelope.signers(held, role.keys))
