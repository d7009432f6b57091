"""Who is waited for, said where nothing happens and nobody sees a live line.

After QUIET seconds without an event it is said, and each AGAIN seconds from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final

from saltern_master.api.service import TurnNode
from saltern_master.cli.folding import folded

QUIET: Final = 10.0
AGAIN: Final = 30.0
Waiting = Iterable[TurnNode]


class Quiet:
    """How long it has been quiet, and when that was told last. Times are those of `clock`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._next = clock() + QUIET

    def heard(self) -> None:
        """Something happens now."""
        self._next = self._clock() + QUIET

    def is_due(self) -> bool:
        """Tell whether it is to be told now; it counts as told then."""
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + AGAIN
        return True


def waits_line(nodes: Waiting, connected: Collection[str] | None) -> str:
    """Say who is waited for; "" for nobody. `connected`: None where that is not known. Pure."""
    names = [one.node for one in nodes if one.result == "waiting"]
    if not names:
        return ""
    away = [name for name in names if connected is not None and name not in connected]
    here = [name for name in names if name not in away]
    told = [f"{part} (not connected)" for part in folded(away).split(", ") if part]
    return "waits for " + ", ".join([*told, *([folded(here)] if here else [])])
