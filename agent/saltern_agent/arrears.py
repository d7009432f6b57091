"""Arrears: what the journal did not take yet, in memory, in its order.

* Nothing is dropped. Once more than MAX_WAITING wait, what ends as something before it ended (a
  drift of the same resource, a refusal of the same reason) takes its place and says how often that
  happened: so a fight during a full disk grows no further than a few entries for each resource.
* What says anew what something is takes the place of what said so before it: the first of it and
  the last stay, and what waits of one that never ends grows no further.
* An entry leaves when it was written, and not before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

MAX_WAITING = 1000


@dataclass(frozen=True, slots=True)
class Arrear:
    """One write. It is given what is to be said of those that it took the place of."""

    write: Callable[[str], object]
    of: str = ""  # what it is about: entries of the same belong together
    ends: bool = False  # that with it, all before it of the same is over
    anew: bool = False  # it says all that one before it says that did not begin it
    times: int = 1

    @property
    def note(self) -> str:
        """Say how often it happened; "" for once."""
        return f" (this and its like: {self.times} times)" if self.times > 1 else ""


class Arrears:
    """The writes that wait. One thread uses one Arrears."""

    def __init__(self, most: int = MAX_WAITING) -> None:
        self._most = most
        self._waiting: deque[Arrear] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, one: Arrear) -> None:
        """Have one more wait."""
        if one.anew:
            self._drop_last(one.of)
        if one.ends and len(self._waiting) >= self._most:
            one = self._in_place(one)
        self._waiting.append(one)

    def settle(self) -> None:
        """Write what waits; what raises stays, and all behind it."""
        while self._waiting:
            first = self._waiting[0]
            first.write(first.note)
            self._waiting.popleft()

    def _drop_last(self, of: str) -> None:
        """Take away what was said anew of the same, if that is not over meanwhile."""
        for at in range(len(self._waiting) - 1, -1, -1):
            each = self._waiting[at]
            if each.of == of and each.ends:
                return
            if each.of == of and each.anew:
                del self._waiting[at]
                return

    def _in_place(self, one: Arrear) -> Arrear:
        """Take away what led to an earlier end of the same, and that end; give who counts them."""
        mine = [each for each in self._waiting if each.of == one.of]
        ended = [at for at, each in enumerate(mine) if each.ends]
        if not ended:
            return one
        gone = mine[: ended[-1] + 1]
        left = (each for each in self._waiting if not any(each is other for other in gone))
        self._waiting = deque(left)
        return replace(one, times=one.times + sum(each.times for each in gone if each.ends))
