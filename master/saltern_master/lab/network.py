"""The lab's bridge: the one link on the host that the lab makes, and its nodes' ends of wires.

A bridge that exists before the lab's record names it is a stranger's, and left alone. A name alone
makes none ours: in another network namespace the same name is another lab's bridge. So a bridge
carries its lab's mark as its alias (ip-link(8)), and what has another is neither used nor removed.
Choosing is pure; the rest runs ip(8). The host's firewall is never touched.
"""

import json
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from saltern_master.commands import CommandError, run
from saltern_master.lab.errors import LabError
from saltern_master.lab.layout import Network

IP = "/usr/sbin/ip"
_CALL_IPTABLES = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


def links() -> tuple[str, ...]:
    """Name the host's links."""
    return tuple(link["ifname"] for link in _json("link", "show"))


def used_subnets() -> tuple[IPv4Network, ...]:
    """Give the subnets that the host has routes to, the default route aside."""
    return subnets_of(_json("-4", "route", "show", "table", "all"))


def subnets_of(routes: Iterable[dict[str, Any]]) -> tuple[IPv4Network, ...]:
    """Read the destinations out of ip(8)'s routes."""
    found = {IPv4Network(route["dst"]) for route in routes if route["dst"] != "default"}
    return tuple(sorted(found))


def check_free(network: Network, names: Iterable[str], used: Iterable[IPv4Network]) -> None:
    """Raise LabError when the bridge's name or its subnet is a stranger's."""
    if network.bridge in names:
        raise LabError(
            f"cannot make the bridge {network.bridge}: a link of that name exists and is not this "
            "lab's; choose another with --bridge, or take the other lab down"
        )
    for subnet in used:
        if subnet.overlaps(network.subnet):
            raise LabError(
                f"cannot use {network.subnet}: this machine has a route to {subnet}; "
                "choose another with --subnet"
            )


def free(names: Iterable[str], used: Iterable[IPv4Network], first: int = 1) -> Network:
    """Choose a bridge and a subnet that nobody has; for tests and for labs side by side.

    The search starts at number `first`: who starts elsewhere does not meet who looks right now.
    """
    names, used = set(names), tuple(used)
    for step in range(254):
        number = (first - 1 + step) % 254 + 1
        network = Network(f"saltern{number}", IPv4Network(f"10.9.{number}.0/24"))
        if network.bridge not in names and not any(s.overlaps(network.subnet) for s in used):
            return network
    raise LabError("cannot find a free subnet in 10.9.0.0/16; take other labs down")


def owner(found: Mapping[str, Any], network: Network, mark: str) -> str:
    """Say whose a link is that has the bridge's name; "" when it is the lab's with this mark.

    A bridge without an alias is ours by its address: a crash came before it was marked, or an
    older version made it.
    """
    alias, address = found.get("ifalias", ""), found.get("address", "")
    if alias == mark or (not alias and address == _address_of(network)):
        return ""
    return f"it is marked {alias!r}" if alias else f"it is unmarked and has the address {address}"


def make(network: Network, mark: str, lock: int) -> None:
    """Make the bridge, or bring what a crash left of it to what it shall be; LabError: not ours.

    `lock` is the lab's: ip(8) holds it too, so that none makes a bridge after its caller's death.
    """
    found = _bridge(network)
    if found is None:
        # With no address of its own a bridge takes its ports' and changes with them.
        mac = ["address", _address_of(network)]
        run([IP, "link", "add", "name", network.bridge, *mac, "type", "bridge"], lock=lock)
    elif whose := owner(found, network, mark):
        raise LabError(
            f"cannot use the bridge {network.bridge}: it is not this lab's ({whose}); bring the "
            "lab up in the network namespace that it was made in, or take it down first"
        )
    run([IP, "link", "set", "dev", network.bridge, "alias", mark], lock=lock)
    run([IP, "link", "set", "dev", network.bridge, "addrgenmode", "none"], lock=lock)
    address = f"{network.host}/{network.subnet.prefixlen}"
    run([IP, "address", "replace", address, "dev", network.bridge], lock=lock)
    run([IP, "link", "set", "dev", network.bridge, "up"], lock=lock)


def remove(network: Network, mark: str, lock: int) -> str | None:
    """Remove the bridge and what is still plugged into it; say so where it is a stranger's."""
    found = _bridge(network)
    if found is None:
        return None
    if whose := owner(found, network, mark):
        return f"left the bridge {network.bridge} alone: it is not this lab's ({whose})"
    for port in _json("link", "show", "master", network.bridge):
        _delete(port["ifname"], lock)
    _delete(network.bridge, lock)
    return None


def unplug(machine: str, lock: int) -> None:
    """Remove the host's end of a dead node's wire; nspawn names it after the machine."""
    name = f"vb-{machine}"
    for link in _json("link", "show"):
        if name in (link["ifname"], *link.get("altnames", ())):
            _delete(link["ifname"], lock)


def _delete(link: str, lock: int) -> None:
    """A wire vanishes by itself with the namespace at its other end, maybe right now."""
    try:
        run([IP, "link", "delete", "dev", link], lock=lock)
    except CommandError:
        if link in links():
            raise


def warning() -> str | None:
    """Say when the host's firewall sees what nodes say to each other."""
    if _CALL_IPTABLES.exists() and _CALL_IPTABLES.read_text().strip() == "1":
        return (
            f"{_CALL_IPTABLES} is 1: this machine's FORWARD chain sees what nodes say to each "
            "other; where it drops, nodes cannot reach each other"
        )
    return None


def _bridge(network: Network) -> dict[str, Any] | None:
    return next((one for one in _json("link", "show") if one["ifname"] == network.bridge), None)


def _address_of(network: Network) -> str:
    return "02:53" + "".join(f":{byte:02x}" for byte in network.host.packed)


def _json(*words: str) -> list[dict[str, Any]]:
    text = run([IP, "-json", *words])
    plain: list[dict[str, Any]] = json.loads(text or "[]")
    return [entry for entry in plain if entry]
