"""agent -> the release of the agent that a node shall have, of those that the library has.

* A release is built for one Python and one architecture: a node is given the one of its own, as its
  facts tell them. Where a node has told no Python yet, a version that has one package is that one.
* It stands last in a body and waits for nothing: what it is to mend may be why something fails.
* It stays where it is when nobody names a release any more.
"""

from __future__ import annotations

from typing import Final

from saltern_states.agent import Agent
from saltern_states.body import Resource

from saltern_master.cluster.model import AgentPart
from saltern_master.compile.facts import Facts
from saltern_master.library.values import Index, Release

PART: Final = "agent"
ID: Final = "agent/release"
ANY: Final = ("all", "any")


def agent(want: AgentPart, facts: Facts, stock: Index) -> Resource | str:
    """Give the resource, or why there is none."""
    found = candidates(want, facts, stock)
    if len(found) != 1:
        return _lacking(want, facts, stock) if not found else _ambiguous(want, found)
    (release,) = found
    return Resource(
        id=ID,
        spec=Agent(version=release.package, deb=release.sha256, attempt=want.attempt),
        part_of=PART,
        drift=want.drift,
        on_removal="keep",
    )


def candidates(want: AgentPart, facts: Facts, stock: Index) -> tuple[Release, ...]:
    """Give the packages of a release that are for such a node."""
    return tuple(
        one
        for one in stock.releases
        if one.version == want.version
        and one.architecture in (facts.go_architecture, *ANY)
        and facts.python_minor in (one.python, "")
    )


def _lacking(want: AgentPart, facts: Facts, stock: Index) -> str:
    known = ", ".join(sorted({one.version for one in stock.releases})) or "none yet"
    python = f"Python {facts.python_minor or 'of any version'}"
    return (
        f"there is no agent {want.version} for {python} on {facts.go_architecture} in the library "
        f"(it has: {known}); run: saltern releases add FILE.deb"
    )


def _ambiguous(want: AgentPart, found: tuple[Release, ...]) -> str:
    pythons = ", ".join(one.python for one in found)
    return (
        f"this node has not told its Python yet, and agent {want.version} is there for {pythons}; "
        "let it join first"
    )
