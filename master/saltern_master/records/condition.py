"""What each node told last of its parts and its traps, and when it came, by the master's clock."""

from __future__ import annotations

from saltern_protocol import messages
from saltern_protocol.condition import Finding, Part

from saltern_master.records.codec import Record, every, put
from saltern_master.store import Put, Store

PREFIX = "condition/"
MICRO = 1_000_000


class Condition(Record, frozen=True):
    """Told by the node, but for `seen_at`: seconds since 1970 on the master."""

    node: str
    seen_at: float
    at_us: int  # by the node's own clock, as are the parts' times
    parts: tuple[Part, ...] = ()
    findings: tuple[Finding, ...] = ()

    def since(self, part: Part) -> float:
        """Give since when a part is so, by the master's clock, however wrong the node's is.

        Never before 1970: of what a node says no time may come that cannot be shown as a date.
        """
        return max(0.0, self.seen_at - max(0, self.at_us - part.since_us) / MICRO)

    def says(self, other: Condition | None) -> bool:
        """Tell whether it says the same as another one."""
        return other is not None and (self.parts, self.findings) == (other.parts, other.findings)


def condition_of(node: str, told: messages.Condition, now: float) -> Condition:
    """Give the record of what a node told; a part that it names twice counts once."""
    parts = {one.name: one for one in reversed(told.parts)}
    named = tuple(dict.fromkeys(one.name for one in told.parts))
    return Condition(
        node=node,
        seen_at=now,
        at_us=told.at_us,
        parts=tuple(parts[name] for name in named),
        findings=told.findings,
    )


def condition_key(node: str) -> str:
    """Where a node's condition stands."""
    return PREFIX + node


def put_condition(condition: Condition) -> Put:
    """Give its write."""
    return put(condition_key(condition.node), condition)


def every_condition(store: Store) -> tuple[Condition, ...]:
    """Give the condition of all nodes."""
    return every(store, PREFIX, Condition)
