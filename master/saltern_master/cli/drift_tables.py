"""Drift as tables and lines. Pure: what is shown, and when it is, are arguments.

Nothing is cut but what setting a drift right would do: a table has the first of it and how much
more there is, `--output wide` and `saltern drift explain` have all.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo

from saltern_protocol.errors import printable

from saltern_master.api.service import DriftView
from saltern_master.cli.listing import Output, columns
from saltern_master.cli.moments import iso, moment

OPEN = ("id", "resource", "since", "what", "by", "nature", "not set right because")
OPEN_WIDE = ("kind", "seen", "attempts", "all that is off")
HISTORY = ("id", "resource", "since", "seen", "nature", "healed", "outcome")
HISTORY_WIDE = ("kind", "by", "recorded", "stored", "attempts", "hindrance", "found")
NOTHING_OPEN = "no drift is open"
NO_DRIFT = "no such drift is kept"


def open_lines(
    found: Iterable[DriftView], now: float, zone: tzinfo | None, output: Output
) -> list[str]:
    """Give what is open, a line each; a line that says so where nothing is."""
    listed = tuple(found)
    if not listed:
        return [NOTHING_OPEN]
    if output is Output.WIDE:
        rows = ([*_open(one, now, zone), *_open_wide(one)] for one in listed)
        return columns((*OPEN, *OPEN_WIDE), rows)
    return columns(OPEN, (_open(one, now, zone) for one in listed))


def _open(one: DriftView, now: float, zone: tzinfo | None) -> list[str]:
    return [
        one.id,
        one.resource,
        moment(one.since, now, zone),
        first_of(one.found),
        by_word(one),
        nature_word(one),
        one.hindrance,
    ]


def _open_wide(one: DriftView) -> list[str]:
    return [one.kind, one.seen, str(one.attempts or ""), "; ".join(one.found)]


def drift_lines(found: Iterable[DriftView], zone: tzinfo | None, output: Output) -> list[str]:
    """Give drift of any time, a line each; a line that says so where there is none."""
    listed = tuple(found)
    if not listed:
        return [NO_DRIFT]
    if output is Output.WIDE:
        rows = ([*_past(one, zone), *_past_wide(one, zone)] for one in listed)
        return columns((*HISTORY, *HISTORY_WIDE), rows)
    return columns(HISTORY, (_past(one, zone) for one in listed))


def _past(one: DriftView, zone: tzinfo | None) -> list[str]:
    return [
        one.id,
        one.resource,
        iso(one.since, zone),
        one.seen,
        nature_word(one),
        f"after {one.healed - one.since:.3f} s" if one.healed else "no",
        one.outcome,
    ]


def _past_wide(one: DriftView, zone: tzinfo | None) -> list[str]:
    return [
        one.kind,
        by_word(one),
        iso(one.recorded, zone),
        iso(one.stored, zone),
        str(one.attempts or ""),
        one.hindrance,
        "; ".join(one.found),
    ]


def drift_line(one: DriftView, zone: tzinfo | None) -> str:
    """Give one drift as it is told while somebody watches."""
    head = f"{iso(one.healed or one.since, zone)}  {one.id}  {one.resource}"
    if one.healed:
        ended = f"{one.outcome or 'healed'} after {one.healed - one.since:.3f} s"
        return printable(f"{head}  {ended}: {'; '.join(one.found)}")
    by = f" (by {one.by})" if one.by else ""
    nature = "" if nature_word(one) == "external" else f" [{nature_word(one)}]"
    stays = f"; not set right: {one.hindrance}" if one.hindrance else ""
    return printable(f"{head}  {one.seen}{by}{nature}: {'; '.join(one.found)}{stays}")


def first_of(found: tuple[str, ...]) -> str:
    """Give the first of some lines, and how many more there are."""
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{found[0]}{more}" if found else ""


def by_word(one: DriftView) -> str:
    """Say who did it, or that nobody tells."""
    return one.by or "unknown"


def nature_word(one: DriftView) -> str:
    """Say whose doing it is, and that it is a fight."""
    return f"{one.nature}, a fight" if one.incident else one.nature
