"""The stages of an upgrade: what is done next in each case; and that every way ends, once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from saltern_agent.upgrade.stages import (
    AFTER_BOOT,
    BEGIN,
    MOST_TRIES,
    SLOW,
    STARTING,
    STEADY,
    WAIT,
    WINDOW,
    Act,
    End,
    Install,
    Keep,
    Order,
    Package,
    Restart,
    Seen,
    Stage,
    Told,
    Wait,
    decide,
    tried,
)

ORDER = Order(Package("2", "b" * 64), Package("1", "a" * 64), attempt=1, release="b" * 64)
SEEN = Seen(boot="boot", now=1000.0, installed="2", run="new", state="active")
WATCHING = Stage("watching", boot="boot", before="old", asked=900.0, since=990.0)
REACHED = Told("new", reached=True, taken=True)
BACK = Stage("going back", why="it was ill")


def seen(told: Told | None = None, **other: object) -> Seen:
    return replace(SEEN, told=told, **other)  # type: ignore[arg-type]


def back(why: str) -> Keep:
    return Keep(Stage("going back", why=why))


@pytest.mark.parametrize(
    ("stage", "found", "act"),
    [
        pytest.param(
            BEGIN, seen(installed="1"), Install("new", replace(BEGIN, tries=1)), id="it begins"
        ),
        pytest.param(
            BEGIN, seen(installed=""), Install("new", replace(BEGIN, tries=1)), id="half of it"
        ),
        pytest.param(BEGIN, seen(), Keep(Stage("watching", boot="boot", before="new")), id="whole"),
        pytest.param(
            replace(BEGIN, tries=MOST_TRIES),
            seen(installed=""),
            back(f"its installation was broken off {MOST_TRIES} times"),
            id="broken off too often",
        ),
        pytest.param(
            replace(BEGIN, tries=1),
            seen(installed="3"),
            Keep(Stage("gone back", why="somebody installed 3 meanwhile")),
            id="somebody installed a third one",
        ),
    ],
)
def test_installing(stage: Stage, found: Seen, act: Act) -> None:
    assert decide(ORDER, stage, found) == act


@pytest.mark.parametrize(
    ("stage", "found", "act"),
    [
        pytest.param(
            replace(WATCHING, asked=0.0, since=0.0),
            seen(run="old"),
            Restart(replace(WATCHING, asked=1000.0, since=0.0)),
            id="not started yet",
        ),
        pytest.param(
            replace(WATCHING, asked=999.0, since=0.0), seen(run="old"), WAIT, id="the old one ends"
        ),
        pytest.param(replace(WATCHING, asked=999.0, since=0.0), seen(run=""), WAIT, id="none runs"),
        pytest.param(
            replace(WATCHING, asked=999.0, since=0.0),
            seen(),
            Keep(replace(WATCHING, asked=999.0, since=1000.0)),
            id="its time begins",
        ),
        pytest.param(
            replace(WATCHING, asked=1000.0 - STARTING, since=0.0),
            seen(run="old"),
            back(f"systemd did not start it within {STARTING:.0f} s (active)"),
            id="never started",
        ),
        pytest.param(WATCHING, seen(), WAIT, id="it said nothing yet"),
        pytest.param(WATCHING, seen(Told("old", reached=True)), WAIT, id="the old one reached it"),
        pytest.param(
            WATCHING,
            seen(REACHED),
            Keep(replace(WATCHING, reached_by="new", reached_at=1000.0)),
            id="reached",
        ),
        pytest.param(
            replace(WATCHING, reached_by="new", reached_at=1000.5 - STEADY),
            seen(REACHED),
            WAIT,
            id="reached a moment ago",
        ),
        pytest.param(
            replace(WATCHING, reached_by="new", reached_at=1000.0 - STEADY),
            seen(REACHED),
            Keep(Stage("done")),
            id="steady",
        ),
        pytest.param(
            replace(WATCHING, since=1.0, reached_by="new", reached_at=995.0),
            seen(REACHED),
            WAIT,
            id="reached at the last moment: it may yet be steady",
        ),
        pytest.param(
            replace(WATCHING, reached_by="other", reached_at=995.0),
            seen(REACHED),
            Keep(replace(WATCHING, reached_by="new", reached_at=1000.0)),
            id="another run of it reached",
        ),
        pytest.param(
            replace(WATCHING, since=1000.0 - WINDOW, reached_by="other", reached_at=995.0),
            seen(REACHED),
            back("it reached its master and did not stay up for 10 s"),
            id="it reaches and dies, again and again",
        ),
        pytest.param(
            replace(WATCHING, since=1000.0 - WINDOW),
            seen(),
            back("it did not reach its master within 60 s of its start: it said nothing"),
            id="silence",
        ),
        pytest.param(
            replace(WATCHING, since=1000.0 - WINDOW),
            seen(Told("new", why="no route to host")),
            back("it did not reach its master within 60 s of its start: no route to host"),
            id="not reached",
        ),
        pytest.param(
            replace(WATCHING, since=1000.0 - WINDOW),
            seen(Told("new", taken=True, why="no lease within 60 s")),
            WAIT,
            id="a master that is slow is no illness",
        ),
        pytest.param(
            replace(WATCHING, since=1000.0 - SLOW),
            seen(Told("new", taken=True, why="no lease within 60 s")),
            back("it did not reach its master within 600 s of its start: no lease within 60 s"),
            id="but not for ever",
        ),
        pytest.param(
            replace(WATCHING, since=1000.0 - WINDOW),
            seen(Told("new", taken=True, refused="the master refuses (protocol): 2")),
            back(
                "it did not reach its master within 60 s of its start: "
                "the master refuses (protocol): 2"
            ),
            id="a master that says no is not slow",
        ),
        pytest.param(
            replace(WATCHING, since=1000.0 - WINDOW),
            seen(Told("old", taken=True)),
            back("it did not reach its master within 60 s of its start: it said nothing"),
            id="what the old one had counts for nothing",
        ),
        pytest.param(
            WATCHING,
            seen(state="failed"),
            back("its unit failed: see journalctl -u saltern-agent"),
            id="failed",
        ),
        pytest.param(
            WATCHING,
            seen(boot="next", now=5.0, run=""),
            Keep(Stage("watching", boot="next", asked=5.0, since=5.0, window=AFTER_BOOT)),
            id="a boot: systemd starts it, and all is late",
        ),
        pytest.param(
            WATCHING,
            seen(installed="1"),
            Keep(Stage("gone back", why="somebody installed 1 meanwhile")),
            id="somebody went back by hand",
        ),
        pytest.param(WATCHING, seen(installed=""), WAIT, id="somebody's dpkg is at it"),
    ],
)
def test_watching(stage: Stage, found: Seen, act: Act) -> None:
    assert decide(ORDER, stage, found) == act


@pytest.mark.parametrize(
    ("stage", "found", "act"),
    [
        pytest.param(BACK, seen(), Install("old", replace(BACK, tries=1)), id="the new one"),
        pytest.param(
            replace(BACK, tries=99),
            seen(installed=""),
            Install("old", replace(BACK, tries=100)),
            id="there is nowhere else to go",
        ),
        pytest.param(
            BACK, seen(installed="1"), Restart(replace(BACK, asked=1000.0)), id="whole again"
        ),
        pytest.param(
            replace(BACK, asked=999.0),
            seen(installed="1"),
            Keep(Stage("gone back", why="it was ill")),
            id="and started",
        ),
        pytest.param(
            replace(BACK, tries=7),
            seen(installed="3"),
            Keep(Stage("gone back", why="it was ill; somebody installed 3 meanwhile")),
            id="somebody helped with a third one",
        ),
        pytest.param(Stage("done"), seen(), End(), id="done"),
        pytest.param(Stage("gone back", why="ill"), seen(installed="1"), End(), id="gone back"),
    ],
)
def test_going_back_and_ends(stage: Stage, found: Seen, act: Act) -> None:
    assert decide(ORDER, stage, found) == act


def test_an_installation_that_failed_goes_back_and_one_of_the_old_is_tried_again() -> None:
    assert tried(replace(BEGIN, tries=1), "no space") == Stage("going back", why="no space")
    assert tried(replace(BEGIN, tries=1), "") == replace(BEGIN, tries=1)
    assert tried(BACK, "no space") == BACK


AGENTS = st.sampled_from(["well", "silent", "dies", "slow", "refused", "fails to install"])
CHANCES = st.lists(st.sampled_from(["go", "go", "go", "kill", "boot", "broken off"]), max_size=60)


class World:
    """A machine as a model: what an act does to it, and what it then is."""

    def __init__(self, agent: str) -> None:
        self.agent, self.installed, self.running = agent, "1", "1"
        self.now, self.boot, self.runs, self.born = 1000.0, 1, 1, 0.0
        self.kept = BEGIN
        self.restarts = 0

    def look(self) -> Seen:
        lives = self.running == "1" or self.agent != "dies" or self.now - self.born < STEADY / 2
        if not lives:
            self._start()
        run = str(self.runs)
        told = {
            "well": Told(run, reached=True, taken=True),
            "dies": Told(run, reached=True, taken=True),
            "slow": Told(run, taken=True, reached=self.now - self.born > 3 * WINDOW),
            "refused": Told(run, taken=True, refused="no"),
        }
        own = told.get(self.agent) if self.running == "2" else Told(run, reached=True, taken=True)
        return Seen(str(self.boot), self.now, self.installed, run, "active", own)

    def do(self, act: Act, stage: Stage, chance: str) -> Stage:
        """Do one act, cut off by chance; what is kept is what a next upgrader has."""
        self.now += 0.5
        match act:
            case Keep(new):
                self.kept = new
            case Restart(new):
                self._start()
                self.restarts += 1
                if chance != "kill":
                    self.kept = new
            case Install(which, new):
                self.kept = new
                self._install(which, chance)
            case Wait(seconds):
                self.now += seconds
        if chance == "boot":
            self.boot, self.now = self.boot + 1, 1.0
            self._start()
        return self.kept

    def _install(self, which: str, chance: str) -> None:
        if chance in ("kill", "boot", "broken off"):
            self.installed = ""
        elif which == "new" and self.agent == "fails to install":
            self.installed, self.kept = "", tried(self.kept, "it does not go in")
        else:
            self.installed = "2" if which == "new" else "1"

    def _start(self) -> None:
        self.runs, self.running, self.born = self.runs + 1, self.installed, self.now


@given(agent=AGENTS, chances=CHANCES)
@settings(max_examples=300, deadline=None)
def test_every_way_ends_with_one_agent_that_runs_and_it_is_the_new_one_only_if_that_is_well(
    agent: str, chances: list[str]
) -> None:
    world, stage = World(agent), BEGIN
    for number in range(6000):
        act = decide(ORDER, stage, world.look())
        if isinstance(act, End):
            break
        stage = world.do(act, stage, chances[number] if number < len(chances) else "go")
    else:
        pytest.fail(f"it never ends: {stage}")
    whole = {"done": "2", "gone back": "1"}[stage.name]
    assert (world.installed, world.running) == (whole, whole)
    assert (stage.name == "gone back") == bool(stage.why)
    if agent in ("silent", "dies", "refused", "fails to install"):
        assert stage.name == "gone back"
    if agent in ("well", "slow") and not any(one != "go" for one in chances):
        assert stage.name == "done"
    assert world.restarts <= 2 + chances.count("kill") + chances.count("boot")


@given(agent=st.sampled_from(["silent", "dies", "refused"]))
def test_an_agent_that_is_not_well_is_gone_after_a_minute(agent: str) -> None:
    world, stage = World(agent), BEGIN
    began = world.now
    while stage.name != "going back":
        stage = world.do(decide(ORDER, stage, world.look()), stage, "go")
    assert world.now - began < WINDOW + 5
