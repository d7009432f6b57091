"""What a change may touch on a node in memory, and what must be there after it: by hand.

Held against snapshots that ask no port (plan_nodes.py), so that a change which does more than its
line says is found, whatever the kind and the engine think of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any

from saltern_states.contract import Change
from saltern_states.testing.files import Node as Standing
from saltern_states.unit_changes import EnableUnit, UnmaskUnit

from tests.agent.plan_nodes import Snapshot, difference

One = Any  # a change of any kind: which fields it has, its tag says
RECORDS = "path /run/saltern/started"
PACKAGE = (
    "path /etc/docker",
    "path /usr/*/docker*",
    "account docker",
    "enabled docker.service",
    "iptables",
)


def _path(one: One) -> tuple[str, ...]:
    return (f"path {one.path}",)


def _tree(one: One) -> tuple[str, ...]:
    return (f"path {one.path}", f"path {one.path}/*")


def _started(one: One) -> tuple[str, ...]:
    return (
        f"unit {one.unit}",
        RECORDS,
        f"{RECORDS}/{one.unit}*",
        "path /run/saltern",
        "path /var*",
    )


def _link(one: One) -> tuple[str, ...]:
    return (f"link {one.name}", f"sysctl net.ipv4.conf.{one.name}.*")


def _link_and_routes(one: One) -> tuple[str, ...]:
    return (*_link(one), f"route *device='{one.name}'*", "port *")


def _route(one: One) -> tuple[str, ...]:
    named = [route for route in (getattr(one, "was", None), getattr(one, "route", None)) if route]
    return tuple(f"route *'{route.destination}'*protocol={route.protocol}*" for route in named)


def _chain(one: One) -> tuple[str, ...]:
    jump = getattr(one, "jump", None)
    chains = {one.name, *one.jumps, *([jump.chain] if jump else [])}
    return tuple(f"chain {one.backend} {one.table} {chain}" for chain in chains)


TOUCHES: Mapping[str, Callable[[One], tuple[str, ...]]] = {
    **dict.fromkeys(
        ("write-file", "set-access", "remove-path", "make-directory", "make-drop-in-directory"),
        _path,
    ),
    **dict.fromkeys(("write-blob", "write-secret", "make-key", "request-certificate"), _path),
    **dict.fromkeys(("unpack", "remove-tree"), _tree),
    "set-sysctl": lambda one: (f"sysctl {one.key}",),
    "load-module": lambda one: (f"module {one.name}", "sysctl net.bridge.*"),
    "swap-off": lambda one: (f"swap {one.name}",),
    "install-packages": lambda one: (
        *(f"{what} {each.name}" for each in one.packages for what in ("package", "half")),
        *PACKAGE,
    ),
    **dict.fromkeys(("upgrade-agent", "await-upgrade"), lambda _one: ()),  # another process does it
    "remove-package": lambda one: (f"package {one.name}",),
    **dict.fromkeys(("start-unit", "restart-unit", "reload-unit"), _started),
    "stop-unit": lambda one: (f"unit {one.unit}",),
    **dict.fromkeys(("enable-unit", "disable-unit"), lambda one: (f"enabled {one.unit}",)),
    "unmask-unit": lambda one: (f"masked {one.unit}",),
    "reload-daemon": lambda _one: (),
    **dict.fromkeys(("make-bridge", "set-mtu", "set-promiscuous", "add-address", "set-up"), _link),
    **dict.fromkeys(("delete-address", "delete-link"), _link_and_routes),
    "attach-port": lambda one: (f"port {one.port}",),
    **dict.fromkeys(("add-route", "replace-route", "remove-route"), _route),
    **dict.fromkeys(("write-chain", "delete-chain"), _chain),
    **dict.fromkeys(("load-image", "remove-image"), lambda one: (f"image {one.name}",)),
}
"""Tag of a change -> patterns of what it may touch, by the names in a snapshot."""


def tag(change: Change) -> str:
    """Give the change's tag."""
    return str(change.__struct_config__.tag)


def untold(before: Snapshot, after: Snapshot, made: Iterable[Change]) -> set[str]:
    """Name what moved and no change says so."""
    patterns = [pattern for change in made for pattern in TOUCHES[tag(change)](change)]
    return {
        name
        for name in difference(before, after)
        if not any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)
    }


def unlike(after: Snapshot, made: Sequence[Change]) -> list[str]:
    """Name what is not as the last change of it said: to the byte, where the change says that.

    What a mask hid may turn out to be static: enabling that leaves nothing.
    """
    unmasked = {one.unit for one in made if isinstance(one, UnmaskUnit)}
    return [
        str(change)
        for number, change in enumerate(made)
        if not _overtaken(change, made[number + 1 :])
        and not _is_done(after, change)
        and not (isinstance(change, EnableUnit) and change.unit in unmasked)
    ]


def _overtaken(change: Change, later: Sequence[Change]) -> bool:
    own = TOUCHES[tag(change)](change)[:1]
    patterns = [pattern for other in later for pattern in TOUCHES[tag(other)](other)]
    return any(
        name == pattern or fnmatchcase(name, pattern) for name in own for pattern in patterns
    )


def _is_done(after: Snapshot, one: One) -> bool:
    check = LEAVES.get(tag(one))
    return check is None or bool(check(one, after.get(TOUCHES[tag(one)](one)[0])))


def _holds(content: str, one: One, there: object) -> bool:
    found = sha256(there.content).hexdigest() if isinstance(there, Standing) else ""
    return found == content and _has_access(one, there)


def _has_access(one: One, there: object) -> bool:
    return isinstance(there, Standing) and there.mode == one.mode


def _nothing(_one: One, there: object) -> bool:
    return there is None


LEAVES: Mapping[str, Callable[[One, object], bool]] = {
    "write-file": lambda one, there: _holds(sha256(one.content).hexdigest(), one, there),
    "write-blob": lambda one, there: _holds(one.blob, one, there),
    "set-access": _has_access,
    "make-directory": _has_access,
    **dict.fromkeys(("remove-path", "remove-tree", "swap-off", "remove-image"), _nothing),
    "remove-package": _nothing,
    "set-sysctl": lambda one, there: there == one.value,
    "load-image": lambda one, there: there == f"sha256:{one.config}",
    "enable-unit": lambda _one, there: there is True,
    "disable-unit": _nothing,
    "unmask-unit": _nothing,
    "load-module": lambda _one, there: there == "loaded",
    "make-bridge": lambda one, there: one.address in getattr(there, "addresses", ()),
    "set-mtu": lambda one, there: getattr(there, "mtu", 0) == one.mtu,
    "delete-link": _nothing,
    "attach-port": lambda one, there: there == one.name,
}
"""Tag of a change -> whether what stands there is what the change was to leave."""
