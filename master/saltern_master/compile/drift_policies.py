"""What is done about drift of each resource of a node: what a person says, or the usual.

* A group's `drift` names resources by their ids, `*` for any run of characters; where two of its
  patterns name the same, or two groups do, the later one counts.
* What stands at a person's own resource counts more than any group.
* USUAL is what nobody says anything else of: set right, but no more often than a job that undoes
  it each second would have it. Without a bound such a job were a drift each second for ever.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Final

from msgspec.structs import replace
from saltern_states.body import DriftPolicy, Resource

from saltern_master.cluster.faults import Path
from saltern_master.cluster.model import Cluster, Node
from saltern_master.compile.settings import groups_of

USUAL: Final = DriftPolicy(times=100, minutes=10)


def with_policies(
    cluster: Cluster, node: Node, resources: Iterable[Resource], said: Mapping[str, DriftPolicy]
) -> tuple[Resource, ...]:
    """Give each resource its policy; `said`: what stands at a person's own, by id."""
    rules = [rule for _, group in groups_of(cluster, node) for rule in group.drift.items()]
    return tuple(
        replace(one, drift=said[one.id] if one.id in said else _of(one.id, rules))
        for one in resources
    )


def _of(name: str, rules: Iterable[tuple[str, DriftPolicy]]) -> DriftPolicy:
    named = [policy for pattern, policy in rules if fnmatchcase(name, pattern)]
    return named[-1] if named else USUAL


def for_nothing(
    cluster: Cluster, bodies: Mapping[str, Collection[str]]
) -> Iterator[tuple[Path, str]]:
    """Tell of patterns that name nothing. `bodies`: ids by node, of those that are compiled now."""
    meant: dict[tuple[int, str], bool] = {}
    for node in cluster.nodes:
        names = bodies.get(node.name)
        for number, group in groups_of(cluster, node):
            for pattern in group.drift:
                found = names is None or any(fnmatchcase(name, pattern) for name in names)
                meant[number, pattern] = found or meant.get((number, pattern), False)
    for (number, pattern), found in meant.items():
        if not found:
            text = "no resource of these nodes is called so; see the ids with: saltern compile"
            yield ("groups", number, "drift", pattern), text
