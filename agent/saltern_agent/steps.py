"""What is to be gone through on a node, and in which order. Pure.

* What the node was given before (`owned`) and the body no longer has is taken back first, in
  the reverse of its own order: a unit is stopped before its files go.
* A resource that keeps its id but now stands elsewhere is taken back where it was; what another
  resource of the new body has is never taken back, whoever owned it before.
  Only where a resource becomes one of another kind is the old one taken back in its own place.
* `on_removal: keep` is forgotten, not removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from saltern_states.body import Body, Resource, taken_by
from saltern_states.contract import Spec
from saltern_states.kinds import kind_of
from saltern_states.order import in_order

Verb = Literal["hold", "remove", "forget"]


@dataclass(frozen=True, slots=True)
class Step:
    """One resource to hold, to take back or to forget."""

    verb: Verb
    resource: Resource
    was: Resource | None = None  # of one to hold: what the node held under its id before

    @property
    def want(self) -> Spec:
        """What is asked for here: what the node held before can have a part in it."""
        want = self.resource.spec
        succeed = kind_of(want).succeed
        if succeed is None or self.was is None or type(self.was.spec) is not type(want):
            return want
        wanted: Spec = succeed(want, self.was.spec)
        return wanted

    @property
    def key(self) -> str:
        """A name that is unique in a list of steps."""
        return self.resource.id if self.verb == "hold" else f"{self.verb} {self.resource.id}"


def steps(body: Body, owned: Mapping[str, Resource]) -> tuple[Step, ...]:
    """Give all steps for a body, on a node that was given `owned` before."""
    wanted = {resource.id: resource for resource in body.resources}
    taken = taken_by(body)
    gone: list[Step] = []
    for name in reversed(in_order({name: one.after for name, one in owned.items()})):
        before = owned[name]
        verb = _verb(before, wanted.get(name), taken)
        if verb is not None:
            gone.append(Step(verb, before))
    return (*gone, *(Step("hold", one, owned.get(one.id)) for one in body.resources))


def _verb(before: Resource, now: Resource | None, taken: Mapping[str, str]) -> Verb | None:
    """Say what becomes of what was given before; None: it is held under the same id."""
    same_kind = now is not None and type(now.spec) is type(before.spec)
    if now is not None and same_kind and set(before.places) <= set(now.places):
        return None
    holders = {taken[place] for place in before.places if place in taken}
    if before.on_removal == "keep" or holders - {before.id}:
        return "forget"
    # Its own successor has the place: one of another kind cannot build on what stands there.
    return "forget" if holders and same_kind else "remove"
