"""A node -> facts for its adoption. It reads by the same ports as the kinds, and writes by none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from saltern_protocol.errors import printable
from saltern_protocol.reading import (
    MAX_NAMES,
    MAX_TEXT,
    AnyFact,
    LinkFact,
    ModuleFact,
    PackageFact,
    PathFact,
    RouteFact,
    RuleFact,
    SwapFact,
    SysctlFact,
    UnitFact,
    Unread,
)
from saltern_states import iptables_text
from saltern_states.ports import Backend, Entry, Host, HostError

from saltern_agent.reading import places
from saltern_agent.reading.secret import why_secret

MAX_SHORT: Final = 256
MAX_WHY: Final = 2048
MOST_RULES: Final = 200  # of one table
MOST_ROUTES: Final = 200
DEFAULT: Final = "0.0.0.0/0"
MOST_BYTES: Final = 4 * MAX_TEXT
MOST_READ: Final = 1024 * 1024  # bytes of all texts: more than a node's document could hold
NOT_MINE: Final = ("KUBE-", "SALTERN-", "DOCKER")
"""Chains that a program keeps: kube-proxy's, Saltern's, docker's."""
_SWAP_LINE: Final = re.compile(r"^[^#\s]\S*\s+\S+\s+swap\s", re.MULTILINE)
_TO_PROGRAM: Final = re.compile(r"-j (KUBE-|SALTERN-|DOCKER)")

Program = Callable[[int], str]


def read_node(host: Host, program: Program) -> tuple[AnyFact, ...]:
    """Read all places. `program`: the file that a process runs, "" for none; OSError."""
    parts: dict[str, Callable[[], Iterator[AnyFact]]] = {
        "files": lambda: _paths(host),
        "units": lambda: _units(host, program),
        "kernel parameters": lambda: _sysctls(host),
        "kernel modules": lambda: _modules(host),
        "packages": lambda: _packages(host),
        "links": lambda: _links(host),
        "routes": lambda: _routes(host),
        "swap": lambda: _swap(host),
        "rules of iptables (nft)": lambda: _rules(host, "nft"),
        "rules of iptables (legacy)": lambda: _rules(host, "legacy"),
    }
    facts: list[AnyFact] = []
    for what, part in parts.items():
        try:
            facts += part()
        except (HostError, OSError, ValueError) as error:
            facts.append(_unread(what, error))
    return tuple(facts)


def _unread(what: str, error: Exception | str) -> Unread:
    return Unread(what=what, why=printable(str(error))[:MAX_WHY])


class Room:
    """How many bytes of texts are read yet: what is beyond is not even looked through."""

    def __init__(self) -> None:
        self.left = MOST_READ


def _paths(host: Host) -> Iterator[AnyFact]:
    room = Room()
    units = (f"{folder}/{unit}" for folder in places.UNIT_FOLDERS for unit in places.UNITS)
    single = dict.fromkeys((*units, *places.FILES))
    for path in single:
        yield from _one(host, path, room)
    for path in places.PROGRAMS:
        yield from _one(host, path, room)
    for folder in places.NAMED:
        yield from (fact for fact, _ in _folder(host, folder))
    for folder in places.FOLDERS:
        for fact, names in _folder(host, folder):
            yield fact
            for name in names:
                if f"{folder}/{name}" not in single:
                    yield from _one(host, f"{folder}/{name}", room)


def _folder(host: Host, path: str) -> Iterator[tuple[AnyFact, tuple[str, ...]]]:
    """Give a folder with the names in it, and those of them that can be read."""
    try:
        entry = host.files.look(Path(path))
        is_folder = entry is not None and entry.type == "directory"
        names = host.files.names(Path(path)) if is_folder else ()
    except (HostError, OSError) as error:
        yield _unread(path, error), ()
        return
    if entry is None:
        return
    told = tuple(name for name in names if len(name) <= MAX_SHORT and name.isprintable())
    told = told[:MAX_NAMES]
    yield _fact(path, entry, names=told, more=len(names) - len(told)), told


def _one(host: Host, path: str, room: Room) -> Iterator[AnyFact]:
    """Give what stands at a path, if anything does; of a directory no more than that it is one."""
    try:
        entry = host.files.look(Path(path))
        if entry is None or entry.type == "directory":
            return
        yield _with_text(host, path, entry, room)
    except (HostError, OSError) as error:
        yield _unread(path, error)


def _with_text(host: Host, path: str, entry: Entry, room: Room) -> PathFact:
    """Give a file with its text; where that stays on the node, why, and of secrets no hash."""
    if entry.type != "file":
        return _fact(path, entry, why=f"no regular file ({entry.type})")
    if why := why_secret(path, ""):
        return _fact(path, entry, why=f"secret: {why}")
    if entry.size > min(MOST_BYTES, room.left):
        large = entry.sha256 if entry.size > MOST_BYTES else ""  # of a short one it would tell all
        return _fact(path, entry, sha256=large, why=f"{entry.size} bytes are too many")
    room.left -= entry.size
    text = _text(host.files.read(Path(path)) or b"")
    secret = why_secret(path, text) if text is not None else ""
    if text is None or secret or len(text) > MAX_TEXT:
        why = f"secret: {secret}" if secret else "it is no text, or too much of it"
        return _fact(path, entry, why=why)
    return _fact(path, entry, sha256=entry.sha256, text=text)


def _text(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _fact(
    path: str,
    entry: Entry,
    *,
    sha256: str = "",
    text: str | None = None,
    why: str = "",
    names: tuple[str, ...] = (),
    more: int = 0,
) -> PathFact:
    return PathFact(
        path=path,
        type=entry.type,
        mode=entry.mode,
        owner=entry.owner[:MAX_SHORT],
        group=entry.group[:MAX_SHORT],
        size=entry.size,
        sha256=sha256,
        text=text,
        why=why,
        names=names,
        more=more,
    )


def _units(host: Host, program: Program) -> Iterator[AnyFact]:
    for unit in places.UNITS:
        state = host.units.state(unit)
        if state.load == "not-found" and state.active == "inactive":
            continue
        yield UnitFact(
            unit=unit,
            load=state.load[:MAX_SHORT],
            active=state.active[:MAX_SHORT],
            enabled=state.enabled[:MAX_SHORT],
            needs_reload=state.needs_reload,
            program=_program(host, state.main_pid, program),
        )


def _program(host: Host, pid: int, program: Program) -> str:
    """Give the file that a process runs, where it stands there yet."""
    if pid <= 0:
        return ""
    try:
        path = program(pid)
        whole = path.startswith("/") and len(path) <= MAX_SHORT and path.isprintable()
        return path if whole and host.units.runs_binary(pid, Path(path)) else ""
    except (HostError, OSError):
        return ""


def _sysctls(host: Host) -> Iterator[AnyFact]:
    for key in places.SYSCTLS:
        value = host.sysctls.read(key)
        if value is not None:
            yield SysctlFact(key=key, value=value[:MAX_WHY])


def _modules(host: Host) -> Iterator[AnyFact]:
    for name in places.MODULES:
        yield ModuleFact(name=name, state=host.modules.state(name))


def _packages(host: Host) -> Iterator[AnyFact]:
    for name in places.PACKAGES:
        version = host.packages.version(name)
        if version is not None:
            yield PackageFact(name=name, version=version[:MAX_SHORT])


def _links(host: Host) -> Iterator[AnyFact]:
    loose = host.links.loose_ends()[:MAX_NAMES]
    uplinks = (route.device for route in host.links.routes(DEFAULT) if route.device)
    for name in dict.fromkeys((*places.LINKS, *uplinks)):
        link = host.links.link(name)
        if link is not None:
            yield LinkFact(
                name=name,
                kind=link.kind[:MAX_SHORT],
                up=link.up,
                mtu=link.mtu,
                promiscuous=link.promiscuous,
                addresses=link.addresses[:32],
                loose=loose if link.kind == "bridge" else (),
            )


def _routes(host: Host) -> Iterator[AnyFact]:
    found = [one for number in places.ROUTE_PROTOCOLS for one in host.links.routes_of(number)]
    for one in found[:MOST_ROUTES]:
        yield RouteFact(
            destination=one.destination,
            via=one.via,
            device=one.device,
            metric=one.metric,
            protocol=one.protocol,
            type=one.type,
        )
    if len(found) > MOST_ROUTES:
        yield _unread("routes", f"{len(found) - MOST_ROUTES} more than are told")


def _swap(host: Host) -> Iterator[AnyFact]:
    entry = host.files.look(Path(places.FSTAB))
    table = b""
    if entry is not None and entry.type == "file" and entry.size <= MOST_BYTES:
        table = host.files.read(Path(places.FSTAB)) or b""
    returns = _SWAP_LINE.search(table.decode(errors="replace")) is not None
    active = tuple(name[:MAX_SHORT] for name in host.swaps.active())[:32]
    yield SwapFact(active=active, returns=returns)


def _rules(host: Host, backend: Backend) -> Iterator[AnyFact]:
    """Give the rules that no program keeps, and each chain whose policy is not to accept."""
    for name in places.TABLES:
        text = host.rules.save(backend, name)
        if text is None:
            continue
        found = list(_of_hands(iptables_text.parse(name, text)))
        for chain, rule in found[:MOST_RULES]:
            yield RuleFact(
                backend=backend, table=name, chain=chain[:MAX_SHORT], rule=rule[:MAX_WHY]
            )
        if len(found) > MOST_RULES:
            yield _unread(f"rules of {name}", f"{len(found) - MOST_RULES} more than are told")


def _of_hands(table: iptables_text.Table) -> Iterator[tuple[str, str]]:
    for chain, policy in table.policies.items():
        if policy not in ("ACCEPT", "-"):
            yield chain, f"policy {policy}"
        if not chain.startswith(NOT_MINE):
            yield from (
                (chain, rule) for rule in table.rules.get(chain, ()) if not _TO_PROGRAM.search(rule)
            )
