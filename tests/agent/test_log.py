"""What a program said goes to the log, a line each; `why` stays one line."""

from __future__ import annotations

from io import StringIO

from saltern_agent.converge import Done, converge_one
from saltern_agent.events import done_line
from saltern_agent.log import Log
from saltern_agent.show import show_done
from saltern_agent.steps import Step
from saltern_states.body import Resource
from saltern_states.package import Package
from saltern_states.ports import HostError
from saltern_states.testing import FakeHost


class Owned:
    """Remembers what is owned."""

    def own(self, resource: Resource) -> None:
        """Take it."""

    def disown(self, name: str) -> None:
        """Leave it."""


def failed() -> Done:
    host = FakeHost()

    def install(name: str, version: str) -> None:
        raise HostError(f"cannot install {name}: E: one", "Reading \x1b[2J lists\nE: one")

    host.packages.install = install  # type: ignore[method-assign]
    spec = Package(name="saltern-one", version="1")
    return converge_one(host, Step("hold", Resource(id="one", spec=spec)), Owned())


def test_a_programs_lines_follow_in_the_log() -> None:
    to = StringIO()
    Log(to, journald=True).hear(done_line(failed(), "document"))

    head, *rest = to.getvalue().splitlines()
    assert head == "<3>one: failed: cannot install saltern-one: E: one"
    assert rest == ["<3>    Reading \\x1b[2J lists", "<3>    E: one"]


def test_and_below_what_failed_on_a_terminal() -> None:
    head, *rest = show_done(done_line(failed(), "document"))

    assert head == "! one: failed: cannot install saltern-one: E: one"
    assert rest == ["      Reading \\x1b[2J lists", "      E: one"]
