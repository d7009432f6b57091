"""Drift as a look at one resource finds it, for tests that have no keeper."""

from __future__ import annotations

from saltern_agent.drift_record import Drift


def drift(  # a row of a table
    resource: str, since: float, found: tuple[str, ...], now: float, seen: str = "event"
) -> Drift:
    """Give a drift that is about to be recorded."""
    return Drift(
        resource=resource, kind="file/1", since=since, recorded=now, seen=seen, found=found
    )
