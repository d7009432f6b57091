"""What a network namespace has, as ip and iptables-save tell it: no code of ours is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from saltern_agent.host.iptables import Iptables
from saltern_agent.host.netlink import NetlinkLinks
from saltern_states.testing import FakeHost

from tests.system.namespace import network_namespace, run

IP = "/usr/sbin/ip"


class NetworkNode(FakeHost):
    """A node whose links and rules are this namespace's; all else is in memory."""

    def __init__(self, links: NetlinkLinks, rules: Iptables) -> None:
        super().__init__()
        self.links = links  # type: ignore[assignment]  # the real thing in the fake's place
        self.rules = rules  # type: ignore[assignment]


@contextmanager
def network_node() -> Iterator[NetworkNode]:
    """Be in a network namespace of its own, with a link that carries work: eth0, up."""
    with network_namespace():
        run(IP, "link", "set", "lo", "up")
        run(IP, "link", "add", "eth0", "type", "veth", "peer", "name", "peer0")
        for name in ("eth0", "peer0"):
            run(IP, "link", "set", name, "up")
        run(IP, "addr", "add", "10.9.0.21/24", "dev", "eth0")
        run(IP, "route", "add", "default", "via", "10.9.0.1")
        with closing(NetlinkLinks()) as links, closing(Iptables()) as rules:
            yield NetworkNode(links, rules)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Links by name, routes as lines, and both back ends' rules as lines."""

    links: dict[str, dict[str, Any]]
    routes: frozenset[str]
    rules: tuple[str, ...]


def snapshot() -> Snapshot:
    """Ask ip and iptables-save."""
    said = json.loads(run(IP, "-j", "-d", "addr"))
    return Snapshot(
        links={one["ifname"]: _link(one) for one in said},
        routes=frozenset(
            json.dumps(one, sort_keys=True)
            for table in ("main", "local")
            for one in json.loads(run(IP, "-j", "-d", "route", "show", "table", table))
        ),
        rules=rules("nft") + rules("legacy"),
    )


def rules(backend: str) -> tuple[str, ...]:
    """Give a back end's rules of all tables, without remarks and counters."""
    printed = run(f"/usr/sbin/iptables-{backend}-save")
    return tuple(
        line.split(" [")[0] if line.startswith(":") else line
        for line in printed.splitlines()
        if not line.startswith("#")
    )


def _link(said: dict[str, Any]) -> dict[str, Any]:
    """Keep what a change could touch; a new link's number and MAC are chance."""
    return {
        "kind": said.get("linkinfo", {}).get("info_kind", ""),
        "flags": sorted(set(said["flags"]) & {"UP", "PROMISC"}),
        "mtu": said["mtu"],
        "addresses": [
            f"{one['local']}/{one['prefixlen']}"
            for one in said["addr_info"]
            if one["family"] == "inet"
        ],
    }
