"""A survey -> the part of a cluster file that holds the node as it is. Pure.

Why every resource stands by itself, under a node that is "bare": an expansion comes whole, with a
record of what its units were started with (a restart), and a range of pods that the master cuts.
So none of them is ever what hands have made; expansions.py says how they would differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec.structs import replace as replace_struct
from saltern_protocol.documents import MAX_BODY_BYTES
from saltern_protocol.policy import Allow, Claim, allowed
from saltern_protocol.reading import AnyFact, LinkFact, PathFact, Unread
from saltern_protocol.wire import pack
from saltern_states.file import File
from saltern_states.kinds import kind_of

from saltern_master.adopt.expansions import otherwise
from saltern_master.adopt.files import path_resources
from saltern_master.adopt.machine import machine_resources
from saltern_master.adopt.part import Found, Held, Left, Part, claims_of
from saltern_master.adopt.units import unit_resources
from saltern_master.api.surveys import SurveyView
from saltern_master.cluster.model import OwnResource

ROOM: Final = MAX_BODY_BYTES - 16 * 1024
"""Bytes of a body that an adoption fills at most: something else may have to stand beside it."""
UPLINKS: Final = ("cbr0", "cni0", "docker0", "flannel.1", "kube-bridge", "weave")


def describe(view: SurveyView, address: str) -> Part:
    """Give the part. `address`: the node's own; "": that of its uplink."""
    paths = {fact.path: fact for fact in view.facts if isinstance(fact, PathFact)}
    found: list[Held | Left] = [
        *path_resources(paths),
        *machine_resources(view.facts, paths),
        *(Left(fact.what, fact.why) for fact in view.facts if isinstance(fact, Unread)),
    ]
    files = [one for one in found if isinstance(one, Held) and isinstance(one.resource.spec, File)]
    found += unit_resources(view.facts, files)
    sifted = list(_within_policy(_once(found), view.allow))
    kept, left = _within_room(one for one in sifted if isinstance(one, Held))
    return Part(
        node=view.node,
        address=address or address_of(view.facts),
        held=_with_known_afters(kept),
        left=(*(one for one in sifted if isinstance(one, Left)), *left),
        hints=(*_held_hint(view), *_policy_hint(found, view), *otherwise(view, paths)),
    )


def without(part: Part, why: Mapping[str, str]) -> Part:
    """Leave resources out, by id: what a plan would change there is told as the reason."""
    gone = [one for one in part.held if one.resource.id in why]
    left = (Left(one.resource.id, why[one.resource.id]) for one in gone)
    kept = tuple(one for one in part.held if one.resource.id not in why)
    return Part(part.node, part.address, _with_known_afters(kept), (*part.left, *left), part.hints)


def address_of(facts: Iterable[AnyFact]) -> str:
    """Give the first address of the uplink; "" where none was told."""
    links = (one for one in facts if isinstance(one, LinkFact) and one.name not in UPLINKS)
    return next((one.addresses[0].partition("/")[0] for one in links if one.addresses), "")


def _once(found: Iterable[Held | Left]) -> Found:
    """Of two that want one thing the first is held: the same file may be told by two names."""
    taken: dict[str, str] = {}
    for one in found:
        if isinstance(one, Left):
            yield one
            continue
        wanted = (f"id {one.resource.id}", *claims_of(one))
        other = next((taken[claim] for claim in wanted if claim in taken), "")
        if other:
            yield Left(one.resource.id, f"{other} holds it already")
        else:
            taken |= dict.fromkeys(wanted, one.resource.id)
            yield one


def _within_policy(found: Iterable[Held | Left], allow: Allow) -> Found:
    for one in found:
        beyond = outside(one, allow) if isinstance(one, Held) else ()
        if beyond and isinstance(one, Held):
            what = ", ".join(map(str, beyond))
            yield Left(what, "the policy of the node's class does not allow it")
        else:
            yield one


def outside(one: Held, allow: Allow) -> tuple[Claim, ...]:
    """Give what a resource touches that the policy does not allow."""
    spec = one.resource.spec
    return tuple(claim for claim in kind_of(spec).claims(spec) if not allowed(allow, claim))


def _within_room(found: Iterable[Held]) -> tuple[list[Held], list[Left]]:
    """Keep what a body has room for: of what is too much the longest go."""
    every = list(found)
    sizes = {one.resource.id: len(pack(one.resource)) + 64 for one in every}
    whole = sum(sizes.values())
    left: list[Left] = []
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        if whole <= ROOM:
            break
        whole -= sizes[name]
        why = f"{sizes[name]} bytes are more than is left of a node's document"
        left.append(Left(name, why))
    gone = {one.what for one in left}
    return [one for one in every if one.resource.id not in gone], left


def _with_known_afters(kept: Iterable[Held]) -> tuple[Held, ...]:
    """Wait for nothing that is not held."""
    all_kept = tuple(kept)
    known = {one.resource.id for one in all_kept}
    return tuple(Held(_waiting(one.resource, known), one.note) for one in all_kept)


def _waiting(resource: OwnResource, known: set[str]) -> OwnResource:
    after = tuple(name for name in resource.after if name in known)
    return resource if after == resource.after else replace_struct(resource, after=after)


def _held_hint(view: SurveyView) -> Iterator[str]:
    """Say that the node is held already, as far as its document goes."""
    if view.version:
        yield f"{view.node} has a document already (version {view.version}): what that holds is"
        yield "taken back where the new file does not name it, and then the plan is not empty."


def _policy_hint(found: Iterable[Held | Left], view: SurveyView) -> Iterator[str]:
    """Say what to add to the policy, so that what it forbids can be held too."""
    beyond = [claim for one in found if isinstance(one, Held) for claim in outside(one, view.allow)]
    if not beyond:
        return
    yield f"To hold what the policy forbids, add to class {view.node_class} of policy.yaml,"
    yield "run saltern policy, and adopt again:"
    for what in dict.fromkeys(claim.what for claim in beyond):
        names = dict.fromkeys(claim.name for claim in beyond if claim.what == what)
        yield f"  {what}s: {', '.join(names)}" if what != "swap" else "  swap: true"
