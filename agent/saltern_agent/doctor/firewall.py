"""Traps of the packet filter. Pure.

An ACCEPT in one back end's tables ends nothing in the other's: a packet passes both. So each is
looked at by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from saltern_agent.doctor.surroundings import Filter, Surroundings
from saltern_agent.doctor.trap import Find, Found, Trap, listed

BOTH: Final = ("-s", "-d")


def _forward_drop(seen: Surroundings) -> Iterator[Found]:
    """What is forwarded is dropped, and nothing lets the pods' packets through: docker 1.13 and
    later set this policy when they turn forwarding on.

    Saltern's own chain lets them through, in the back end that it was declared for; a policy of
    the other back end's, or a rule that drops before that chain is asked, it does not touch.

    Sources: kubernetes/kubernetes#40182, moby/moby PR#28257, flannel-io/flannel PR#872
    """
    declared = seen.declared
    if declared.there and not declared.kubernetes:
        return
    for one in seen.filters:
        held = declared.lets_through and one.backend == declared.backend
        if one.forward == "DROP" and not held and not _lets_through(one, declared.pods):
            yield Found(
                f"the policy of FORWARD is DROP (iptables-{one.backend}), and no rule lets pods' "
                "packets through",
                f"iptables-{one.backend} -P FORWARD ACCEPT, and see who sets it at boot (docker "
                'without "iptables": false, ufw, an iptables-restore)'
                + ("" if declared.there else "; Saltern's own chain will let pods through"),
                bad=declared.there,
            )
        if one.blocks and declared.kubernetes:
            yield Found(
                f"FORWARD (iptables-{one.backend}) has before any rule that lets pods through: "
                f"{listed(list(one.blocks))}",
                "take that rule away, or put it after SALTERN-FORWARD; its author is the firewall "
                "of this machine",
            )


def _mixed(seen: Surroundings) -> Iterator[Found]:
    """Rules of both back ends of iptables stand side by side, or the command writes the one that
    our chains are not in: each drops for itself, and who looks sees half.

    Sources: kubernetes/kubernetes#71305, kubernetes/kubernetes#112477, kubernetes/website PR#16271
    """
    full = [one for one in seen.filters if one.rules]
    backend = seen.declared.backend
    if len(full) > 1:
        other = next((one.backend for one in full if one.backend != (backend or seen.iptables)), "")
        counts = ", ".join(f"{one.rules} of {one.backend}" for one in full)
        yield Found(
            f"both back ends of iptables have rules: {counts}",
            f"iptables-{other}-save shows the others; flush them (iptables-{other} -F, -t nat -F) "
            "and see who makes them: update-alternatives --display iptables",
        )
    if backend and seen.iptables and seen.iptables != backend:
        yield Found(
            f"iptables writes the tables of {seen.iptables}, and the declared chains are in those "
            f"of {backend}",
            f"update-alternatives --set iptables /usr/sbin/iptables-{backend}; or plan the cluster "
            "file again, which takes over what the node tells now",
        )


def _firewall(seen: Surroundings) -> Iterator[Found]:
    """Another program owns the packet filter: at its reload the rules of kube-proxy and of
    hostPorts are gone, and some never return.

    Sources: rancher/rke2#10469, k3s-io/k3s#7542, containernetworking/plugins#512, moby/moby#15254
    """
    if seen.firewalls and (seen.declared.kubernetes or not seen.declared.there):
        stop = " ".join(seen.firewalls)
        yield Found(
            f"the firewall of {listed(list(seen.firewalls))} is on",
            f"systemctl disable --now {stop}; what is to be kept out, keep out by a `chain` of "
            "your own in the cluster file",
        )


def _lets_through(one: Filter, pods: str) -> bool:
    if not pods:
        return False
    return all(f"{way} {pods}" in one.accepts or way in one.accepts for way in BOTH)


FIREWALL: Final[tuple[Trap, ...]] = tuple(
    Trap(name, find)
    for name, find in dict[str, Find](
        {"forward-drop": _forward_drop, "iptables-mixed": _mixed, "firewall": _firewall}
    ).items()
)
