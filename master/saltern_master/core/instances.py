"""Which processes speak with one key: whether two of them live. Pure.

Every agent draws an `instance` at its start and says it in each Hello. A process that ended never
comes back, so instances follow one another: 1, 1, 2, 3. Where two live with one key, the master
hears the one that said Hello last, asks the other to say it again, and so hears 1, 2, 1, 2, 1.

What looks like it and is not: a Hello that was under way when its process ended and comes after
its successor's (1, 2, 1); the successor is asked to say Hello again, so it is back too
(1, 2, 1, 2). Therefore 1, 2, 1, 2 is no clone yet:

* Of any two instances one ended before the other began, but for one Hello that was under way: so
  between the two there are three changes at most. A fourth (SWINGS) shows that both live.
* One that was heard OFTEN, with others between, is disturbed all the time: by a copy that is
  started for each try.
* What is remembered is bounded: the last MOST changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

SWINGS: Final = 4
OFTEN: Final = 8
MOST: Final = 64


@dataclass(frozen=True, slots=True)
class Instances:
    """Who spoke, oldest first, each as often as it took over from another."""

    told: tuple[bytes, ...] = ()
    cloned: bool = False  # two processes live with this key


def greeted(before: Instances, instance: bytes) -> Instances:
    """Take a Hello."""
    if before.told[-1:] == (instance,):
        return before
    told = (*before.told, instance)[-MOST:]
    return Instances(told, before.cloned or _two_live(told))


def _two_live(told: tuple[bytes, ...]) -> bool:
    """Say so of the one that spoke last and any other."""
    last = told[-1]
    if told.count(last) >= OFTEN:
        return True
    return any(_swings(told, last, other) >= SWINGS for other in set(told) - {last})


def _swings(told: tuple[bytes, ...], one: bytes, other: bytes) -> int:
    """Count the changes between two, whoever else spoke."""
    both = [each for each in told if each in (one, other)]
    return sum(before != after for before, after in pairwise(both))
