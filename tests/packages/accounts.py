"""Why a path of a node's file system may differ after a purge: each pattern with its reason.

What is not in here, and was neither there before nor declared by the cluster file, was left behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from tests.packages.machine import Tree

DPKG: Final = {
    r"/var/lib/dpkg/status-old": "dpkg's record of before",
    r"/var/lib/apt/(extended_states|lists/auxfiles)": "apt's own record",
    r"/var/cache/(apt|debconf)/.*": "caches of apt's and debconf's",
    r"/var/log/(dpkg\.log|apt(/.*)?)": "what dpkg and apt logged",
}
SYSTEM: Final = {
    r"/var/log/journal/.*": "the system's journal",
    r"/var/lib/systemd/(random-seed|timers/.*)": "systemd's own",
}
USER: Final = {
    r"/etc/(passwd|group|shadow|gshadow)-?": "the master's user, which stays as Debian has it",
}
KEPT: Final = {
    r"/var/lib/saltern-master(/.*)?": "a cluster's keys and store, which no purge takes",
}


def reasons(
    before: Tree, after: Tree, declared: Iterable[str], *known: Mapping[str, str]
) -> dict[str, str]:
    """Give what differs, and why: "" where there is no reason."""
    patterns = [(re.compile(rf"(?:{one})\Z"), why) for some in known for one, why in some.items()]
    held = set(declared)
    return {
        path: "declared, and left"
        if path in held
        else next((why for pattern, why in patterns if pattern.match(path)), "")
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    }


def unaccounted(
    before: Tree, after: Tree, declared: Iterable[str], *known: Mapping[str, str]
) -> dict[str, str]:
    """Give what differs and has no reason: path -> how."""
    return {
        path: f"{before.get(path, 'nothing')} -> {after.get(path, 'nothing')}"
        for path, why in reasons(before, after, declared, *known).items()
        if not why
    }
