"""Names, addresses and places of a lab: everything that follows from what was asked for. Pure.

    /var/lib/saltern-lab/LAB/lab.json              what the lab is (state.py)
    /var/lib/saltern-lab/LAB/nodes/NODE/
        upper, work       what the node wrote over the common root file system (overlayfs)
        root              the node's root, mounted while the lab is up
        data/...          real directories under the node's /var/lib, one for each of REAL
        supervisor.json   the process that keeps the node booted
        console.log       what the node wrote to its console

A lab's name and its nodes' names are short, because a link's name has at most 15 characters and
a machine's at most 64.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from saltern_master.lab.errors import LabError

STATE = Path("/var/lib/saltern-lab")

# Docker's and containerd's overlay snapshots do not work on top of an overlay.
REAL = ("docker", "containerd")

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,18}[a-z0-9])?\Z")
_NUMBERED = re.compile(r"(cp|w)([1-9])\Z")
_FIRST_OF = {"cp": 10, "w": 20}  # cp1 is .11, w1 is .21, as in the documents' examples


@dataclass(frozen=True, slots=True)
class Network:
    """The lab's bridge on the host, and its subnet; the host has the first address."""

    bridge: str
    subnet: IPv4Network

    @property
    def host(self) -> IPv4Address:
        """The host's address, which is the nodes' default route."""
        return self.subnet[1]

    def __post_init__(self) -> None:
        if not re.match(r"[a-z][a-z0-9-]{0,14}\Z", self.bridge):
            raise LabError(f"cannot call a bridge {self.bridge!r}: 1 to 15 of a-z, 0-9, -")
        if not 16 <= self.subnet.prefixlen <= 28:
            raise LabError(f"cannot use {self.subnet}: the prefix must be from /16 to /28")


DEFAULT_NETWORK = Network("saltern0", IPv4Network("10.9.0.0/24"))


@dataclass(frozen=True, slots=True)
class Node:
    """A node's name and its address in the lab's subnet."""

    name: str
    address: IPv4Address


@dataclass(frozen=True, slots=True)
class Place:
    """Where one node of one lab lies on the host."""

    lab: str
    node: str
    state: Path = STATE

    @property
    def folder(self) -> Path:
        """All that belongs to the node."""
        return self.state / self.lab / "nodes" / self.node

    @property
    def root(self) -> Path:
        """The node's root file system, as the host sees it."""
        return self.folder / "root"

    @property
    def machine(self) -> str:
        """The name by which nspawn knows the node."""
        return f"saltern-{self.lab}-{self.node}"

    @property
    def unit(self) -> str:
        """The transient service that holds the node on a host with systemd and cgroup v2."""
        return f"{self.machine}.service"

    @property
    def supervisor(self) -> Path:
        """Where the process that keeps the node booted is recorded."""
        return self.folder / "supervisor.json"

    @property
    def console(self) -> Path:
        """What the node said while booting."""
        return self.folder / "console.log"

    def real(self, name: str) -> Path:
        """The host's directory behind the node's /var/lib/NAME."""
        return self.folder / "data" / name


def check_name(name: str) -> str:
    """Give a lab's or node's name back, or LabError."""
    if not _NAME.match(name):
        raise LabError(f"cannot use the name {name!r}: 1 to 20 of a-z, 0-9 and -, a letter first")
    return name


def nodes(
    wanted: Iterable[str], network: Network, already: Sequence[Node] = ()
) -> tuple[Node, ...]:
    """Read NAME or NAME=ADDRESS; nodes that the lab has keep their address.

    Without an address cpN gets the subnet's 10+N, wN 20+N, others the first free from 101
    (in a subnet that small: from the end of what is left).
    """
    known = {node.name: node for node in already}
    chosen: dict[str, Node] = dict(known)
    for word in wanted:
        name, _, address = word.partition("=")
        check_name(name)
        if name not in known:
            if name in chosen:
                raise LabError(f"cannot make the node {name} twice")
            taken = {node.address for node in chosen.values()} | {network.host}
            chosen[name] = Node(name, _address(name, address, network, taken))
        elif address and address != str(known[name].address):
            raise LabError(
                f"cannot give {name} the address {address}: it is up with {known[name].address}; "
                "take the lab down first"
            )
    return tuple(chosen.values())


def _address(name: str, asked: str, network: Network, taken: set[IPv4Address]) -> IPv4Address:
    if not asked:
        return _free_address(name, network, taken)
    try:
        address = IPv4Address(asked)
    except ValueError as error:
        raise LabError(f"cannot give {name} the address {asked!r}: {error}") from error
    if address not in network.subnet or address in (network.subnet[0], network.subnet[-1]):
        raise LabError(f"cannot give {name} the address {address}: not a host of {network.subnet}")
    if address in taken:
        raise LabError(f"cannot give {name} the address {address}: it is taken")
    return address


def _free_address(name: str, network: Network, taken: set[IPv4Address]) -> IPv4Address:
    size = network.subnet.num_addresses
    preferred = [_FIRST_OF[m[1]] + int(m[2])] if (m := _NUMBERED.match(name)) else []
    for number in (*preferred, *range(101, size - 1), *range(2, min(101, size - 1))):
        if number < size - 1 and network.subnet[number] not in taken:
            return network.subnet[number]
    raise LabError(f"cannot give {name} an address: {network.subnet} is full")
