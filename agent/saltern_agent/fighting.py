"""Fighting: which resources somebody else sets back as often as they are set right.

* The policy's `times` in `minutes` bounds the attempts; where they are used up, that is a fight.
* A fight is one incident however long it goes on: each time that the window lets through another
  attempt the resource comes right for a while, and its drift is over only once it has stayed right
  for twice as long as it ever did in this fight, CALM at least and the policy's window at most.
* How long it stays right is known since the agent's start; before that counts as never.
* A clock that was set back makes no fight and no rest longer than one window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from saltern_states.body import DriftPolicy

from saltern_agent.drift import fights

CALM: Final = 10.0  # seconds
EDGE: Final = 0.001  # seconds past the end of a window, which still belongs to it


@dataclass(slots=True)
class Fighting:
    """How long what was set right has stayed so. Seconds, by one clock."""

    attempts: Callable[[str], Iterable[float]]  # by resource
    right: dict[str, float] = field(default_factory=dict)  # since when
    how: dict[str, str] = field(default_factory=dict)  # it came right
    lasted: dict[str, float] = field(default_factory=dict)  # the longest of this fight

    def fought(self, name: str, policy: DriftPolicy, now: float) -> bool:
        """Say whether all attempts are used up."""
        return fights(policy, self.attempts(name), now)

    def wait(self, name: str, policy: DriftPolicy, now: float) -> float:
        """Give the seconds until there may be another attempt; 0: now."""
        if not self.fought(name, policy, now):
            return 0.0
        window = policy.minutes * 60.0
        within = sorted(at for at in self.attempts(name) if now - window <= at <= now)
        return within[-policy.times] + window - now + EDGE

    def off(self, name: str, policy: DriftPolicy, now: float) -> None:
        """It was found not to be as declared."""
        since = self.right.pop(name, None)
        if since is None:
            return
        if 0 <= now - since <= policy.minutes * 60:
            self.lasted[name] = max(now - since, self.lasted.get(name, 0.0))
        else:
            self.lasted.pop(name, None)

    def put_right(self, name: str, how: str, now: float) -> tuple[float, str]:
        """It is as declared; gives since when, and how it came right."""
        if name not in self.right:
            self.right[name], self.how[name] = now, how
        self.right[name] = min(self.right[name], now)
        return self.right[name], self.how[name]

    def unrest(self, name: str, policy: DriftPolicy, now: float) -> float:
        """Give the seconds for which it has to stay right yet, before its fight is over."""
        calm = max(CALM, 2 * self.lasted.get(name, 0.0))
        since = self.right.get(name)
        return 0.0 if since is None else max(0.0, since + min(calm, policy.minutes * 60) - now)

    def over(self, name: str) -> None:
        """Its fight is over: the next one is another."""
        self.right.pop(name, None)
        self.how.pop(name, None)
        self.lasted.pop(name, None)

    def forget(self) -> None:
        """Another body is held."""
        self.right.clear()
        self.how.clear()
        self.lasted.clear()
