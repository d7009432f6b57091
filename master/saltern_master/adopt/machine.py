"""Kernel, packages, swap, links and routes of a reading -> resources, or why not. Pure.

* A parameter is held where a file of the node sets it to what it has now, or the pods' network
  needs it. `persist: false`: the file that sets it at boot is the hand's, and is held itself.
* A rule in a built-in chain is nobody's own: Saltern holds whole chains of its own name alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from saltern_protocol.reading import (
    AnyFact,
    LinkFact,
    ModuleFact,
    PackageFact,
    PathFact,
    RouteFact,
    RuleFact,
    SwapFact,
    SysctlFact,
)
from saltern_states.bridge import Bridge
from saltern_states.contract import Spec
from saltern_states.kernel_module import KernelModule, saved_path
from saltern_states.package import Package
from saltern_states.route import PROTOCOL as OURS
from saltern_states.swap import Swap
from saltern_states.sysctl import Sysctl
from saltern_states.sysctl import saved_path as saved_sysctl

from saltern_master.adopt.part import Found, Held, Left, held

NEEDED: Final = (
    "net.bridge.bridge-nf-call-ip6tables",
    "net.bridge.bridge-nf-call-iptables",
    "net.ipv4.ip_forward",
)
BRIDGE: Final = "cbr0"
PORTS: Final = "veth*"


def machine_resources(facts: tuple[AnyFact, ...], paths: Mapping[str, PathFact]) -> Found:
    """Give what the machine itself has."""
    wanted = {**dict.fromkeys(NEEDED, "1"), **sysctls_set(paths.values())}
    for fact in facts:
        match fact:
            case SysctlFact():
                yield from _sysctl(fact, wanted, paths)
            case ModuleFact():
                yield from _module(fact, paths)
            case PackageFact():
                yield _checked(f"adopted/package/{fact.name}", Package, {"name": fact.name})
            case SwapFact():
                yield _swap(fact)
            case LinkFact():
                yield from _link(fact)
            case RouteFact():
                yield from _route(fact)
            case RuleFact():
                yield _rule(fact)


def sysctls_set(files: Iterable[PathFact]) -> dict[str, str]:
    """Give the parameters that files of sysctl.d(5) set, by dotted key; the later file counts."""
    found: dict[str, str] = {}
    texts = sorted((_place(one.path), one.text) for one in files if one.text is not None)
    for place, text in texts:
        for line in text.splitlines() if place else ():
            key, mark, value = line.strip().removeprefix("-").partition("=")
            if mark and not line.strip().startswith(("#", ";")):
                found[_dotted(key.strip())] = " ".join(value.split())
    return found


def _place(path: str) -> str:
    """Give what settings are ordered by; "": it is none of theirs.

    /etc/sysctl.conf is read last of all (sysctl(8)), or as 99-sysctl.conf, a link to it.
    """
    if path == "/etc/sysctl.conf":
        return "99-sysctl.conf"
    name = path.removeprefix("/etc/sysctl.d/")
    return name if name != path and name.endswith(".conf") and "/" not in name else ""


def _dotted(key: str) -> str:
    """Where the first separator is a slash, slashes part the names (sysctl.d(5))."""
    dot, slash = key.find("."), key.find("/")
    if slash >= 0 and (dot < 0 or slash < dot):
        return key.translate({ord("/"): ".", ord("."): "/"})
    return key


def _sysctl(fact: SysctlFact, wanted: Mapping[str, str], paths: Mapping[str, PathFact]) -> Found:
    live = " ".join(fact.value.split())
    if fact.key not in wanted:
        return  # nobody set it: it is as the kernel has it
    if live != wanted[fact.key]:
        why = f"it is {live!r} now, and {wanted[fact.key]!r} is what a file or the network wants"
        yield Left(f"kernel parameter {fact.key}", f"{why}; set one of them right, and read again")
        return
    saved = paths.get(str(saved_sysctl(fact.key)))
    fields = {"key": fact.key, "value": live, "persist": _is_saved(saved, f"{fact.key} = {live}\n")}
    yield _checked(f"adopted/sysctl/{fact.key}", Sysctl, fields)


def _is_saved(saved: PathFact | None, text: str) -> bool:
    """Tell whether Saltern's own drop-in is there already, to the byte."""
    access = ("0644", "root", "root")
    return (
        saved is not None
        and saved.text == text
        and (f"{saved.mode:04o}", saved.owner, saved.group) == access
    )


def _module(fact: ModuleFact, paths: Mapping[str, PathFact]) -> Found:
    if fact.state == "absent":
        return
    ours = paths.get(str(saved_path(fact.name)))
    persist = fact.state == "loaded" and _is_saved(ours, f"{fact.name}\n")
    fields = {"name": fact.name, "persist": persist}
    yield _checked(f"adopted/module/{fact.name}", KernelModule, fields)


def _swap(fact: SwapFact) -> Held | Left:
    if not fact.active and not fact.returns:
        return held("adopted/swap", Swap(), "no swap is in use, and fstab brings none back")
    what = f"swap: {', '.join(fact.active) or 'a line of /etc/fstab'}"
    return Left(what, "a swap/1 resource would turn it off, which is a change")


def _link(fact: LinkFact) -> Found:
    if fact.name != BRIDGE:
        if fact.kind == "bridge" or fact.kind == "vxlan":
            yield Left(f"link {fact.name}", "another program makes it, and keeps it")
        return
    if fact.kind != "bridge" or not fact.up or len(fact.addresses) != 1:
        why = "a bridge is held up, with one IPv4 address; this one is "
        state = f"{fact.kind or 'a device'}, {'up' if fact.up else 'down'}"
        yield Left(f"link {fact.name}", f"{why}{state}, with {', '.join(fact.addresses) or 'none'}")
        return
    fields: dict[str, object] = {
        "name": fact.name,
        "address": fact.addresses[0],
        "mtu": fact.mtu,
        "promiscuous": fact.promiscuous,
        "ports": () if fact.loose else (PORTS,),
    }
    note = f"not its ports: {', '.join(fact.loose)} would become some" if fact.loose else ""
    yield _checked(f"adopted/{fact.name}", Bridge, fields, note)


def _route(fact: RouteFact) -> Found:
    if fact.destination == "0.0.0.0/0" or fact.protocol == OURS:
        return
    way = f"via {fact.via}" if fact.via else f"on {fact.device}"
    why = "another's route cannot be held, only one that Saltern makes: take it away, and let"
    yield Left(f"route to {fact.destination} {way}", f"{why} a route/1 resource make it")


def _rule(fact: RuleFact) -> Left:
    is_policy = fact.rule.startswith("policy ")
    said = f"{fact.chain} has {fact.rule}" if is_policy else f"-A {fact.chain} {fact.rule}"
    what = f"iptables ({fact.backend}) {fact.table}: {said}"
    why = "Saltern holds whole chains of its own names alone; this rule stays, and is not held"
    return Left(what, why)


def _checked(name: str, kind: type[Spec], fields: dict[str, object], note: str = "") -> Held | Left:
    """Give the resource, or why no Spec can say it."""
    try:
        spec = msgspec.convert({"kind": kind.__struct_config__.tag, **fields}, kind)
    except (msgspec.ValidationError, ValueError) as error:
        return Left(name.removeprefix("adopted/"), f"no resource can say it: {error}")
    return held(name, spec, note)
