"""Times as people read them: local ISO times, "3 s ago", and spans such as 90s or 12h.

Pure: now and the zone are arguments. Zone None is this machine's.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from math import ceil
from typing import Final

from saltern_master.errors import MasterError

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}
SPAN: Final = re.compile(r"([0-9]{1,9})([smhd])\Z")


class SpanError(MasterError):
    """A text that is no span of time."""


def iso(at: float, zone: tzinfo | None) -> str:
    """Give a time as 2026-11-23T05:00:00+01:00; nothing for 0."""
    return datetime.fromtimestamp(at, UTC).astimezone(zone).isoformat("T", "seconds") if at else ""


def instant(at: float, zone: tzinfo | None) -> str:
    """Give a time with its milliseconds, where those are what counts."""
    return datetime.fromtimestamp(at, UTC).astimezone(zone).isoformat("T", "milliseconds")


def ago(at: float, now: float) -> str:
    """Give how long ago a time was, or how far off it is; nothing for 0."""
    if not at:
        return ""
    seconds = int(now - at) if at <= now else ceil(at - now)
    size, unit = next(
        (size, unit)
        for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
        if seconds >= size or unit == "s"
    )
    return f"{seconds // size} {unit} ago" if at <= now else f"in {seconds // size} {unit}"


def moment(at: float, now: float, zone: tzinfo | None) -> str:
    """Give a time in both ways."""
    return f"{iso(at, zone)} ({ago(at, now)})" if at else ""


def span(text: str) -> int:
    """Read 90s, 15m, 12h or 2d as seconds; SpanError."""
    found = SPAN.match(text)
    if found is None or int(found[1]) == 0:
        raise SpanError(
            f"cannot read {text!r} as a span of time; write such as 90s, 15m, 12h or 2d"
        )
    return int(found[1]) * UNITS[found[2]]


def zone() -> tzinfo | None:
    """Give what astimezone() takes for this machine's own zone."""
    return None


def clock() -> float:
    """Read the time, in seconds since 1970."""
    return datetime.now(UTC).timestamp()
