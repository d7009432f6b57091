"""What can be wrong, what is told of it, and what is remembered. Times: seconds since 1970.

A trouble is known by its name: event, word, node, subject. Those of one event and word are told
together. Something that happened once (a rollout that is over) is told and not remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

from msgspec import Struct

Event = Literal["alarm", "incident", "drift", "away", "part", "rollout"]
EVENTS: Final[tuple[Event, ...]] = get_args(Event)
Status = Literal["begins", "goes-on", "ended", "happened", "test"]
Name = tuple[str, str, str, str]
Group = tuple[str, str]


class Trouble(Struct, frozen=True, kw_only=True):
    """Something is wrong now."""

    event: Event
    word: str = ""  # what it is, within its event: an alarm's kind, a part's name
    node: str = ""  # "": the whole
    subject: str = ""  # what of the node
    since: float
    why: str
    remedy: str
    personal: bool = False  # by the node's own word alone: known only while it is heard

    @property
    def name(self) -> Name:
        """By what it is known as the same one."""
        return self.event, self.word, self.node, self.subject

    @property
    def group(self) -> Group:
        """With what it is told."""
        return self.event, self.word


class Happened(Struct, frozen=True, kw_only=True):
    """Something happened, once."""

    event: Event
    word: str
    subject: str
    at: float
    why: str
    remedy: str


class Looked(Struct, frozen=True, kw_only=True):
    """What a look found. `unsure`: nodes whose own word is not heard now."""

    troubles: tuple[Trouble, ...] = ()
    happened: tuple[Happened, ...] = ()
    unsure: frozenset[str] = frozenset()


class Held(Struct, frozen=True, kw_only=True):
    """What is remembered of a trouble."""

    trouble: Trouble
    seen: float  # when it was first seen, this time
    told: float = 0.0  # when it was told last; 0: it was not, this time
    gone: float = 0.0  # since when it is not seen any more; 0: it is
    ended: float = 0.0  # when its end was told, or came before it was told
    begins: int = 0  # how often its beginning was told lately


class Memory(Struct, frozen=True, kw_only=True):
    """What the machine remembers. `looked` and `settled` end with the process; all else stays."""

    held: Mapping[Name, Held] = {}
    number: int = 0  # of the newest notice
    until: float = 0.0  # what happened up to then was told; 0: nothing was ever looked at
    looked: float = 0.0
    settled: float = 0.0  # from when on what is seen is believed


class Item(Struct, frozen=True, kw_only=True):
    """One thing of a notice."""

    node: str = ""
    subject: str = ""
    since: float = 0.0
    until: float = 0.0  # of an end: since when it is well
    why: str = ""
    remedy: str = ""
    begins: int = 1  # how often it began lately: more than 1: it comes and goes


class Notice(Struct, frozen=True, kw_only=True):
    """What is told at once. `more`: things of the same kind that are not listed."""

    number: int
    status: Status
    event: Event | Literal["test"]
    word: str
    at: float
    items: tuple[Item, ...]
    more: int = 0
