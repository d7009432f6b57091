"""What a node reports and keeps until it is acknowledged: how documents ended, and drift.

* Results and drift share one numbering in the outbox, so that their order is kept.
* Text is shown, never interpreted. Times are microseconds since 1970, by the node's clock.
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Annotated, Final

from msgspec import Meta, Struct

from saltern_protocol.terms import Count, Micro, Natural, ShortText, Text

MAX_DETAIL: Final = 16 * 1024


@unique
class Outcome(StrEnum):
    """How a node's part of a turn ended, as the node tells it."""

    CONVERGED = "converged"  # nothing had to be done
    CHANGED = "changed"
    FAILED = "failed"
    BLOCKED = "blocked"
    REFUSED = "refused"  # the document; nothing was changed
    SUPERSEDED = "superseded"  # a newer document came before this one was through


class Hindrance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A resource that is not as declared, and why."""

    resource: ShortText
    outcome: ShortText  # failed, blocked
    why: Text


class Applied(
    Struct, frozen=True, kw_only=True, tag_field="i", tag="applied", forbid_unknown_fields=True
):
    """A document was gone through."""

    at_us: Micro
    turn: Natural  # 0: nobody on the master asked (a start, a file)
    epoch: Natural
    version: Natural
    body: Annotated[bytes, Meta(max_length=32)]
    outcome: Outcome
    changes: Natural
    took_us: Micro
    reason: ShortText = ""  # of a refusal: the code
    why: Text = ""
    hindrances: Annotated[tuple[Hindrance, ...], Meta(max_length=64)] = ()


@unique
class Nature(StrEnum):
    """Whose doing a drift is."""

    EXTERNAL = "external"  # somebody else's: what drift usually is
    CORRECTIVE = "corrective"  # the agent's own, in the wake of another drift that it set right
    INTENDED = "intended"  # somebody else's while the node was held for that


class DriftSeen(
    Struct, frozen=True, kw_only=True, tag_field="i", tag="drift", forbid_unknown_fields=True
):
    """A resource was found not to be as declared, or an open drift is otherwise by now.

    `found`: what setting it right would do, a line for each change, as a plan says it; `detail`:
    unified diffs of what is there and what is declared, where it is text that may be shown.
    """

    number: Count  # of the drift, in the node's journal
    resource: ShortText
    kind: ShortText
    since_us: Micro
    recorded_us: Micro
    seen: ShortText  # event, look
    found: Annotated[tuple[Text, ...], Meta(max_length=64)]
    detail: Annotated[str, Meta(max_length=MAX_DETAIL)] = ""
    by: ShortText = ""  # "iptables (pid 4711)", where the kernel tells; "": unknown
    nature: Nature = Nature.EXTERNAL
    hindrance: Text = ""  # why it is not set right
    attempts: Natural = 0  # to set it right, of those that its policy counts
    incident: bool = False  # a fight: set right as often as its policy allows, and off again


class DriftEnded(
    Struct, frozen=True, kw_only=True, tag_field="i", tag="healed", forbid_unknown_fields=True
):
    """An open drift ended."""

    number: Count
    resource: ShortText
    healed_us: Micro
    outcome: Text


Item = Applied | DriftSeen | DriftEnded
