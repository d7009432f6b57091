"""What can be asked of a node: its name, roles, labels, state, and what its machine tells. Pure.

Facts are as the node told them last. What it does not tell has no value at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, get_args

from saltern_master.api.service import NodeState, NodeView
from saltern_master.cluster.model import RoleName
from saltern_master.measures import Amounts, Measure, Versions, Words

ARCHITECTURES: Final = MappingProxyType({"x86_64": "amd64", "aarch64": "arm64"})
"""As the kernel says it, and as Go and Debian do; both are taken."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a target can ask of a node."""

    name: str
    node_class: str = ""
    roles: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    state: str = ""  # "": it has not come yet
    connected: bool = False
    release: str = ""  # of its agent
    facts: Mapping[str, object] = field(default_factory=dict)  # as they are now


@dataclass(frozen=True, slots=True)
class Word:
    """What can be asked: what its values are, and where they stand."""

    name: str
    measure: Measure
    read: Callable[[Subject], tuple[str, ...]]


def _fact(name: str) -> Callable[[Subject], tuple[str, ...]]:
    def read(node: Subject) -> tuple[str, ...]:
        value = node.facts.get(name)
        return (str(value),) if isinstance(value, str | int) and value not in ("", 0) else ()

    return read


def _architecture(node: Subject) -> tuple[str, ...]:
    told = _fact("architecture")(node)
    return (*told, *(ARCHITECTURES[one] for one in told if one in ARCHITECTURES))


def _memory(node: Subject) -> tuple[str, ...]:
    return tuple(f"{one}Mi" for one in _fact("memoryMib")(node))


WORDS: Final[Mapping[str, Word]] = MappingProxyType(
    {
        word.name: word
        for word in (
            Word("name", Words(), lambda node: (node.name,)),
            Word("role", Words(get_args(RoleName)), lambda node: node.roles),
            Word("class", Words(), lambda node: _told(node.node_class)),
            Word("state", Words(get_args(NodeState)), lambda node: _told(node.state)),
            Word(
                "connected", Words(("yes", "no")), lambda node: ("yes" if node.connected else "no",)
            ),
            Word("release", Versions(), lambda node: _told(node.release)),
            Word("kernel", Versions(), _fact("kernel")),
            Word("arch", Words(), _architecture),
            Word("os", Words(), _fact("os")),
            Word("os-version", Versions(), _fact("osVersion")),
            Word("python", Versions(), _fact("python")),
            Word("memory", Amounts(), _memory),
            Word("mtu", Versions(), _fact("mtu")),
            Word("cgroup", Versions(), _fact("cgroup")),
            Word("iptables", Words(("nft", "legacy")), _fact("iptablesBackend")),
            Word("uplink", Words(), _fact("uplink")),
        )
    }
)


def subject(view: NodeView) -> Subject:
    """Give what a target can ask of a node that people are shown."""
    return Subject(
        name=view.name,
        node_class=view.node_class,
        roles=view.roles,
        labels=view.labels,
        state=view.state,
        connected=view.connected,
        release=view.release,
        facts={**view.facts, **view.facts_now},
    )


def label_keys(nodes: Iterable[Subject]) -> frozenset[str]:
    """Name the labels that there are."""
    return frozenset(key for node in nodes for key in node.labels)


def _told(value: str) -> tuple[str, ...]:
    return (value,) if value else ()
