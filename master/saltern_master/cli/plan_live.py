"""Progress of a plan for a person at a terminal: how many have told, and who is waited for.

What a node is called and says is text and never markup.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.text import Text
from saltern_protocol.errors import printable

from saltern_master.api.plans import NodePlan, PlanView
from saltern_master.cli.folding import folded
from saltern_master.cli.plan_tables import node_line

NEWEST = 5
NAMED = 50
"""Who is waited for is named where there are no more; a thousand are not sorted for every word."""


class LivePlan:
    """A bar, who is waited for, and what was told last."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._told: list[NodePlan] = []

    def show(self, plan: PlanView, news: NodePlan | None) -> None:
        """Draw how far a plan is."""
        if news is not None:
            self._told = [*self._told, news][-NEWEST:]
        waiting = [one.node for one in plan.nodes if one.result == "waiting"]
        total, done = len(plan.nodes), len(plan.nodes) - len(waiting)
        head = f"{done} of {total} nodes have told"
        named = printable(folded(waiting)) if len(waiting) <= NAMED else f"{len(waiting)} more"
        wait = f"; waiting for {named}" if waiting else ""
        self._live.update(
            Group(
                *(self._line(one) for one in self._told),
                Spinner("line", text=Text(f"{head}{wait}", overflow="ellipsis", no_wrap=True)),
                ProgressBar(total=max(total, 1), completed=done, width=40),
            )
        )

    def _line(self, one: NodePlan) -> Text:
        style = "" if one.result == "planned" else "red"
        return Text(f"  {node_line(one)}", style=style, overflow="ellipsis", no_wrap=True)


@contextmanager
def live_screen() -> Iterator[LivePlan]:
    """Draw on standard error until the end."""
    with Live(console=Console(stderr=True), refresh_per_second=8, transient=True) as live:
        yield LivePlan(live)
