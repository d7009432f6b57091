"""How Saltern's own network, docker and kubelet would differ from what a node has. Pure.

Told as comments beside the part: what a cluster file would say of this node as a worker, as far as
it has words for that, and which files and units would then be changed. None of it is applied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Interface
from typing import Any, Final

import msgspec
from saltern_protocol.reading import LinkFact, PathFact
from saltern_states.body import Resource
from saltern_states.file import File
from saltern_states.unit import Unit

from saltern_master.adopt.wording import Wording, version_of, worded
from saltern_master.api.surveys import SurveyView
from saltern_master.cluster.model import Network, Node
from saltern_master.compile.docker import docker
from saltern_master.compile.facts import Facts
from saltern_master.compile.kubelet import kubelet
from saltern_master.compile.network import network
from saltern_master.compile.node import NodeInput
from saltern_master.compile.yaml_text import to_yaml
from saltern_master.library.values import Index
from saltern_master.versions import known_minors, minor_of

MOST_LINES: Final = 200
NODE_PODS: Final = "10.10.0.0/24"
NODE_ADDRESS: Final = "192.0.2.1"
"""A range and an address for a node that has none to tell (RFC 5737)."""


def otherwise(view: SurveyView, paths: Mapping[str, PathFact]) -> Iterator[str]:
    """Give the lines that say what would differ; none for a node that runs nothing of the sort."""
    if not any(path.startswith(("/etc/docker/", "/etc/kubernetes/")) for path in paths):
        return
    words = worded(paths)
    yield "Saltern's own docker, kubelet and network (roles: [worker]) are not used for this node:"
    yield "they come whole, start docker and the kubelet anew once, and would change this here."
    yield from (f"  {line}" for line in differing(view, paths, words))
    yield "The cluster file has these words for what is set here by hand:"
    yield from (f"  {line}" for line in _said(view.node, words))
    if words.unsaid:
        yield "and none for:"
        yield from (f"  {line}" for line in words.unsaid)


def differing(view: SurveyView, paths: Mapping[str, PathFact], words: Wording) -> Iterator[str]:
    """Name each file and unit that the expansions would change."""
    version = version_of(view.facts, words.pods)
    minor = minor_of(version) if version else None
    if version and minor is None:
        known = ", ".join(known_minors())
        yield f"Kubernetes {version} is not known to this release (it knows {known})"
        return
    for one in _expanded(view, words, version or f"{known_minors()[-1]}.0"):
        if isinstance(one.spec, File):
            yield from _file_line(one.spec, paths.get(one.spec.path))
        elif isinstance(one.spec, Unit):
            yield f"{one.spec.unit}: started anew, to record what it is started with"


def _file_line(want: File, have: PathFact | None) -> Iterator[str]:
    if have is None:
        yield f"{want.path}: written; there is none"
    elif have.text is None:
        yield f"{want.path}: written; what is there was not told"
    elif have.text != want.text:
        yield f"{want.path}: other bytes"
    elif f"{have.mode:04o}" != want.mode:
        yield f"{want.path}: mode {want.mode}, not {have.mode:04o}"


def _expanded(view: SurveyView, words: Wording, version: str) -> Iterable[Resource]:
    minor = minor_of(version)
    if minor is None:
        return ()
    bridge = [one for one in view.facts if isinstance(one, LinkFact) and one.name == "cbr0"]
    addresses = [address for one in bridge for address in one.addresses]
    pods = str(IPv4Interface(addresses[0]).network) if _is_one(addresses) else NODE_PODS
    given = NodeInput(
        node=Node(name=view.node, address=NODE_ADDRESS),
        domain="cluster.local",
        version=version,
        minor=minor,
        network=Network(pods=pods),
        docker=words.docker,
        pods=pods,
        facts=Facts(mtu=bridge[0].mtu if bridge and bridge[0].mtu >= 576 else 0),
        stock=Index(),
        kubelet_config=words.kubelet,
        static_pods=(),
    )
    return (*network(given), *docker(given, ()), *kubelet(given))


def _is_one(addresses: list[str]) -> bool:
    """Tell whether a bridge has the one address of a range that has room for pods."""
    try:
        return len(addresses) == 1 and IPv4Interface(addresses[0]).network.prefixlen <= 30
    except ValueError:
        return False


def _said(node: str, words: Wording) -> Iterator[str]:
    group: dict[str, Any] = {"match": f"name={node}"}
    own = {"config": words.kubelet, "staticPods": list(words.pods)}
    group["kubelet"] = {name: value for name, value in own.items() if value}
    said = {"runtime": {"docker": msgspec.to_builtins(words.docker)}, "groups": [group]}
    lines = to_yaml(said).splitlines()
    yield from lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        yield f"… and {len(lines) - MOST_LINES} more lines"
