"""Lets a cluster work, plants damage twice, and keeps what the master was told of it."""

from __future__ import annotations

import time

import msgspec

from saltern_master.bench.drift.following import Following, following, wall
from saltern_master.bench.drift.ground import client_of, settle
from saltern_master.bench.site import Site
from saltern_master.bench.soak.churn import PAUSE, Churn
from saltern_master.bench.soak.figures import Figures, Planted, false_of, is_of
from saltern_master.lab.fleet import Fleet

FIRST, SECOND = 1 / 3, 29 / 30  # of the time
LAST_LOOK = 65.0  # seconds after the last turn: every node has looked at everything once more
FILE, CHAIN = "/etc/sysctl.d/90-saltern-net.core.somaxconn.conf", "SALTERN-POST"
DAMAGES = {
    FIRST: ("w1", "sysctl/net.core.somaxconn", ("/bin/chmod", "0600", FILE)),
    SECOND: ("w2", f"network/{CHAIN}", ("/usr/sbin/iptables", "-w", "-t", "nat", "-F", CHAIN)),
}


def soak(fleet: Fleet, site: Site, seconds: float) -> Figures:
    """Go on for so many seconds."""
    client, churn = client_of(fleet), Churn(fleet)
    settle(client)
    told = following(client)
    churn.begin()
    began, planted = time.monotonic(), list[Planted]()
    due = dict(DAMAGES)
    fleet.show(f"{seconds:.0f} s of pods that come and go")
    for turn in churn.turns():
        after = time.monotonic() - began
        for part in [part for part in due if part * seconds <= after]:
            planted.append(_plant(fleet, due.pop(part), after))
        if after >= seconds:
            break
        turn()
        time.sleep(PAUSE)
    fleet.show("the last look")
    time.sleep(LAST_LOOK)
    settle(client)
    return Figures(
        site=site,
        seconds=time.monotonic() - began,
        done=churn.done,
        refused=churn.refused,
        planted=tuple(_seen(one, told) for one in planted),
        false=false_of(tuple(one.drift for one in told.told), tuple(planted)),
    )


def _plant(fleet: Fleet, damage: tuple[str, str, tuple[str, ...]], after: float) -> Planted:
    node, resource, command = damage
    fleet.show(f"planted after {after:.0f} s: {node} {' '.join(command)}")
    at = wall()
    fleet.node(node).must(*command)
    return Planted(at=at, after=after, node=node, resource=resource)


def _seen(planted: Planted, told: Following) -> Planted:
    mine = [one for one in told.told if is_of(one.drift, planted)]
    if not mine:
        return planted
    healed = any(one.drift.healed for one in mine)
    return msgspec.structs.replace(planted, told=mine[0].at, healed=healed)
