"""All rollouts for which something is still to be done, in memory as in the store.

A change is written before it is taken: what failed to be written did not happen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from saltern_master.api.service import ServiceError
from saltern_master.core.driving.driven import Driven, moved_nodes, of_records, writes
from saltern_master.core.driving.following import RolloutFollowers
from saltern_master.records import rollouts
from saltern_master.rollouts.model import OVER
from saltern_master.store import Store, Write


class Book:
    """Rollouts by number."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self.open: dict[int, Driven] = {}
        self.followers = RolloutFollowers(clock)
        self._store = store
        self._newest = 0
        self._stuck: set[int] = set()

    def load(self) -> None:
        """Read what is open. StoreError."""
        self._newest = rollouts.newest_rollout(self._store)
        for head in rollouts.open_heads(self._store):
            number = head.rollout.number
            self.open[number] = of_records(head, rollouts.read_nodes(self._store, number))

    @property
    def next_number(self) -> int:
        """Give the number of the next one."""
        return self._newest + 1

    @property
    def newest_begun(self) -> int:
        """Give the number of the one that began last; 0: none did. StoreError."""
        heads = rollouts.newest_heads(self._store, rollouts.KEPT)
        begun = [one.rollout for one in heads if one.rollout.revision]
        return max(begun, key=lambda one: (one.began, one.number)).number if begun else 0

    @property
    def going(self) -> Driven | None:
        """Give the one that is not over."""
        found = (one for one in self.open.values() if not one.head.queued and self._goes_on(one))
        return next(found, None)

    @property
    def queued(self) -> tuple[Driven, ...]:
        """Give those that wait for it, the oldest first."""
        return tuple(one for _, one in sorted(self.open.items()) if one.head.queued)

    def give_up(self, number: int) -> None:
        """Note that a rollout cannot be taken back: nobody waits for that any more."""
        self._stuck.add(number)

    def is_given_up(self, number: int) -> bool:
        """Tell whether that was noted."""
        return number in self._stuck

    def write(self, *after: Driven, more: Iterable[Write] = ()) -> None:
        """Commit what these are now, with more. StoreError: nothing changed."""
        parts = [one for each in after for one in writes(self.open.get(each.number), each)]
        for one in after:
            if one.number > self._newest:
                parts += rollouts.outlived(self._store, one.number)
        self._store.commit(*parts, *more)
        for one in after:
            self.take(one)

    def take(self, after: Driven) -> None:
        """Take what a rollout is now; it is in the store."""
        moved = moved_nodes(self.open.get(after.number), after)
        self._newest = max(self._newest, after.number)
        if after.rollout.undo != "wanted":
            self._stuck.discard(after.number)  # who wants it again may have mended what was wrong
        if after.head.open:
            self.open[after.number] = after
        else:
            self.open.pop(after.number, None)
        self.followers.tell(after, moved)

    def read(self, number: int) -> Driven:
        """Give one, also one for which nothing is to be done; 0: see newest. ServiceError."""
        if number == 0:
            going = self.going
            number = going.number if going is not None else self._newest
        known = self.open.get(number)
        if known is not None:
            return known
        head = rollouts.read_head(self._store, number)
        if head is None:
            what = f"rollout {number}" if number else "a rollout: there was none yet"
            raise ServiceError("not-found", f"cannot find {what}; see: saltern rollout list")
        return of_records(head, rollouts.read_nodes(self._store, number))

    def _goes_on(self, one: Driven) -> bool:
        undo = one.rollout.undo == "wanted" and one.number not in self._stuck
        return undo or one.rollout.phase not in OVER
