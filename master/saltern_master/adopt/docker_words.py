"""docker's daemon.json in the words of a cluster file, and each setting that it has none for. Pure.

What Saltern sets by itself (compile/docker.py) is no setting by hand where it is the same here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from saltern_master.cluster.model import Docker

DAEMON: Final = "/etc/docker/daemon.json"
SET_ANYWAY: Final[Mapping[str, object]] = {
    "bridge": "cbr0",
    "ip-masq": False,
    "iptables": False,
    "log-driver": "json-file",
}
READ: Final = frozenset({"default-runtime", "exec-opts", "live-restore", "log-opts", "runtimes"})
FOLLOWS: Final = "mtu"  # from the node's uplink
DRIVER: Final = "native.cgroupdriver="
MOST_DIGITS: Final = 9


def docker_words(text: str) -> tuple[Docker, tuple[str, ...]]:
    """Give docker's settings, and what a cluster file has no words for."""
    options = _json(text)
    if options is None:
        return Docker(), (f"{DAEMON}: it is no JSON map",)
    log = _map(options, "log-opts")
    drivers = [one.removeprefix(DRIVER) for one in _execs(options) if one.startswith(DRIVER)]
    wanted = {
        "liveRestore": options.get("live-restore", False),
        "cgroupDriver": drivers[-1] if drivers else "cgroupfs",
        "logging": _present(maxSize=log.get("max-size"), maxFiles=_number(log.get("max-file"))),
        "runtimes": {
            name: one.get("path")
            for name, one in _map(options, "runtimes").items()
            if isinstance(one, dict)
        },
        "defaultRuntime": options.get("default-runtime", "runc"),
    }
    unsaid = tuple(f"docker's option {one}" for one in _unsaid(options))
    try:
        return msgspec.convert(wanted, Docker), unsaid
    except msgspec.ValidationError as error:
        return Docker(), (*unsaid, f"{DAEMON}: {error}")


def _unsaid(options: Mapping[str, Any]) -> Iterator[str]:
    for name, value in options.items():
        if name in SET_ANYWAY and value != SET_ANYWAY[name]:
            yield f"{name}={_shown(value)}"
        elif name not in SET_ANYWAY and name not in READ and name != FOLLOWS:
            yield name
    yield from (f"exec-opts {one}" for one in _execs(options) if not one.startswith(DRIVER))
    for name, value in _map(options, "log-opts").items():
        if name not in ("max-size", "max-file") or (name == "max-file" and _number(value) is None):
            yield f"log-opts {name}={_shown(value)}"
    for name, one in _map(options, "runtimes").items():
        more = [key for key in one if key != "path"] if isinstance(one, dict) else [_shown(one)]
        yield from (f"runtimes {name}: {key}" for key in more)


def _execs(options: Mapping[str, Any]) -> list[str]:
    found = options.get("exec-opts") or []
    return [_shown(one) for one in (found if isinstance(found, list) else [found])]


def _map(options: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Give a map; what is none is told whole, as if it were the name of a setting in one."""
    found = options.get(name) or {}
    return found if isinstance(found, dict) else {_shown(found): None}


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _present(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _number(value: object) -> int | None:
    """Read a number as docker has them, in quotes; None: it is none, or of no use as one."""
    is_one = isinstance(value, str) and value.isascii() and value.isdecimal()
    return int(str(value)) if is_one and len(str(value)) <= MOST_DIGITS else None


def _json(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
