"""What describes a node: the resources that hold it as it is, and what is left out, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from saltern_states.contract import Spec
from saltern_states.kinds import kind_of

from saltern_master.cluster.model import OwnResource


@dataclass(frozen=True, slots=True)
class Held:
    """A resource, and what is to be known of it (a comment in the file)."""

    resource: OwnResource
    note: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """What was found and is not held: it stays where and as it is."""

    what: str
    why: str


Found = Iterator[Held | Left]


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a cluster file that describes one node."""

    node: str
    address: str
    held: tuple[Held, ...] = ()
    left: tuple[Left, ...] = ()
    hints: tuple[str, ...] = ()  # what a person may do next


def held(name: str, spec: Spec, note: str = "", after: tuple[str, ...] = ()) -> Held:
    """Give a resource that stays when it leaves the file: it was there before Saltern came."""
    return Held(OwnResource(id=name, spec=spec, after=after, on_removal="keep"), note)


def claims_of(one: Held) -> tuple[str, ...]:
    """Name what a resource would have for itself."""
    return kind_of(one.resource.spec).alone(one.resource.spec)
