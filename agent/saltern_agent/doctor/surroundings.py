"""What the doctor sees of a node, and what the node's body declares: frozen values, nothing else.

None, in a field that may be None, is "could not be seen": no trap is made of it. Why it could not
is in `unseen`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from saltern_states.ports import Backend, Link, RouteEntry


@dataclass(frozen=True, slots=True)
class Need:
    """A port that a component listens on. `owner`: what its process's cgroup has in its name."""

    port: int
    component: str
    owner: str


@dataclass(frozen=True, slots=True)
class Declared:
    """What the accepted body says, as far as a trap has to do with it. No body: all empty."""

    there: bool = False  # there is a body
    kubernetes: bool = False  # it makes the node run a kubelet
    version: str = ""  # of the kubelet: "1.20.2"
    node: str = ""  # what Kubernetes calls the node
    address: str = ""  # the node's own
    pods: str = ""  # the cluster's range
    own_pods: str = ""  # this node's part of it
    services: str = ""  # the range of Services, where it stands on this node
    endpoint: str = ""  # the API server's address
    backend: Backend | None = None  # of the declared chains
    bridges: frozenset[str] = frozenset()
    routed: bool = False  # the routes to other nodes' pods are declared
    destinations: frozenset[str] = frozenset()  # of all declared routes
    sysctls: frozenset[str] = frozenset()  # keys
    modules: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()
    lets_through: bool = False  # a declared chain accepts what comes from pods and goes to them
    swap: bool = False  # no swap is declared
    certificates: frozenset[str] = frozenset()  # paths
    manifests: bool = False  # the manifest directory holds the declared names and no other
    paths: frozenset[str] = frozenset()  # all that is declared to stand somewhere
    failing_swap: bool = True  # the kubelet refuses to run beside swap
    needs: tuple[Need, ...] = ()  # ports


@dataclass(frozen=True, slots=True)
class Filter:
    """One back end's tables of iptables."""

    backend: Backend
    rules: int  # in all tables that were looked at
    forward: str = "ACCEPT"  # the policy of FORWARD
    accepts: tuple[str, ...] = ()  # "-s 10.10.0.0/16": what FORWARD accepts, also by way of a jump
    blocks: tuple[str, ...] = ()  # rules of FORWARD that drop or reject, before anything accepts
    services: tuple[str, ...] = ()  # addresses of Services that kube-proxy's rules name


@dataclass(frozen=True, slots=True)
class Listener:
    """A process that listens on a TCP port."""

    port: int
    pid: int  # 0: none that can be seen
    name: str = ""
    cgroup: str = ""


@dataclass(frozen=True, slots=True)
class Daemon:
    """A unit whose process runs: what of its surroundings decides where its requests go."""

    unit: str
    proxies: tuple[tuple[str, str], ...] = ()  # HTTP_PROXY, HTTPS_PROXY, in small letters
    no_proxy: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """A certificate, and when it ends: seconds since 1970."""

    path: str
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Room:
    """A file system that a node needs room on; percents that are free."""

    path: str
    free: float
    inodes: float


@dataclass(frozen=True, slots=True)
class Manifest:
    """A file in the manifest directory that a kubelet would run, and the pod that it names."""

    name: str
    pod: str = ""


@dataclass(frozen=True, slots=True)
class Inotify:
    """Limits of inotify for root, and what is used of them."""

    instances: int
    used: int
    watches: int


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A node at one moment."""

    now: float  # seconds since 1970
    declared: Declared = Declared()
    container: bool = False  # the machine is a container of another: its kernel is that one's
    hostname: str = "node"
    resolves: bool | None = None  # the host name has an address
    kernel: tuple[int, int] | None = None  # (6, 1)
    cgroup: Literal[1, 2] | None = None
    links: tuple[Link, ...] = ()
    routes: tuple[RouteEntry, ...] = ()  # of the main table
    modules: frozenset[str] | None = None  # of those that were asked for, the ones that are there
    sysctls: dict[str, str] = field(default_factory=dict)  # by key; one that is not there is not
    filters: tuple[Filter, ...] = ()
    iptables: Backend | None = None  # what the command iptables writes; None: there is none
    swaps: tuple[str, ...] | None = None
    programs: frozenset[str] | None = None  # of those that were asked for, the ones that are there
    listeners: tuple[Listener, ...] | None = None
    docker_driver: str = ""  # cgroup driver, as docker tells it; "": no docker answers
    kubelet_driver: str = ""  # as the kubelet's file or flag says; "": there is none
    firewalls: tuple[str, ...] = ()  # units that are active and own the packet filter
    claimants: tuple[str, ...] = ()  # files of other programs that configure a bridge of ours
    manifests: tuple[Manifest, ...] | None = None
    certificates: tuple[Ending, ...] = ()
    synchronised: bool | None = None  # the kernel's clock
    half_installed: tuple[str, ...] | None = None  # packages, or what tells that dpkg was stopped
    rooms: tuple[Room, ...] = ()
    daemons: tuple[Daemon, ...] = ()
    inotify: Inotify | None = None
    selinux: bool | None = None  # enforcing
    apparmor: bool | None = None  # on
    docker: bool = False  # dockerd is installed
    unseen: tuple[str, ...] = ()  # "what: why"
