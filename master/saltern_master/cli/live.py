"""Progress for a person at a terminal: one live line for each node.

What a node says is text and never markup; colours say only what the words say too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from saltern_master.api.service import TurnNode
from saltern_master.cli.tables import standing_line

COLOURS = {
    "converged": "green",
    "changed": "green",
    "unreachable": "yellow",
    "superseded": "yellow",
}


class LiveLines:
    """One line for each node, drawn again as they change."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, nodes: Iterable[TurnNode], news: TurnNode | None) -> None:
        """Draw how the nodes stand."""
        self._live.update(Group(*(self._line(one) for one in nodes)))

    def _line(self, one: TurnNode) -> Text | Spinner:
        if one.result == "waiting":
            return Spinner("line", text=Text(standing_line(one)))
        return Text(f"  {standing_line(one)}", style=COLOURS.get(one.result, "red"))


@contextmanager
def live_screen() -> Iterator[LiveLines]:
    """Draw on standard error until the end."""
    with Live(console=Console(stderr=True), refresh_per_second=8, transient=True) as live:
        yield LiveLines(live)
