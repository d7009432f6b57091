"""All of one drift as a page: its times and what lies between them, its doer, what comes next.

Pure. Between two times of one clock the difference is exact; `stored` is the master's clock, so
that difference is only as good as the two clocks agree, which is said.
"""

from __future__ import annotations

from datetime import tzinfo
from typing import Final

from saltern_protocol.errors import printable

from saltern_master.api.drifts import DriftPage
from saltern_master.api.service import DriftView
from saltern_master.cli.drift_words import NATURES, SEEN, next_words, policy_words
from saltern_master.cli.listing import fields
from saltern_master.cli.moments import ago, instant

UNKNOWN: Final = "unknown: the kernel does not tell it of this"
INDENT: Final = "  "


def page_lines(page: DriftPage, zone: tzinfo | None) -> list[str]:
    """Give all of one drift."""
    one = page.drift
    pairs = [
        *_times(one, zone),
        ("seen", SEEN.get(one.seen, one.seen)),
        ("by", one.by or UNKNOWN),
        ("nature", NATURES[one.nature]),
        ("attempts", str(one.attempts) if one.attempts else "none counted"),
        (
            "fight",
            "yes: set right as often as its policy allows, and off again" if one.incident else "no",
        ),
        (_held_up(one), one.hindrance),
        ("outcome", one.outcome),
        ("policy", policy_words(page)),
        ("next", next_words(page)),
    ]
    shown = [(name, value) for name, value in pairs if value]
    lines = [printable(f"{one.id}  {one.resource}  ({one.kind}): {_standing(page)}"), ""]
    does = "What set it right:" if one.healed else "What setting it right does:"
    lines += [*fields(shown), "", does]
    lines += [INDENT + printable(each) for each in one.found] or [f"{INDENT}nothing is known"]
    if one.detail:
        lines += ["", "What was there (-) and what is declared (+):"]
        lines += [INDENT + printable(each) for each in one.detail.splitlines()]
    return lines


def _held_up(one: DriftView) -> str:
    if one.healed:
        return "was held up since"
    return "last told" if one.incident else "not set right because"  # it may be right by now


def _standing(page: DriftPage) -> str:
    one = page.drift
    if one.healed:
        return f"healed after {apart(one.since, one.healed)}"
    return f"open, {ago(one.since, page.now).removesuffix(' ago')} by now"


def _times(one: DriftView, zone: tzinfo | None) -> list[tuple[str, str]]:
    """Give each time, and how long after the one before it was."""
    after = f"{apart(one.since, one.recorded)} later, on the node"
    kept = f"{apart(one.recorded, one.stored)} later, by the master's own clock"
    times = [
        ("noticed", instant(one.since, zone)),
        ("recorded", f"{instant(one.recorded, zone)}  {after}"),
        ("stored", f"{instant(one.stored, zone)}  {kept}"),
    ]
    if one.healed:
        healed = f"{apart(one.since, one.healed)} after it was noticed"
        times.append(("healed", f"{instant(one.healed, zone)}  {healed}"))
    return times


def apart(begin: float, end: float) -> str:
    """Give how long lies between two times: milliseconds where that is what counts."""
    seconds = end - begin
    return f"{seconds * 1000:.1f} ms" if abs(seconds) < 10 else f"{seconds:.1f} s"
