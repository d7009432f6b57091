"""masquerade: pods reach what is outside under their node's address, and each other as themselves.

SALTERN-POST in nat: what this node's pods send out of network.pods. With a source (the
guide's rule has none), so that the node's own traffic is left alone; this node's own range,
so that what passes through from another node's pods is masqueraded once, over there.
SALTERN-FORWARD in filter: docker runs with iptables=false and another tool may have set the
policy of FORWARD to DROP, so what comes from pods or goes to them is let through.

Rules are written as iptables-save (1.8.9, both back ends) prints them.
"""

from __future__ import annotations

from saltern_states.body import Resource
from saltern_states.chain import Chain, Jump

from saltern_master.compile.node import NodeInput, package, resource

PART = "network"


def masquerade(given: NodeInput) -> tuple[Resource, ...]:
    """Give iptables, the chain in filter and, unless masquerade is "none", the one in nat."""
    iptables = resource(PART, "iptables", package("iptables", given.stock))
    pods = given.network.pods
    forward = Chain(
        table="filter",
        name="SALTERN-FORWARD",
        rules=(f"-s {pods} -j ACCEPT", f"-d {pods} -j ACCEPT"),
        jump=Jump(chain="FORWARD"),
        backend=given.facts.iptables_backend,
    )
    post = Chain(
        table="nat",
        name="SALTERN-POST",
        rules=(f"-s {given.pods} ! -d {pods} -m addrtype ! --dst-type LOCAL -j MASQUERADE",),
        jump=Jump(chain="POSTROUTING"),
        backend=given.facts.iptables_backend,
    )
    chains = (forward, post) if given.network.masquerade == "outside" else (forward,)
    return (iptables, *(resource(PART, one.name, one, [iptables.id]) for one in chains))
