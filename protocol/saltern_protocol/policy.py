"""What the offline keys allow each class of node to be told, whatever the master says.

A resource names what it touches by claims; `outside` gives the claims that no
rule covers. Laws:

* What is not allowed is refused: an unknown class, an odd path or a network that
  does not parse is outside. The one exception stands in the type: `artifacts` and
  `images` are None where any may be used, or list every hash that may (pinned).
* `releases` has no such exception: what the agent itself becomes is always named by hash.
* Paths are compared by components, so /etc/docker does not cover /etc/docker2, and
  a path with `..`, `.` or an empty component is never inside. Links on the disk
  are the business of whoever opens the file.
* In a glob `*` stands for any run of characters, none and dots included; no other
  character is special.
* A route is inside a network that contains it whole.

How a claim names its thing:

    path      absolute               /etc/docker/daemon.json
    unit      with its suffix        docker.service
    sysctl    with dots              net.ipv4.ip_forward
    chain     table/CHAIN            nat/SALTERN-POSTROUTING
    link      interface              cbr0
    route     destination as a CIDR  10.10.1.0/24 (the default route is 0.0.0.0/0 or ::/0)
    module    as modprobe takes it   br_netfilter
    package   Debian's name          docker.io
    artifact  SHA-256, 64 digits     (the content)
    image     SHA-256, 64 digits     (the image's config)
    swap      whatever is turned     off
    release   SHA-256, 64 digits     (the package of an agent that a node may become)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal

from msgspec import Meta, Struct

from saltern_protocol import wire
from saltern_protocol.errors import printable
from saltern_protocol.terms import Count, HexDigest, Name, Seconds

MAX_BYTES = 120 * 1024  # an envelope of 128 KiB holds it

What = Literal[
    "path",
    "unit",
    "sysctl",
    "chain",
    "link",
    "route",
    "module",
    "package",
    "artifact",
    "image",
    "swap",
    "release",
]

PathRoot = Annotated[
    str,
    Meta(
        pattern=r"^(/|(/(?!\.{1,2}(/|\Z))[^/\0]+)+)\Z",
        description='an absolute path without "." and ".."',
    ),
]
Glob = Annotated[str, Meta(min_length=1, max_length=256)]
Cidr = Annotated[
    str, Meta(pattern=r"^[0-9a-f.:]+/[0-9]{1,3}\Z", description="a range like 10.0.0.0/8")
]


@dataclass(frozen=True, slots=True, order=True)
class Claim:
    """One thing on a node that a resource reads as its own and may change."""

    what: What
    name: str

    def __str__(self) -> str:
        return f"{self.what} {printable(self.name)}"


class Allow(Struct, frozen=True, kw_only=True):
    """What one class of node may be told to touch. Empty allows nothing."""

    paths: tuple[PathRoot, ...] = ()
    units: tuple[Glob, ...] = ()
    sysctls: tuple[Glob, ...] = ()
    chains: tuple[Glob, ...] = ()
    links: tuple[Glob, ...] = ()
    modules: tuple[Glob, ...] = ()
    packages: tuple[Glob, ...] = ()
    routes: tuple[Cidr, ...] = ()
    artifacts: tuple[HexDigest, ...] | None = None  # None: any
    images: tuple[HexDigest, ...] | None = None  # None: any
    swap: bool = False
    releases: tuple[HexDigest, ...] = ()  # of the agent's own package; never any


class Policy(Struct, frozen=True, kw_only=True, tag_field="type", tag="policy/1"):
    """What the policy keys signed: for each class of node, what it may be told."""

    cluster: Name
    version: Count
    epoch: Count
    expires: Seconds
    classes: Mapping[Name, Allow]


def encode_policy(policy: Policy) -> bytes:
    """Give the payload to sign; MalformedError if no node could read it."""
    return wire.pack_checked(policy, MAX_BYTES)


def decode_policy(payload: bytes) -> Policy:
    """Read a payload that envelope.verify() gave."""
    return wire.unpack(payload, Policy, MAX_BYTES)


def outside(policy: Policy, node_class: str, claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Give the claims that the policy does not allow this class of node, sorted, each once."""
    allow = policy.classes.get(node_class)
    return tuple(
        claim for claim in sorted(set(claims)) if allow is None or not allowed(allow, claim)
    )


def allowed(allow: Allow, claim: Claim) -> bool:
    """Tell whether one claim is covered."""
    match claim.what:
        case "path":
            return any(is_inside(claim.name, root) for root in allow.paths)
        case "route":
            return any(is_within(claim.name, network) for network in allow.routes)
        case "artifact" | "image" | "release":
            hashes = _hashes(allow, claim.what)
            return hashes is None or claim.name in hashes
        case "swap":
            return allow.swap
        case _:
            return any(matches(claim.name, glob) for glob in _globs(allow, claim.what))


def _hashes(
    allow: Allow, what: Literal["artifact", "image", "release"]
) -> tuple[HexDigest, ...] | None:
    """Give what may be brought; None: anything, which no release may be."""
    match what:
        case "artifact":
            return allow.artifacts
        case "image":
            return allow.images
        case "release":
            return allow.releases


def is_inside(path: str, root: str) -> bool:
    """Tell whether a path is the root or below it, component by component."""
    inner, outer = _components(path), _components(root)
    return inner is not None and outer is not None and inner[: len(outer)] == outer


def is_within(destination: str, network: str) -> bool:
    """Tell whether a network contains a route's destination whole."""
    inner, outer = _network(destination), _network(network)
    if isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, IPv6Network) and isinstance(outer, IPv6Network):
        return inner.subnet_of(outer)
    return False


def matches(name: str, glob: str) -> bool:
    """Tell whether a name is of the form of a glob, in which only `*` is special."""
    head, *rest = glob.split("*")
    if not rest:
        return name == glob
    *middle, tail = rest
    if not name.startswith(head) or not name.endswith(tail) or len(name) < len(head) + len(tail):
        return False
    at, end = len(head), len(name) - len(tail)
    for part in middle:  # the first place is always the best one, so nothing is tried twice
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _globs(allow: Allow, what: What) -> tuple[str, ...]:
    globs: dict[What, tuple[str, ...]] = {
        "unit": allow.units,
        "sysctl": allow.sysctls,
        "chain": allow.chains,
        "link": allow.links,
        "module": allow.modules,
        "package": allow.packages,
    }
    return globs.get(what, ())


def _components(path: str) -> tuple[str, ...] | None:
    """Take a path apart; None if it is not absolute or says the same in a second way."""
    if path == "/":
        return ()
    first, *rest = path.split("/")
    if first or not rest or "\0" in path or any(part in {"", ".", ".."} for part in rest):
        return None
    return tuple(rest)


def _network(text: str) -> IPv4Network | IPv6Network | None:
    """Read a network in its one usual form; None for any other."""
    try:
        network = ip_network(text)
    except ValueError:
        return None
    return network if str(network) == text else None
