"""A rollout as a page of a terminal: waves with bars, who is in hand, why it waits, what to do.

Pure: the width and the height are arguments, and no page is larger. What a node says is text and
never markup, with its control characters escaped; colours say only what the words say too.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final
from unicodedata import combining, east_asian_width

from saltern_protocol.errors import printable

from saltern_master.api.rollouts import RolloutNode, RolloutView
from saltern_master.cli.moments import ago
from saltern_master.cli.rollout_words import (
    ENDED,
    IN_HAND,
    OVER,
    STAGES,
    choices,
    counts,
    lasted,
    title,
    told_counts,
    wait_text,
)

Span = tuple[str, str]
"""Text, and its colour; "": none."""
Line = tuple[Span, ...]

BAR: Final = 24  # cells of a whole bar
PARTS: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("█", "green", ("done",)),
    ("×", "red", ("failed",)),
    ("▒", "cyan", IN_HAND),
    ("-", "yellow", ("aside", "skipped")),
    ("░", "", ("waiting",)),
)
"""What stands for whom in a bar."""
COLOURS: Final = {
    "done": "green",
    "failed": "red",
    "aside": "yellow",
    "skipped": "yellow",
    "paused": "yellow",
    "stopped": "red",
    "aborted": "red",
}
FEW_WAVES: Final = 7
WAIT_LINES: Final = 3


def page(view: RolloutView, now: float, width: int, height: int) -> list[Line]:
    """Give all that fits; the reason of the present wait and what can be done come first of all."""
    head = [_plain(title(view, now), COLOURS.get(view.phase, "bold"))]
    waves = _wave_lines(view, now)
    tail = [_plain(line) for line in _counted(view)]
    tail += [_plain(line, COLOURS.get(view.phase, "bold")) for line in _wait(view, width)]
    tail += [_plain(line) for line in _doable(view)]
    room = height - len(head) - len(tail)
    shown = waves[: max(0, room)]
    nodes = _node_lines(view, now, max(0, room - len(shown) - 1))
    gap: list[Line] = [()] if nodes else []
    return [cut(line, width) for line in [*head, *shown, *gap, *nodes, *tail]][:height]


def text_of(lines: Iterable[Line]) -> list[str]:
    """Give the text alone."""
    return ["".join(text for text, _ in line).rstrip() for line in lines]


def _counted(view: RolloutView) -> list[str]:
    found = counts(view)
    if not found:
        return []
    may = f"; {view.may_fail} may fail" if view.may_fail else ""
    return ["", f"{view.total or len(view.nodes)} nodes: {told_counts(found)}{may}"]


def _wait(view: RolloutView, width: int) -> list[str]:
    text = printable(wait_text(view))
    lines = textwrap.wrap(text, max(20, width - 2), subsequent_indent="  ") if text else []
    if len(lines) > WAIT_LINES:
        lines = [*lines[: WAIT_LINES - 1], f"{lines[WAIT_LINES - 1]} …"]
    return lines


def _doable(view: RolloutView) -> list[str]:
    found = choices(view)
    longest = max((len(command) for command, _ in found), default=0)
    return [f"  {command.ljust(longest)}  {meaning}" for command, meaning in found]


# Waves.


def _wave_lines(view: RolloutView, now: float) -> list[Line]:
    """Give a line for each wave; many that are over, or not begun, share one."""
    by_wave: dict[int, Counter[str]] = {at: Counter() for at in range(view.waves)}
    for one in view.nodes:
        by_wave.setdefault(one.wave, Counter())[one.stage] += 1
    if not view.nodes:
        return []
    rows = [
        (first, last, sum((by_wave[at] for at in range(first, last + 1)), Counter[str]()))
        for first, last in _together(view)
    ]
    names = [
        f"{first + 1}" if first == last else f"{first + 1}-{last + 1}" for first, last, _ in rows
    ]
    longest = max(map(len, names))
    return [
        _wave_line(view, now, name.rjust(longest), row)
        for name, row in zip(names, rows, strict=True)
    ]


def _together(view: RolloutView) -> list[tuple[int, int]]:
    """Give which waves share a line, so that there are at most FEW_WAVES lines."""
    if view.waves <= FEW_WAVES:
        return [(at, at) for at in range(view.waves)]
    first = max(0, view.wave - 1)
    last = min(view.waves - 1, max(view.wave + 2, FEW_WAVES - 3))
    before = [(0, first - 1)] if first > 0 else []
    after = [(last + 1, view.waves - 1)] if last + 1 < view.waves else []
    return [*before, *((at, at) for at in range(first, last + 1)), *after]


def _wave_line(
    view: RolloutView, now: float, name: str, row: tuple[int, int, Counter[str]]
) -> Line:
    first, last, found = row
    here = first <= view.wave <= last and view.phase not in OVER
    total = sum(found.values())
    ended = sum(found[stage] for stage in ENDED)
    others = {stage: found[stage] for stage in STAGES if found[stage] and stage != "waiting"}
    what = told_counts(others) if set(others) - {"done"} else ""
    soaks = _soak(view, now) if here else ""
    detail = "; ".join(part for part in (what, soaks) if part)
    number = f"{ended} of {total}".ljust(2 * len(str(view.total)) + 4)
    mark = ">" if here else " "
    return ((f"{mark} wave {name}  ", ""), *bar(found), (f"  {number}  {detail}", ""))


def _soak(view: RolloutView, now: float) -> str:
    if view.phase != "soaking" or not view.soak_until:
        return ""
    return f"soaks for {lasted(view.soak_until - now)} more"


def bar(found: Counter[str]) -> Line:
    """Give a bar in which whoever is there at all has a cell."""
    sizes = [sum(found[stage] for stage in stages) for _, _, stages in PARTS]
    total = sum(sizes)
    if not total:
        return ((" " * BAR, ""),)
    cells = [max(1, size * BAR // total) if size else 0 for size in sizes]
    while sum(cells) > BAR:
        cells[cells.index(max(cells))] -= 1
    while sum(cells) < BAR:
        left = [
            size * BAR / total - cell if size else -BAR
            for size, cell in zip(sizes, cells, strict=True)
        ]
        cells[left.index(max(left))] += 1
    return tuple(
        (letter * cell, colour)
        for (letter, colour, _), cell in zip(PARTS, cells, strict=True)
        if cell
    )


# Nodes.


def _node_lines(view: RolloutView, now: float, room: int) -> list[Line]:
    """Give those that a person should look at, the worst first; in so many lines."""
    found = sorted(filter(_is_worth_a_line, view.nodes), key=_urgency)
    if not found or room <= 0:
        return []
    shown = found if len(found) <= room else found[: room - 1]
    hidden = len(found) - len(shown)
    rows = [_cells(one, now) for one in shown]
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    lines = [_node_line(one, row, widths) for one, row in zip(shown, rows, strict=True)]
    more = f"  … and {hidden} more: saltern rollout show {view.rollout}"
    return [*lines, *([_plain(more)] if hidden else [])]


def _is_worth_a_line(one: RolloutNode) -> bool:
    return one.stage not in ("waiting", "done") or bool(one.why) or one.cordoned


def _urgency(one: RolloutNode) -> tuple[int, int, float, str]:
    order = ("failed", "done", *IN_HAND, "aside", "skipped", "waiting")
    return order.index(one.stage), one.wave, one.since, one.node


def _cells(one: RolloutNode, now: float) -> tuple[str, ...]:
    notes = [
        *(["not connected"] if one.away else []),
        *(["cordoned"] if one.cordoned else []),
        *([one.why] if one.why else []),
    ]
    since = lasted(now - one.since) if one.stage in IN_HAND else ago(one.since, now)
    return printable(one.node), one.stage, since, one.impact, printable("; ".join(notes))


def _node_line(one: RolloutNode, row: Sequence[str], widths: Sequence[int]) -> Line:
    name, stage, since, impact = (
        cell.ljust(wide) for cell, wide in zip(row[:-1], widths, strict=True)
    )
    colour = "red" if one.stage == "done" else COLOURS.get(one.stage, "cyan")
    return ((f"  {name}  ", ""), (stage, colour), (f"  {since}  {impact}  {row[-1]}", ""))


# Cells of a terminal.


def _plain(text: str, colour: str = "") -> Line:
    return ((text, colour),)


def cut(line: Line, width: int) -> Line:
    """Give at most so many cells of a line, and a sign where more was."""
    if sum(map(_wide, _letters(line))) <= width:
        return line
    left = width - 1
    spans: list[Span] = []
    for text, colour in line:
        kept = ""
        for letter in text:
            left -= _wide(letter)
            if left < 0:
                return (*spans, (f"{kept}…", colour))
            kept += letter
        spans.append((kept, colour))
    return tuple(spans)


def _letters(line: Line) -> str:
    return "".join(text for text, _ in line)


def _wide(letter: str) -> int:
    if combining(letter):
        return 0
    return 2 if east_asian_width(letter) in ("W", "F") else 1
