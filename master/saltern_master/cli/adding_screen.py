"""Progress of machines that become nodes: a live line for each at a terminal, plain ones else.

What is told comes from many threads; a lock lets one draw at a time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from saltern_protocol.errors import for_terminal

from saltern_master.cli.output import say

if TYPE_CHECKING:
    from rich.live import Live

    from saltern_master.joining.adding import Added
    from saltern_master.joining.hosts import Machine

COLOURS = {"added": "green", "already": "green", "unreached": "yellow"}


class Screen(Protocol):
    """Where progress is shown; from any thread."""

    def step(self, machine: Machine, what: str) -> None:
        """A machine is at this now."""
        ...

    def ended(self, added: Added) -> None:
        """A machine is through."""
        ...


class Lines:
    """A line for each thing that happens."""

    def __init__(self) -> None:
        self._lock = Lock()

    def step(self, machine: Machine, what: str) -> None:
        """Say what is done now."""
        with self._lock:
            say(f"{machine.name}: {what}")

    def ended(self, added: Added) -> None:
        """Say how it ended; why, the end of it all says."""
        with self._lock:
            say(f"{added.name}: {added.result} after {added.seconds:.1f} s")


class LiveLines:
    """One line for each machine, drawn again as it gets on."""

    def __init__(self, live: Live, machines: Sequence[Machine]) -> None:
        self._live, self._lock = live, Lock()
        self._said = {one.name: "waits for its turn" for one in machines}
        self._results: dict[str, str] = {}
        self._draw()

    def step(self, machine: Machine, what: str) -> None:
        """Draw what is done now."""
        with self._lock:
            self._said[machine.name] = what
            self._draw()

    def ended(self, added: Added) -> None:
        """Draw how it ended."""
        with self._lock:
            self._results[added.name] = added.result
            self._said[added.name] = f"{added.result} after {added.seconds:.1f} s"
            self._draw()

    def _draw(self) -> None:
        from rich.console import Group
        from rich.spinner import Spinner
        from rich.text import Text

        rows: list[Text | Spinner] = []
        for name, said in self._said.items():
            line, result = for_terminal(f"{name}: {said}"), self._results.get(name, "")
            if result:
                rows.append(Text(f"  {line}", style=COLOURS.get(result, "red")))
            else:
                rows.append(Spinner("line", text=Text(line)))
        self._live.update(Group(*rows))


@contextmanager
def screen(machines: Sequence[Machine]) -> Iterator[Screen]:
    """Give the screen that suits whoever looks at standard error."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), refresh_per_second=8, transient=True) as live:
        yield LiveLines(live, machines)
