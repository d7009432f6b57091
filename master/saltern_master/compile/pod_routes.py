"""pod-routes: the ways to the pods of all other nodes, where the nodes themselves hold them.

One resource of a node, so another node in the cluster changes one resource here and restarts
nothing; and nothing at all where the network is external.

no-metadata: a cloud gives its machines credentials at 169.254.169.254, which are nothing for
pods; and a kubelet of before 1.24 asks there for some when it starts, 6 s where nobody answers.
"""

from __future__ import annotations

from saltern_states.body import Resource
from saltern_states.pod_routes import PodRoute, PodRoutes
from saltern_states.route import Route

from saltern_master.compile.node import NodeInput, resource

PART = "network"
METADATA = "169.254.169.254/32"


def pod_routes(given: NodeInput) -> tuple[Resource, ...]:
    """Give the routes of a node in a cluster with a control plane."""
    if given.control is None:
        return ()
    nowhere = Route(destination=METADATA, type="unreachable")
    no_metadata = resource(PART, "no-metadata", nowhere)
    if given.network.mode == "external":
        return (no_metadata,)
    routes = sorted(PodRoute(destination=one.pods, via=one.address) for one in given.peers)
    return no_metadata, resource(PART, "pod-routes", PodRoutes(routes=tuple(routes)))
