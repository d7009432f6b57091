"""absent-link: a link that shall not be there, such as docker0 on a node declared bare.

* Only what was made by software is deleted: a link without a kind has hardware behind it.
* With a link go its addresses and routes, and with one end of a veth the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from saltern_protocol.policy import Claim

from saltern_states.contract import (
    Blocked,
    Change,
    Impact,
    Kind,
    LinkName,
    Spec,
    Watch,
    WatchLink,
)
from saltern_states.ports import Host, Link, MovedError


class AbsentLink(Spec, frozen=True, kw_only=True, tag="absent-link/1"):
    """A virtual link that shall be gone. A device with hardware behind it is never touched."""

    name: LinkName


@dataclass(frozen=True, slots=True)
class Observed:
    """What the node has of that name."""

    link: Link | None


class DeleteLink(Change, frozen=True, kw_only=True, tag="delete-link"):
    """Delete a link of this kind, with its addresses and routes."""

    name: str
    kind: str

    def __str__(self) -> str:
        return f"delete the {self.kind} {self.name}"

    @property
    def impact(self) -> Impact:
        """Containers that hang on it have no network until they are started again."""
        return Impact.RESTART


def observe(host: Host, want: AbsentLink) -> Observed:
    """Look for the link."""
    return Observed(host.links.link(want.name))


def diff(want: AbsentLink, have: Observed) -> tuple[DeleteLink | Blocked, ...]:
    """Delete it where it is there and virtual."""
    if have.link is None:
        return ()
    if not have.link.kind:
        return (Blocked(f"{want.name} is a device, not a virtual link; it is never deleted"),)
    return (DeleteLink(name=want.name, kind=have.link.kind),)


def remove(_want: AbsentLink, _have: Observed) -> tuple[DeleteLink | Blocked, ...]:
    """Nothing: what stood there is not known, and whoever made it can make it again."""
    return ()


def claims(want: AbsentLink) -> tuple[Claim, ...]:
    """The link."""
    return (Claim("link", want.name),)


def watch(want: AbsentLink) -> tuple[Watch, ...]:
    """The link, when it comes."""
    return (WatchLink(want.name),)


def apply(host: Host, change: DeleteLink) -> None:
    """Delete it, if it still is what was planned."""
    delete_link(host, change)


def delete_link(host: Host, change: DeleteLink) -> None:
    """Delete a link of the kind that the change names."""
    link = host.links.link(change.name)
    if link is None or link.kind != change.kind:
        found = f"it is a {link.kind or 'device'} now" if link else "it is gone"
        raise MovedError(f"cannot delete the {change.kind} {change.name}: {found}; plan again")
    host.links.delete(change.name)


KIND = Kind(
    spec=AbsentLink,
    observe=observe,
    diff=diff,
    remove=remove,
    claims=claims,
    watch=watch,
    apply=apply,
    volatile=True,
    example=AbsentLink(name="docker0"),
)
