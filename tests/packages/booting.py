"""What an image does at its boots: a token that is no good, one that has to wait, and after it.

Both packages are on the one node, so that its master can be away when the node boots.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from saltern_master.lab import Lab

from tests.packages.life import AGENT, JOIN, MASTER
from tests.packages.machine import Administered, Unit

TOKEN: Final = "/etc/saltern/join.token"
BOOT_SECONDS: Final = 150.0  # a try takes one minute, and the boot is over after it


@dataclass(frozen=True)
class Boot:
    """What was seen after one boot."""

    units: Mapping[str, Unit]
    system: str
    journal: str  # of the join, since the machine was made
    token: bool  # is there


@dataclass(frozen=True)
class Booted:
    """All boots, by name."""

    node: Administered
    boots: Mapping[str, Boot]


def booted_with_tokens(node: Administered) -> Booted:
    """Do it all; the master stays away until the machine has asked for it."""
    boots: dict[str, Boot] = {}

    def seen(name: str, system: str) -> None:
        units = {one: node.unit(one) for one in (AGENT, JOIN, MASTER)}
        there = node.machine.exec(["test", "-e", TOKEN]).returncode == 0
        boots[name] = Boot(units, system, node.journal(JOIN), there)

    token = node.must("saltern", "node", "token", "w1", "--class", "worker")
    node.must("systemctl", "disable", "--now", MASTER)
    preseed(node, token[:-5])
    seen("mistyped", reboot(node))
    preseed(node, token)
    seen("master away", reboot(node))
    node.must("systemctl", "enable", "--now", MASTER)
    node.waited("the machine to join", lambda: joined(node), 120)
    seen("master back", "")
    seen("afterwards", reboot(node))
    return Booted(node, boots)


def preseed(node: Administered, token: str) -> None:
    """Do what cloud-init does."""
    node.must("install", "-D", "--mode=600", "/dev/stdin", TOKEN, given=f"{token.strip()}\n")


def reboot(node: Administered) -> str:
    """Boot the machine again; give what systemd says of it."""
    place = node.machine.place
    return Lab(place.lab).reboot(place.node, timeout=BOOT_SECONDS)


def joined(node: Administered) -> bool | None:
    """Tell whether the agent speaks with its master; None: not yet."""
    found = node.status("saltern-agent")
    if isinstance(found, dict) and (found["link"] or {}).get("state") == "up":
        return True
    return None
