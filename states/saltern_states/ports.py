"""The ports of a node: all that a kind may ask of it, and nothing else.

Laws that every implementation keeps (tests/contracts/ runs one suite on the real
thing and on the fake of saltern_states.testing):

* A reading method never writes and never guesses: what cannot be read raises HostError.
* A writing method that takes `was` raises MovedError, and writes nothing, where the node
  no longer has `was`.
* Every failure is a HostError that starts "cannot ..." and names the thing.
* What a reading method returns is true now: a cache is checked against what the kernel
  says of it (inode, change time, generation) before it is believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from saltern_states.key_ports import Certificates, Secrets
from saltern_states.upgrade_ports import Upgrades


class HostError(Exception):
    """The node would not do what was asked. `detail`: the lines of a program that said so."""

    def __init__(self, why: str = "", detail: str = "") -> None:
        super().__init__(why)
        self.detail = detail


class MovedError(HostError):
    """The node changed between plan and apply."""


Backend = Literal["nft", "legacy"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands at a path.

    A symlink anywhere on the way makes it "symlink": nothing is followed, and nothing else
    is told of it (mode 0, no owner).
    """

    type: Literal["file", "directory", "symlink", "other"]
    mode: int  # permission bits, 0o0000 to 0o7777
    owner: str  # the user's name, or its number where it has none
    group: str
    sha256: str = ""  # of a regular file's content; "" for all else, and above 2 GiB
    size: int = 0  # bytes; 0 for what is no regular file


class Files(Protocol):
    """Files and directories. Never through a symlink; whole and durable before it returns."""

    def look(self, path: Path) -> Entry | None:
        """Give what stands there, or None. Content is hashed once per (inode, change time)."""
        ...

    def read(self, path: Path) -> bytes | None:
        """Give the content of a regular file, or None where there is nothing; for small files."""
        ...

    def names(self, path: Path) -> tuple[str, ...]:
        """Give the sorted names in a directory, our own temporary ones left out; () for none."""
        ...

    def unknown_accounts(self, owner: str, group: str) -> tuple[str, ...]:
        """Name those of the two that this node does not know ("user docker")."""
        ...

    def called(self, owner: str, group: str) -> tuple[str, str]:
        """Give the two as look() tells them: a number that has a name ("0") by its name."""
        ...

    def with_accounts_kept(self) -> Files:
        """Give the same files to one who looks at many: each account is asked for only once."""
        ...

    def write(
        self, path: Path, was: Entry | None, content: bytes, mode: int, owner: str, group: str
    ) -> None:
        """Put a whole file there in place of `was` (None or a file)."""
        ...

    def write_blob(
        self, path: Path, was: Entry | None, blob: str, mode: int, owner: str, group: str
    ) -> None:
        """The same with the content of a blob, hashed again while it is copied."""
        ...

    def set_access(self, path: Path, was: Entry, mode: int, owner: str, group: str) -> None:
        """Change mode and owner of what stands there."""
        ...

    def make_directory(self, path: Path, mode: int, owner: str, group: str) -> None:
        """Make one directory; its parent must be there."""
        ...

    def remove(self, path: Path, was: Entry) -> None:
        """Remove a file, or a directory that is empty."""
        ...


@dataclass(frozen=True, slots=True)
class Tree:
    """What stands where an archive is, or shall be, unpacked."""

    archive: str  # SHA-256 of the archive that we unpacked there; "": not a tree of ours
    mode: int  # of the directory itself
    owner: str  # that the tree was unpacked for
    group: str
    differs: tuple[str, ...] = ()  # sorted lines: "edited bin/x", "missing bin/y", "stray z"


class Trees(Protocol):
    """Unpacked archives: a directory that holds exactly an archive's members, swapped whole."""

    def look(self, path: Path) -> Tree | None:
        """Compare each member with what was unpacked; None: no directory stands there."""
        ...

    def unpack(
        self, path: Path, was: Tree | None, blob: str, mode: int, owner: str, group: str
    ) -> None:
        """Put the members of a tar archive there in place of `was`, in one rename.

        HostError, and nothing changed, where the archive holds what is no plain member: an
        absolute or climbing name, a device, a link that leads out of the tree.
        """
        ...

    def remove(self, path: Path, was: Tree) -> None:
        """Remove the tree, if it is ours."""
        ...


class Blobs(Protocol):
    """Contents on the node, named by SHA-256."""

    def has(self, blob: str) -> bool:
        """Say whether it is here, whole."""
        ...

    def path(self, blob: str) -> Path:
        """Give where it lies; HostError where it is not here."""
        ...

    def keep_only(self, blobs: frozenset[str], before: float) -> None:
        """Drop all others that came before a time (Unix seconds); newer ones may be awaited."""
        ...


class Sysctls(Protocol):
    """Kernel parameters as they are now, by dotted key."""

    def read(self, key: str) -> str | None:
        """Give the value as the kernel prints it, without the newline; None: no such parameter."""
        ...

    def write(self, key: str, was: str, value: str) -> None:
        """Set it, if it still is `was`."""
        ...


class Modules(Protocol):
    """Kernel modules."""

    def state(self, name: str) -> Literal["built-in", "loaded", "absent"]:
        """Say whether the kernel has it now ("-" and "_" are one)."""
        ...

    def load(self, name: str) -> None:
        """modprobe it."""
        ...


class Swaps(Protocol):
    """Swap areas in use."""

    def active(self) -> tuple[str, ...]:
        """Give their names, sorted, as /proc/swaps prints them."""
        ...

    def off(self, name: str) -> None:
        """Stop using one."""
        ...


@dataclass(frozen=True, slots=True)
class Link:
    """A network link."""

    name: str
    kind: str  # "bridge", "veth", "vxlan" …; "" for a device
    up: bool
    mtu: int
    promiscuous: bool
    addresses: tuple[str, ...]  # IPv4 with prefix, in the kernel's order: "10.10.5.1/24"


@dataclass(frozen=True, slots=True)
class RouteEntry:
    """One IPv4 route of the main table."""

    destination: str  # CIDR; "0.0.0.0/0" is the default
    via: str  # gateway, or "" where the destination is on the link
    device: str  # "" where it leads nowhere
    metric: int
    protocol: int  # rtm_protocol; who made it
    type: str = "unicast"  # or "unreachable", "blackhole" … as ip-route(8) calls them


class Links(Protocol):
    """Links, their addresses, and routes. IPv4, main table."""

    def link(self, name: str) -> Link | None:
        """Give the link, or None."""
        ...

    def add_bridge(self, name: str) -> None:
        """Make a bridge; down, without address."""
        ...

    def delete(self, name: str) -> None:
        """Delete a link."""
        ...

    def set_up(self, name: str) -> None:
        """Bring a link up."""
        ...

    def set_mtu(self, name: str, mtu: int) -> None:
        """Set a link's MTU, in bytes."""
        ...

    def set_promiscuous(self, name: str, promiscuous: bool) -> None:
        """Set or clear IFF_PROMISC."""
        ...

    def loose_ends(self) -> tuple[str, ...]:
        """Give the names of the veth links that are up, port of no bridge and without IPv4 address.

        Sorted. A link that has an address is in use as it is: on a bridge it would be deaf.
        """
        ...

    def ends_of(self, bridge: str) -> tuple[str, ...]:
        """Give the names of those that would be loose ends without this bridge. Sorted."""
        ...

    def attach(self, bridge: str, port: str) -> None:
        """Make a link a port of a bridge."""
        ...

    def add_address(self, name: str, address: str) -> None:
        """Add an address with its prefix."""
        ...

    def delete_address(self, name: str, address: str) -> None:
        """Delete an address with its prefix."""
        ...

    def routes(self, destination: str) -> tuple[RouteEntry, ...]:
        """Give the routes to exactly this destination, lowest metric first."""
        ...

    def routes_of(self, protocol: int) -> tuple[RouteEntry, ...]:
        """Give all routes that bear this protocol number, by destination as text, then metric."""
        ...

    def add_route(self, route: RouteEntry) -> None:
        """Add a route; HostError where one of that destination and metric is there."""
        ...

    def replace_route(self, was: RouteEntry, route: RouteEntry) -> None:
        """Put a route in place of one of the same destination and metric, without a gap."""
        ...

    def delete_route(self, route: RouteEntry) -> None:
        """Delete exactly this route."""
        ...


class Rules(Protocol):
    """iptables, by its own text form. One back end is never asked about the other's tables."""

    def save(self, backend: Backend, table: str) -> str | None:
        """Give the table as iptables-save prints it, without counters; None: no iptables here."""
        ...

    def restore(self, backend: Backend, text: str) -> None:
        """Apply one table's text with --noflush, all or nothing, after it passed --test."""
        ...


@dataclass(frozen=True, slots=True)
class UnitState:
    """What systemd says of a unit."""

    load: str  # loaded, not-found, masked, bad-setting, error
    active: str  # active, activating, deactivating, inactive, failed, reloading
    enabled: str  # enabled, disabled, static, masked … or "" for no file
    invocation: str  # 32 hex digits of the current invocation, or ""
    main_pid: int  # 0 where there is none
    needs_reload: bool  # its files are newer than what systemd read
    can_reload: bool


class Units(Protocol):
    """systemd, over D-Bus. A job is waited for, and its failure is a HostError with its result."""

    def state(self, unit: str) -> UnitState:
        """Give the unit's state; a unit that systemd cannot find has load "not-found"."""
        ...

    def runs_binary(self, pid: int, binary: Path) -> bool:
        """Say whether the process runs the very file that stands at `binary` now."""
        ...

    def shutting_down(self) -> bool:
        """Say whether the system is on its way down, so that what stops now is meant to."""
        ...

    def starting_up(self) -> bool:
        """Say whether the boot still goes on, so that what does not run yet may be to come."""
        ...

    def reload_daemon(self) -> None:
        """Have systemd read all unit files again."""
        ...

    def enable(self, unit: str) -> None:
        """Enable it, for the next boot."""
        ...

    def disable(self, unit: str) -> None:
        """Disable it."""
        ...

    def unmask(self, unit: str) -> None:
        """Take a mask away."""
        ...

    def start(self, unit: str) -> None:
        """Start it, after reset-failed, and wait for the job."""
        ...

    def stop(self, unit: str) -> None:
        """Stop it and wait."""
        ...

    def restart(self, unit: str) -> None:
        """Restart it and wait."""
        ...

    def reload(self, unit: str) -> None:
        """Reload it and wait."""
        ...


class Packages(Protocol):
    """Debian packages. Installing never starts a service: units do that."""

    def version(self, name: str) -> str | None:
        """Give the version that is installed and configured; None: not, or half."""
        ...

    def named(self, file: Path) -> tuple[str, str]:
        """Give the package and version that a .deb file is of; HostError: it is none."""
        ...

    def install_files(self, files: tuple[Path, ...]) -> None:
        """Install .deb files in one transaction, from nowhere else."""
        ...

    def install(self, name: str, version: str) -> None:
        """Install from the node's own repositories; version "" is the candidate."""
        ...

    def remove(self, name: str) -> None:
        """Remove one package, keeping its configuration files; HostError if others would go too."""
        ...

    def compare(self, one: str, other: str) -> int:
        """Compare two versions as dpkg does: -1, 0 or 1."""
        ...


class Images(Protocol):
    """Images of the node's docker."""

    def digest(self, name: str) -> str | None:
        """Give the config digest ("sha256:…") that the name stands for; None: not there.

        HostError: docker does not answer.
        """
        ...

    def load(self, archive: Path) -> None:
        """Load an archive."""
        ...

    def remove(self, name: str) -> None:
        """Take the name away, and the image where nothing uses it."""
        ...


class Host(Protocol):
    """The node, as a kind sees it."""

    @property
    def files(self) -> Files:
        """Its files."""
        ...

    @property
    def trees(self) -> Trees:
        """Archives unpacked on it."""
        ...

    @property
    def blobs(self) -> Blobs:
        """Contents that were brought to it."""
        ...

    @property
    def sysctls(self) -> Sysctls:
        """Its kernel parameters."""
        ...

    @property
    def modules(self) -> Modules:
        """Its kernel modules."""
        ...

    @property
    def swaps(self) -> Swaps:
        """Its swap areas."""
        ...

    @property
    def links(self) -> Links:
        """Its links and routes."""
        ...

    @property
    def rules(self) -> Rules:
        """Its packet filter."""
        ...

    @property
    def units(self) -> Units:
        """Its systemd."""
        ...

    @property
    def packages(self) -> Packages:
        """Its packages."""
        ...

    @property
    def upgrades(self) -> Upgrades:
        """What replaces the agent itself."""
        ...

    @property
    def images(self) -> Images:
        """Its docker's images."""
        ...

    @property
    def certificates(self) -> Certificates:
        """Its private keys and certificates."""
        ...

    @property
    def secrets(self) -> Secrets:
        """What was sealed to it."""
        ...
