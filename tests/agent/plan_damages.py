"""What strangers do to a node in memory, whatever it was before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from saltern_states.iptables_text import Table, empty
from saltern_states.ports import RouteEntry

from tests.agent.plan_nodes import DOCKER, DOCKER_FILE, Node

Damage = Callable[[Node], None]


def put(path: str, content: bytes = b"stranger\n", mode: int = 0o644) -> Damage:
    def do(node: Node) -> None:
        if node.files.nodes.get(Path(path)) is not None:
            node.files.take(path)
        if all(
            node.files.nodes.get(one, None) is None or node.files.nodes[one].type == "directory"
            for one in Path(path).parents
        ):
            node.files.put_file(path, content, mode)

    return do


def entry(path: str, what: str) -> Damage:
    def do(node: Node) -> None:
        if Path(path) == Path("/"):
            return
        node.files.take(path)
        if what != "nothing" and node.files.nodes.get(Path(path).parent) is not None:
            {
                "directory": node.files.put_directory,
                "symlink": node.files.put_symlink,
                "other": node.files.put_other,
            }[what](path)

    return do


def access(path: str, mode: int, owner: str) -> Damage:
    def do(node: Node) -> None:
        found = node.files.nodes.get(Path(path))
        if found is not None and found.type == "file":
            node.files.put_file(path, found.content, mode, owner)
        elif found is not None and found.type == "directory":
            node.files.put_directory(path, mode, owner)

    return do


def account(node: Node) -> None:
    node.files.users["docker"] = node.files.groups["docker"] = 100


def link(name: str, kind: str, address: str, up: bool) -> Damage:
    def do(node: Node) -> None:
        if name in node.links.table:
            if not node.links.table[name].kind:
                return
            node.links.delete(name)
        if kind == "bridge":
            node.links.add_bridge(name)
        elif kind:
            node.links.add(name, kind, up=False)
        else:
            node.links.add(name, "", up=False)
        if address:
            node.links.add_address(name, address)
        if up:
            node.links.set_up(name)

    return do


def no_link(name: str) -> Damage:
    def do(node: Node) -> None:
        found = node.links.table.get(name)
        if found is not None and found.kind:
            node.links.delete(name)

    return do


def another_address(name: str, address: str) -> Damage:
    def do(node: Node) -> None:
        found = node.links.table.get(name)
        if found is not None and address not in found.addresses:
            node.links.add_address(name, address)

    return do


def mtu(name: str, value: int) -> Damage:
    return lambda node: node.links.set_mtu(name, value) if name in node.links.table else None


def port(name: str, bridge: str) -> Damage:
    def do(node: Node) -> None:
        link(name, "veth", "", True)(node)
        found = node.links.table.get(bridge)
        if found is not None and found.kind == "bridge":
            node.links.attach(bridge, name)

    return do


def route(entry: RouteEntry) -> Damage:
    def do(node: Node) -> None:
        there = node.links.routes(entry.destination)
        able = entry.type != "unicast" or (
            (device := node.links.table.get(entry.device)) is not None
            and device.up
            and device.addresses
        )
        if able and not any(one.metric == entry.metric for one in there):
            node.links.added.append(entry)

    return do


def no_routes(node: Node) -> None:
    node.links.added.clear()


def chains(jumps: tuple[str, ...], rules: tuple[str, ...]) -> Damage:
    def do(node: Node) -> None:
        before = node.rules.tables.get(("nft", "nat"), empty("nat"))
        policies = {**before.policies, "SALTERN-A": "-"}
        found = {**before.rules, "SALTERN-A": rules}
        for one in jumps:
            found[one] = (*found.get(one, ()), "-j SALTERN-A")
        node.rules.tables["nft", "nat"] = Table("nat", policies, found)

    return do


def others_rule(node: Node) -> None:
    before = node.rules.tables.get(("nft", "nat"), empty("nat"))
    rules = {**before.rules, "POSTROUTING": (*before.rules.get("POSTROUTING", ()), "-j ACCEPT")}
    node.rules.tables["nft", "nat"] = Table("nat", before.policies, rules)


def iptables(node: Node) -> None:
    node.rules.installed = {"nft", "legacy"}


def flushed(node: Node) -> None:
    node.rules.tables.clear()


def docker(running: bool) -> Damage:
    def do(node: Node) -> None:
        node.packages.put("docker.io", "1")
        node.files.put_file("/usr/sbin/dockerd", b"dockerd 1")
        node.units.install(DOCKER, DOCKER_FILE)
        if running and node.units.state(DOCKER).load == "loaded":
            node.units.start(DOCKER)

    return do


def unit(name: str, what: str) -> Damage:
    def do(node: Node) -> None:
        state = node.units.state(name)
        if what == "mask":
            node.units.mask(name)
        elif what == "crash" and state.active == "active":
            node.units.crash(name)
        elif what == "stop" and state.active == "active":
            node.units.stop(name)
        elif what == "reload daemon":
            node.units.reload_daemon()
        elif state.load == "loaded":
            if what == "restart":
                node.units.restart(name)
            elif what == "disable":
                node.units.disable(name)

    return do


def sysctl(key: str, value: str | None) -> Damage:
    def do(node: Node) -> None:
        if key not in node.sysctls.values:
            return
        if value is None:
            node.sysctls.values.pop(key, None)
        else:
            node.sysctls.values[key] = value

    return do


def module(name: str) -> Damage:
    return lambda node: node.modules.load(name)


def swapping(node: Node) -> None:
    node.swaps.areas.add("/dev/sda2")


def package(name: str, version: str | None, half: bool = False) -> Damage:
    def do(node: Node) -> None:
        if version is None:
            node.packages.installed.pop(name, None)
            return
        node.packages.put(name, version)
        if half:
            node.packages.half.add(name)

    return do


def image(config: str | None) -> Damage:
    def do(node: Node) -> None:
        if config is None:
            node.images.digests.pop("pause:1", None)
        else:
            node.images.put("pause:1", config)

    return do


def unreachable(node: Node) -> None:
    node.certificates.unreachable = "the master was not heard"


def later(node: Node) -> None:
    node.certificates.now += 300 * 86400


def no_blob(name: str) -> Damage:
    def do(node: Node) -> None:
        node.blobs.contents.pop(name, None)

    return do
