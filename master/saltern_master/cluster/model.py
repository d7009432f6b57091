"""What a cluster file says, as values. Field names in the file are camelCase.

A resource is written as it stands in a body: id, spec with its kind, after, drift, on_removal.

Only what is compiled has a field here.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from saltern_states.body import DriftPolicy, ResourceId
from saltern_states.contract import AbsolutePath, Spec

_OCTET = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"

NodeName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z",
        max_length=63,
        description="a name of small letters, digits, dashes and dots, 63 at most",
    ),
]
Address = Annotated[
    str,
    Meta(
        pattern=rf"^({_OCTET}\.){{3}}{_OCTET}\Z",
        description="an IPv4 address like 10.9.0.21",
    ),
]
Cidr = Annotated[
    str,
    Meta(
        pattern=rf"^({_OCTET}\.){{3}}{_OCTET}/([12]?[0-9]|3[0-2])\Z",
        description="an IPv4 range like 10.10.0.0/16",
    ),
]
Version = Annotated[
    str,
    Meta(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+\Z", description="a version like 1.20.2"),
]
Label = Annotated[
    str,
    Meta(
        pattern=r"^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?\Z",
        description="a label's value: letters, digits, dots, dashes and underscores, 63 at most",
    ),
]
LabelKey = Annotated[
    str,
    Meta(
        pattern=r"^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?\Z",
        description="a label's key like zone or example.org/zone",
    ),
]
ResourcePattern = Annotated[
    str,
    Meta(
        pattern=r"^[a-zA-Z0-9._:/@*-]{1,128}\Z",
        description="a resource's id like docker/daemon.json; * stands for any characters",
    ),
]
Match = Annotated[
    str,
    Meta(
        pattern=r"^[^=\s]+=[^=\s]*\Z",
        description='a match like "role=worker", "name=w*" or "zone=a" (a label)',
    ),
]
RuntimeName = Annotated[
    str, Meta(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}\Z", description="a runtime's name")
]
SysctlKey = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9_-]+(\.[a-zA-Z0-9_-]+)+\Z",
        max_length=128,
        description="a kernel parameter like vm.max_map_count",
    ),
]
SysctlValue = Annotated[
    str,
    Meta(
        pattern=r"^\S+( \S+)*\Z",
        max_length=256,
        description="a value whose words stand one space apart",
    ),
]
LogSize = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,5}[kmg]\Z", description="a size like 10m")]
ReleaseVersion = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]+\.[0-9]+\.[0-9]+[a-z0-9.+~]{0,40}\Z",
        description="a release's version like 0.2.0",
    ),
]
RoleName = Literal["worker", "control-plane", "etcd", "bare"]
"""`bare`: held to the resources that the file gives it, and nothing of Kubernetes."""

ImageName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]+([._/-][a-z0-9]+)*:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z",
        max_length=255,
        description="an image with its tag like saltern/echo:1",
    ),
]

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Daily = Annotated[
    str,
    Meta(pattern=r"^daily\Z", description="daily or a list of mon, tue, wed, thu, fri, sat, sun"),
]
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]"
TimeOfDay = Annotated[
    str, Meta(pattern=rf"^{_TIME}\Z", description='a time of the day like "02:00"')
]
EndOfDay = Annotated[
    str,
    Meta(pattern=rf"^({_TIME}|24:00)\Z", description='a time of the day like "04:00" or "24:00"'),
]
WindowName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?\Z",
        description="a window's name: small letters, digits and dashes, 50 at most",
    ),
]
Why = Annotated[
    str,
    Meta(
        pattern=r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?\Z",
        max_length=200,
        description="a reason of one line, 200 characters at most",
    ),
]
ZoneName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_+-]{1,40}(/[A-Za-z0-9_+-]{1,40}){0,3}\Z",
        description="UTC, or a zone's name like Europe/Berlin",
    ),
]

NodeClass = Literal["worker", "control-plane"]
"""Which part of the policy a node lives under."""
SERVICES = "10.0.0.0/16"


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """What every part of a cluster file is."""


class Naming(Part, frozen=True):
    """What the cluster is called, and where its API server answers.

    `endpoint` None: at the address of the first control-plane node.
    """

    name: NodeName
    domain: NodeName = "cluster.local"
    endpoint: Address | None = None


class Kubernetes(Part, frozen=True):
    """Which Kubernetes runs."""

    version: Version


class Network(Part, frozen=True):
    """Where pods have their addresses from, and how they reach what is no pod.

    `masquerade` "outside": what a pod sends out of `pods` leaves under its node's address.
    `mode` "routed": the nodes hold a route to each other's pods; "external": something else does.
    `services`: where the addresses of Services are from, in a cluster that has a control plane.
    """

    pods: Cidr
    mode: Literal["routed", "external"] = "routed"
    services: Cidr = SERVICES
    per_node: Annotated[int, Meta(ge=16, le=30)] = 24
    masquerade: Literal["outside", "none"] = "outside"


class Logging(Part, frozen=True):
    """How much of a container's output is kept: files of json-file, rotated."""

    max_size: LogSize = "10m"
    max_files: Annotated[int, Meta(ge=1, le=100)] = 3


class Docker(Part, frozen=True):
    """How docker runs. `runtimes` are further OCI runtimes, by name; runc is always there."""

    live_restore: bool = True
    cgroup_driver: Literal["cgroupfs", "systemd"] = "cgroupfs"
    logging: Logging = Logging()
    runtimes: dict[RuntimeName, AbsolutePath] = {}
    default_runtime: RuntimeName = "runc"


class Runtime(Part, frozen=True):
    """What runs containers."""

    docker: Docker = Docker()


class Node(Part, frozen=True):
    """One machine."""

    name: NodeName
    address: Address
    roles: tuple[RoleName, ...] = ("worker",)
    labels: dict[LabelKey, Label] = {}

    @property
    def is_bare(self) -> bool:
        """Whether nothing of Kubernetes runs here."""
        return "bare" in self.roles

    @property
    def node_class(self) -> NodeClass:
        """Which part of the policy it lives under: the strongest of its roles."""
        strong = {"control-plane", "etcd"} & set(self.roles)
        return "control-plane" if strong else "worker"


class OwnResource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A resource that a person declares."""

    id: ResourceId
    spec: Spec
    after: tuple[ResourceId, ...] = ()
    drift: DriftPolicy | None = None  # the groups' then, or the usual
    on_removal: Literal["remove", "keep"] = "remove"


class KubeletPart(Part, frozen=True):
    """Further fields of KubeletConfiguration, and the manifests of static pods."""

    config: dict[str, object] = {}
    static_pods: tuple[dict[str, object], ...] = ()


class KubeProxyPart(Part, frozen=True):
    """Further fields of KubeProxyConfiguration."""

    config: dict[str, object] = {}


class AgentPart(Part, frozen=True):
    """Which release of the agent holds the nodes; another one is left as it is where none is named.

    `attempt`: raised by who wants a release tried again that was tried and went back. `drift`:
    what is done where somebody installs another one by hand.
    """

    version: ReleaseVersion
    attempt: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    drift: DriftPolicy = DriftPolicy(mode="enforce", times=2, minutes=60)


class Group(Part, frozen=True):
    """What the nodes that match are given. Where two groups differ, the later one counts."""

    match: Match
    agent: AgentPart | None = None
    images: tuple[ImageName, ...] = ()  # of the library, for pods that come later
    kubelet: KubeletPart = KubeletPart()
    kube_proxy: KubeProxyPart = KubeProxyPart()
    sysctls: dict[SysctlKey, SysctlValue] = {}
    resources: tuple[OwnResource, ...] = ()
    drift: dict[ResourcePattern, DriftPolicy] = {}  # by the ids of a body's resources


class Window(Part, frozen=True):
    """When people work on nodes: drift there is told meanwhile, and left alone.

    `days`: those on which it begins. Where `to` is not later than `from`, it ends on the next day.
    `nodes`: a target, as in targeting.py; "": every node.
    """

    name: WindowName
    begins: TimeOfDay = msgspec.field(name="from")
    ends: EndOfDay = msgspec.field(name="to")
    why: Why
    days: Daily | tuple[Day, ...] = "daily"
    zone: ZoneName = "UTC"
    nodes: Annotated[str, Meta(max_length=4096)] = ""


class Cluster(Part, frozen=True):
    """A whole cluster file."""

    api_version: Literal["saltern/v1"]
    cluster: Naming
    kubernetes: Kubernetes
    network: Network
    nodes: tuple[Node, ...]
    runtime: Runtime = Runtime()
    agent: AgentPart | None = None
    groups: tuple[Group, ...] = ()
    resources: tuple[OwnResource, ...] = ()
    maintenance: tuple[Window, ...] = ()

    @property
    def control_plane(self) -> Node | None:
        """The node that the control plane runs on; None: kubelets on their own."""
        return next((node for node in self.nodes if "control-plane" in node.roles), None)

    @property
    def endpoint(self) -> str:
        """The address of the API server; "" in a cluster that has none."""
        node = self.control_plane
        return "" if node is None else self.cluster.endpoint or node.address
