"""What another process goes on with: nothing is told of it until it has ended, and then once."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltern_agent.converge import Silence, converge
from saltern_agent.steps import Step
from saltern_states.agent import Agent
from saltern_states.body import DriftPolicy, Resource
from saltern_states.file import File
from saltern_states.testing import FakeHost

NEW = "0.2.0-1~deb12"


class Owned:
    """Remembers what is ours."""

    def __init__(self) -> None:
        self.ids: set[str] = set()

    def own(self, resource: Resource) -> None:
        self.ids.add(resource.id)

    def disown(self, resource_id: str) -> None:
        self.ids.discard(resource_id)


def node() -> tuple[FakeHost, tuple[Step, ...]]:
    host = FakeHost()
    host.files.put_directory("/etc")
    host.packages.put("saltern-agent", "0.1.0-1~deb12")
    deb = host.blobs.put(b"release")
    host.packages.put_deb(host.blobs.path(deb), "saltern-agent", NEW)
    agent = Resource(
        id="agent/release",
        spec=Agent(version=NEW, deb=deb),
        drift=DriftPolicy(mode="enforce", times=2, minutes=60),
    )
    file = Resource(id="file", spec=File(path="/etc/a", text="a\n"))
    return host, (Step("hold", file), Step("hold", agent))


def test_a_converge_that_hands_over_has_not_ended_and_the_next_one_tells_how_it_went() -> None:
    host, steps = node()
    first = converge(host, steps, Owned(), Silence())

    assert first.interrupted
    assert not first.converged
    assert first.handed_over == steps[1].resource
    assert [one.step.resource.id for one in first.done] == ["file"]
    assert host.files.read(Path("/etc/a")) == b"a\n"

    waiting = converge(host, steps, Owned(), Silence())
    assert waiting.handed_over == steps[1].resource

    host.upgrades.done()
    after = converge(host, steps, Owned(), Silence())
    assert after.converged
    assert after.handed_over is None


def test_one_that_went_back_is_told_as_blocked_with_the_reason() -> None:
    host, steps = node()
    converge(host, steps, Owned(), Silence())
    host.upgrades.go_back("it did not reach its master within 60 s")

    result = converge(host, steps, Owned(), Silence())

    (bad,) = result.bad
    assert bad.outcome == "blocked"
    assert "it did not reach its master within 60 s" in bad.why
    assert result.handed_over is None


@pytest.mark.parametrize("newer", [True, False])
def test_a_newer_document_makes_it_give_way_before_it_hands_over(newer: bool) -> None:
    host, steps = node()
    asked = iter((False, newer, newer, newer))
    result = converge(host, steps, Owned(), Silence(), lambda: next(asked))

    assert result.interrupted
    assert (result.handed_over is None) == newer
    assert (host.upgrades.going is None) == newer
