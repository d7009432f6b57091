"""bridge: a Linux bridge with its one IPv4 address, up; cbr0 is one.

* A bridge that is missing is made whole in one change. One that is there is mended change
  by change, and never made anew: what hangs on it stays.
* Every other IPv4 address on it goes. The order matters: the kernel deletes with the first
  address of a network all others of that network, and with the last address of a link all
  its routes. So where another one leads the wanted address's own network, all of that
  network go first; then the wanted one comes, then the rest goes, each time the later
  before the earlier.
* Making a bridge, adding an address or changing the MTU harms no container. Deleting an
  address takes the gateway from those that use it: they need a restart.
* MTU: the kernel lowers a bridge's MTU to that of its ports until somebody sets it, so one
  that is declared is set even where the new bridge has it by chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Interface
from typing import Annotated

from msgspec import Meta
from saltern_protocol.policy import Claim, matches

from saltern_states.absent_link import DeleteLink, delete_link
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

Address4 = Annotated[str, Meta(pattern=r"^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}\Z")]
"""An IPv4 address with the prefix of its network: "10.10.5.1/24"."""


PortPattern = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9._*-]{1,15}\Z")]
"""Names of links, in which "*" stands for any run of characters, as in a policy."""


class Bridge(Spec, frozen=True, kw_only=True, tag="bridge/1"):
    """A bridge. Other IPv4 addresses on it are taken away: a stale pod range breaks the node
    (kubernetes/kubernetes#32900).

    `ports`: veth links of these names ("veth*") belong on the bridge. Who deletes a bridge
    leaves the running containers' links up and port of nothing, and nobody else puts them
    back. A link with an IPv4 address is somebody's own and stays as it is: it would be deaf
    on a bridge.
    """

    name: LinkName
    address: Address4
    mtu: Annotated[int, Meta(ge=576, le=65535)] | None = None  # None: as the kernel chose it
    promiscuous: bool = False
    ports: tuple[PortPattern, ...] = ()

    def __post_init__(self) -> None:
        if str(IPv4Interface(self.address)) != self.address:
            raise ValueError(f"cannot use the address {self.address!r}; write it as 10.10.5.1/24")


@dataclass(frozen=True, slots=True)
class Observed:
    """What the node has of that name."""

    link: Link | None
    loose: tuple[str, ...] = ()  # links that belong on the bridge and are port of nothing


class MakeBridge(Change, frozen=True, kw_only=True, tag="make-bridge"):
    """Make a bridge where no link of that name is, and bring it up."""

    name: str
    address: str
    mtu: int | None
    promiscuous: bool

    def __str__(self) -> str:
        mtu = f", MTU {self.mtu}" if self.mtu else ""
        return f"make the bridge {self.name} with {self.address}{mtu}{_said(self.promiscuous)}, up"

    @property
    def opens(self) -> bool:
        """The kernel has parameters for each link."""
        return True


class SetMtu(Change, frozen=True, kw_only=True, tag="set-mtu"):
    """Set the MTU, in bytes."""

    name: str
    was: int
    mtu: int

    def __str__(self) -> str:
        return f"set the MTU of {self.name} to {self.mtu} (was {self.was})"


class SetPromiscuous(Change, frozen=True, kw_only=True, tag="set-promiscuous"):
    """Set or clear IFF_PROMISC, where it is the other way round."""

    name: str
    promiscuous: bool

    def __str__(self) -> str:
        return f"make {self.name} {'' if self.promiscuous else 'no longer '}promiscuous"


class AddAddress(Change, frozen=True, kw_only=True, tag="add-address"):
    """Add an address."""

    name: str
    address: str

    def __str__(self) -> str:
        return f"add {self.address} to {self.name}"


class DeleteAddress(Change, frozen=True, kw_only=True, tag="delete-address"):
    """Delete an address."""

    name: str
    address: str

    def __str__(self) -> str:
        return f"delete {self.address} from {self.name}"

    @property
    def impact(self) -> Impact:
        """Containers that have it for a gateway have none until they are started again."""
        return Impact.RESTART


class SetUp(Change, frozen=True, kw_only=True, tag="set-up"):
    """Bring up a bridge that is down."""

    name: str

    def __str__(self) -> str:
        return f"bring up {self.name}"


class AttachPort(Change, frozen=True, kw_only=True, tag="attach-port"):
    """Put a link on the bridge that is port of nothing and has no address."""

    name: str
    port: str

    def __str__(self) -> str:
        return f"make {self.port} a port of {self.name}"


Mending = SetMtu | SetPromiscuous | AddAddress | DeleteAddress | SetUp | AttachPort
BridgeChange = MakeBridge | Mending | DeleteLink


def observe(host: Host, want: Bridge) -> Observed:
    """Look at the link, and for what belongs on it."""
    loose = host.links.loose_ends() if want.ports else ()
    ours = tuple(name for name in loose if any(matches(name, one) for one in want.ports))
    return Observed(host.links.link(want.name), ours)


def diff(want: Bridge, have: Observed) -> tuple[BridgeChange | Blocked, ...]:
    """Make what is missing, mend what differs; what is no bridge is in the way."""
    make = MakeBridge(
        name=want.name, address=want.address, mtu=want.mtu, promiscuous=want.promiscuous
    )
    link = have.link
    attach = tuple(AttachPort(name=want.name, port=port) for port in have.loose)
    if link is None:
        return (make, *attach)
    if link.kind != "bridge":
        found = f"a {link.kind}" if link.kind else "a device"
        then = (make,) if link.kind else ()  # a device is not going to go away
        return (Blocked(f"{want.name} is {found}, not a bridge; choose another name", then),)
    changes: list[BridgeChange] = []
    if want.mtu is not None and link.mtu != want.mtu:
        changes.append(SetMtu(name=want.name, was=link.mtu, mtu=want.mtu))
    if link.promiscuous != want.promiscuous:
        changes.append(SetPromiscuous(name=want.name, promiscuous=want.promiscuous))
    changes += _readdress(want, link.addresses)
    if not link.up:
        changes.append(SetUp(name=want.name))
    return (*changes, *attach)


def remove(want: Bridge, have: Observed) -> tuple[BridgeChange | Blocked, ...]:
    """Delete the bridge; what is no bridge there is none of ours and stays."""
    if have.link is None or have.link.kind != "bridge":
        return ()
    return (DeleteLink(name=want.name, kind="bridge"),)


def claims(want: Bridge) -> tuple[Claim, ...]:
    """The link, and the links that it makes its ports."""
    return (Claim("link", want.name), *(Claim("link", name) for name in want.ports))


def stands_at(want: Bridge) -> tuple[str, ...]:
    """The link; its ports are others', and stay where they are when it goes."""
    return (str(Claim("link", want.name)),)


def watch(want: Bridge) -> tuple[Watch, ...]:
    """The link and its addresses."""
    return (WatchLink(want.name),)


def apply(host: Host, change: BridgeChange) -> None:
    """Make one change, if the link still is what was planned for."""
    if isinstance(change, DeleteLink):
        delete_link(host, change)
    elif isinstance(change, MakeBridge):
        _make(host, change)
    else:
        _mend(host, change)


def _readdress(want: Bridge, addresses: tuple[str, ...]) -> list[BridgeChange]:
    """Give the changes that leave the wanted address alone on the bridge."""
    network = IPv4Interface(want.address).network
    near = [a for a in addresses if IPv4Interface(a).network == network]
    leads = near[:1] in ([], [want.address])  # no other one can take it away
    before = set[str]() if leads else set(near)
    latest_first = addresses[::-1]

    first = [a for a in latest_first if a in before]
    rest = [a for a in latest_first if a not in before | {want.address}]
    missing = want.address not in addresses or bool(before)
    return [
        *(DeleteAddress(name=want.name, address=address) for address in first),
        *([AddAddress(name=want.name, address=want.address)] if missing else []),
        *(DeleteAddress(name=want.name, address=address) for address in rest),
    ]


def _make(host: Host, change: MakeBridge) -> None:
    if host.links.link(change.name) is not None:
        raise MovedError(f"cannot make the bridge {change.name}: it is there now; plan again")
    host.links.add_bridge(change.name)
    if change.mtu is not None:
        host.links.set_mtu(change.name, change.mtu)
    if change.promiscuous:
        host.links.set_promiscuous(change.name, True)
    host.links.add_address(change.name, change.address)
    host.links.set_up(change.name)


def _mend(host: Host, change: Mending) -> None:
    if isinstance(change, AttachPort):
        if change.port not in host.links.loose_ends():
            raise MovedError(f"cannot {change}: it is no loose end any more; plan again")
        host.links.attach(change.name, change.port)
        return
    link = host.links.link(change.name)
    if link is None or link.kind != "bridge" or not _expects(change, link):
        raise MovedError(f"cannot {change}: the link is not as it was; plan again")
    if isinstance(change, SetMtu):
        host.links.set_mtu(change.name, change.mtu)
    elif isinstance(change, SetPromiscuous):
        host.links.set_promiscuous(change.name, change.promiscuous)
    elif isinstance(change, AddAddress):
        host.links.add_address(change.name, change.address)
    elif isinstance(change, DeleteAddress):
        host.links.delete_address(change.name, change.address)
    else:
        host.links.set_up(change.name)


def _expects(change: Mending, link: Link) -> bool:
    """Say whether the link is as the change expects to find it."""
    if isinstance(change, SetMtu):
        return link.mtu == change.was
    if isinstance(change, SetPromiscuous):
        return link.promiscuous != change.promiscuous
    if isinstance(change, AddAddress):
        return change.address not in link.addresses
    if isinstance(change, DeleteAddress):
        return change.address in link.addresses
    return not link.up


def _said(promiscuous: bool) -> str:
    return ", promiscuous" if promiscuous else ""


KIND: Kind[Bridge, Observed, BridgeChange] = Kind(
    spec=Bridge,
    observe=observe,
    diff=diff,
    remove=remove,
    claims=claims,
    stands_at=stands_at,
    watch=watch,
    apply=apply,
    volatile=True,
    example=Bridge(name="cbr0", address="10.10.5.1/24", mtu=1460),
)
