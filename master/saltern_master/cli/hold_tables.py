"""Holds and windows as lines for people. Pure: what is shown, and when it is, are arguments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import tzinfo
from typing import Final

from saltern_protocol.errors import printable

from saltern_master.api.holds import HoldsView, HoldView, WindowView
from saltern_master.api.service import HeldView, NodeView
from saltern_master.cli.listing import Output, columns
from saltern_master.cli.moments import ago, iso, moment

HOLD: Final = ("node", "until", "by", "in force", "why")
WINDOW: Final = ("window", "from", "to", "nodes", "why")
NAMED: Final = 5
BEFORE: Final = "what is off before its first lease is set right first"


def made_lines(made: Iterable[HoldView], now: float, zone: tzinfo | None) -> list[str]:
    """Say of each node until when it is held, and whether it knows."""
    return [printable(f"{one.node}: {_until(one, now, zone)}; {_since(one)}") for one in made]


def before_lines(made: Iterable[HoldView], zone: tzinfo | None) -> Iterator[str]:
    """Say whose holds these took the place of."""
    for one in made:
        if one.before_until:
            yield f"{one.node}: in place of {one.before_by}'s, until {iso(one.before_until, zone)}"


def released_lines(released: Iterable[HoldView], now: float, zone: tzinfo | None) -> list[str]:
    """Say who is held no longer, and who does not know that yet."""
    return [printable(f"{one.node}: {_released(one, now, zone)}") for one in released]


def _released(one: HoldView, now: float, zone: tzinfo | None) -> str:
    if not one.connected:
        until = moment(one.until, now, zone)
        return f"released; it is not connected, so it is held until it is back, or {until}"
    if one.in_force:
        return "released; a window holds it as long, or it was not told yet: saltern drift holds"
    return "released; it was told"


def holds_lines(found: HoldsView, now: float, zone: tzinfo | None, output: Output) -> list[str]:
    """Give persons' holds, then the windows: those that are open, and the one that is next."""
    lines = columns(HOLD, (_hold(one, now, zone) for one in found.holds)) if found.holds else []
    wide = output is Output.WIDE
    windows = found.windows if wide else _near(found.windows)
    if windows:
        shown = columns(WINDOW, (_window(one, now, zone, wide) for one in windows))
        lines = [*lines, "", *shown] if lines else shown
    return lines


def held_text(held: HeldView, now: float, zone: tzinfo | None) -> str:
    """Say what holds a node, as one value."""
    told = "" if held.in_force else "; it was not told yet"
    return f"until {moment(held.until, now, zone)} by {held.by}: {held.why}{told}"


def held_lines(nodes: Iterable[NodeView], now: float) -> list[str]:
    """Give who is held, a line for all that one hold or window is about."""
    together: dict[HeldView, list[str]] = {}
    for one in nodes:
        if one.hold is not None:
            key = HeldView(until=one.hold.until, why=one.hold.why, by=one.hold.by, in_force=True)
            together.setdefault(key, []).append(one.name)
    return [
        printable(f"held: {_some(names)}; ends {ago(held.until, now)} ({held.by}: {held.why})")
        for held, names in together.items()
    ]


def _until(one: HoldView, now: float, zone: tzinfo | None) -> str:
    return f"held until {moment(one.until, now, zone)}"


def _since(one: HoldView) -> str:
    if one.in_force:
        return "in force now"
    if one.connected:
        return "it is connected and has not asked for the lease yet; it is asked again"
    return f"it is not connected: in force when it comes back, and {BEFORE}"


def _hold(one: HoldView, now: float, zone: tzinfo | None) -> tuple[str, ...]:
    away = "not told yet" if one.connected else "when it comes back"
    return one.node, moment(one.until, now, zone), one.by, "yes" if one.in_force else away, one.why


def _window(one: WindowView, now: float, zone: tzinfo | None, wide: bool) -> tuple[str, ...]:
    begins = "open now" if one.open else moment(one.begins, now, zone)
    nodes = ", ".join(one.nodes) if wide else _some(one.nodes)
    return one.name, begins, moment(one.ends, now, zone), nodes, one.why


def _near(windows: Iterable[WindowView]) -> tuple[WindowView, ...]:
    """Choose those that are open and the first that is not."""
    ordered = tuple(windows)
    later = [one for one in ordered if not one.open]
    return (*(one for one in ordered if one.open), *later[:1])


def _some(names: Iterable[str]) -> str:
    every = tuple(names)
    more = f" and {len(every) - NAMED} more" if len(every) > NAMED else ""
    return f"{', '.join(every[:NAMED])}{more}"
