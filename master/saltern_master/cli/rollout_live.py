"""Where the progress of a rollout is shown: a page that moves, plain lines, or nowhere.

A page is drawn anew a few times a second and not for each event, so that a thousand nodes cost no
more than what is seen of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from saltern_master.api.rollouts import RolloutNode, RolloutView
from saltern_master.cli.listing import Output
from saltern_master.cli.moments import clock, zone
from saltern_master.cli.output import say
from saltern_master.cli.rollout_page import Line, page
from saltern_master.cli.rollout_words import head_line, node_line

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult


class Screen(Protocol):
    """Where progress is shown."""

    quiet_after: float  # seconds in which nothing happens

    def show(self, before: RolloutView | None, after: RolloutView) -> None:
        """Show the rollout as it is now; `before`: as it was when it was shown last."""
        ...

    def quiet(self, view: RolloutView) -> None:
        """Nothing has happened for so long; this was asked anew."""
        ...

    def note(self, text: str) -> None:
        """Say something that is not of the rollout."""
        ...


class Lines:
    """Progress as lines with their times, one for each thing that happens."""

    quiet_after = 60.0

    def show(self, before: RolloutView | None, after: RolloutView) -> None:
        """Say what is new."""
        known = {one.node: _told(one) for one in before.nodes} if before is not None else {}
        for one in after.nodes:
            if known.get(one.node, ("waiting", False, "")) != _told(one):
                say(node_line(one, clock(), zone()))
        if before is None or _head(before) != _head(after):
            say(head_line(after, clock(), zone()))

    def quiet(self, view: RolloutView) -> None:
        """Say what it waits for."""
        say(head_line(view, clock(), zone()))

    def note(self, text: str) -> None:
        """Say it."""
        say(text)


class Silence:
    """No progress: standard output has every event."""

    quiet_after = 3600.0

    def show(self, before: RolloutView | None, after: RolloutView) -> None:
        """Show nothing."""

    def quiet(self, view: RolloutView) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Say it."""
        say(text)


class Page:
    """What a live display draws, however often it does."""

    quiet_after = 5.0

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._view: RolloutView | None = None
        self._note = ""

    def show(self, before: RolloutView | None, after: RolloutView) -> None:
        """Have this drawn from now on."""
        self._view, self._note = after, ""

    def quiet(self, view: RolloutView) -> None:
        """Have this drawn: what is waited for has its times."""
        self._view = view

    def note(self, text: str) -> None:
        """Have this stand below until something happens."""
        self._note = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        for line in self._lines(options.max_width, console.size.height - 2):
            yield Text.assemble(*line, no_wrap=True, overflow="crop")

    def _lines(self, width: int, height: int) -> list[Line]:
        if self._view is None:
            return []
        note: list[Line] = [((self._note[:width], "yellow"),)] if self._note else []
        return [*page(self._view, self._now(), width, max(1, height - len(note))), *note]


@contextmanager
def screen_for(output: Output) -> Iterator[Screen]:
    """Give the screen that suits whoever looks."""
    if output is Output.JSON:
        yield Silence()
    elif not sys.stderr.isatty():
        yield Lines()
    else:
        from rich.console import Console
        from rich.live import Live

        shown = Page(clock)
        with Live(shown, console=Console(stderr=True), refresh_per_second=4, transient=True):
            yield shown


def _told(one: RolloutNode) -> tuple[str, bool, str]:
    return one.stage, one.away, one.why


def _head(view: RolloutView) -> tuple[object, ...]:
    return view.rollout, view.phase, view.wave, view.why, view.undone_by
