"""From events and timers to what is looked at, and when."""

from __future__ import annotations

from pathlib import Path

from saltern_agent.keeper import Noticed
from saltern_agent.noticing import FULL_LOOK, Notices, watched
from saltern_states.body import Resource, make_body
from saltern_states.contract import WatchPath
from saltern_states.file import File
from saltern_states.sysctl import Sysctl

BODY = make_body(
    (
        Resource(id="file", spec=File(path="/etc/a", text="")),
        Resource(id="sysctl", spec=Sysctl(key="net.core.somaxconn", value="1", persist=False)),
    )
)
ETC_A = WatchPath(Path("/etc/a"))


def notices() -> Notices:
    made = Notices()
    made.follow(watched(BODY), monotonic=100.0)
    return made


def test_an_event_names_what_to_look_at_and_the_first_sign_counts() -> None:
    now = notices()
    now.touch((ETC_A,), "event", 5.0)
    now.touch((ETC_A,), "look", 6.0)

    assert now.take() == {"file": Noticed(5.0, "event")}
    assert now.take() == {}


def test_an_event_for_what_nobody_watches_is_nothing() -> None:
    now = notices()
    now.touch((WatchPath(Path("/etc/b")),), "event", 5.0)

    assert now.take() == {}


def test_what_sends_no_event_is_looked_at_by_the_clock() -> None:
    now = notices()
    (timer,) = now.due
    now.tick(100.0 + timer.seconds / 2, 7.0)
    assert now.take() == {}

    now.tick(100.0 + timer.seconds, 8.0)
    assert now.take() == {"sysctl": Noticed(8.0, "look")}
    assert now.wait(100.0 + timer.seconds) == timer.seconds


def test_everything_is_looked_at_every_minute() -> None:
    now = notices()
    now.tick(100.0 + FULL_LOOK - 1, 7.0)
    assert not now.full

    now.tick(100.0 + FULL_LOOK, 8.0)
    assert now.full


def test_another_body_forgets_what_was_noticed_for_the_old_one() -> None:
    now = notices()
    now.touch((ETC_A,), "event", 5.0)
    now.follow(watched(make_body(())), monotonic=200.0)

    assert now.take() == {}
    assert now.wait(200.0) == FULL_LOOK
