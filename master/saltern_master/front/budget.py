"""A budget: so much at once, so much a second. A token bucket; the time is an argument.

* Nothing is spent unless all of it is there.
* What was not spent comes back with time, up to `burst` and no further.
"""

from __future__ import annotations

from msgspec import Struct


class Rate(Struct, frozen=True):
    """What a bucket holds at most, and what flows into it each second."""

    burst: float
    per_second: float


class Bucket(Struct, frozen=True):
    """How much was spent of a full bucket, and at which moment (seconds, monotonic)."""

    spent: float = 0.0
    at: float = 0.0


def spend(bucket: Bucket, rate: Rate, cost: float, now: float) -> Bucket | None:
    """Take `cost` out of the bucket; None: it is not in there, and nothing was taken."""
    spent = max(0.0, bucket.spent - (now - bucket.at) * rate.per_second) + cost
    return Bucket(spent, now) if spent <= rate.burst else None
