"""From events and timers to what is looked at, and when."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from saltern_agent.noticing import FULL_LOOK, REST, Notices, watched
from saltern_agent.recording import Noticed
from saltern_states.body import Resource, make_body
from saltern_states.contract import WatchPath
from saltern_states.file import File
from saltern_states.image import KIND as IMAGE
from saltern_states.image import LOOK_SECONDS
from saltern_states.sysctl import Sysctl

BODY = make_body(
    (
        Resource(id="file", spec=File(path="/etc/a", text="")),
        Resource(id="sysctl", spec=Sysctl(key="net.core.somaxconn", value="1", persist=False)),
        Resource(id="image", spec=IMAGE.example),
    )
)
ETC_A = WatchPath(Path("/etc/a"))
NOW = 100.0


def test_the_first_event_is_looked_at_at_once_and_a_storm_after_a_rest() -> None:
    now = notices()
    now.touch((ETC_A,), "event", 5.0)
    assert now.rested(NOW) == 0.0
    now.looked(now.take(NOW), {}, NOW)

    now.touch((ETC_A,), "event", 5.0)
    assert now.rested(NOW) == pytest.approx(REST)
    assert now.take(NOW) == {}
    assert now.rested(NOW + REST) == 0.0
    assert now.take(NOW + REST).keys() == {"file"}


def test_a_storm_at_one_resource_delays_no_other_and_no_whole_look() -> None:
    now = notices()
    now.looked(["file"], {}, NOW)
    now.touch(now.watched.by_watch, "event", 5.0)
    assert now.take(NOW).keys() == {"sysctl", "image"}

    now.full = True
    assert now.rested(NOW) == 0.0
    assert now.take(NOW).keys() == {"file"}


def test_nothing_that_waits_is_no_reason_to_wake() -> None:
    assert notices().rested(NOW) == math.inf


def test_what_could_not_be_set_right_is_looked_at_when_it_is_due() -> None:
    now = notices()
    now.looked(["file"], {"file": 4.0}, NOW)
    assert now.wait(NOW) == 4.0

    now.tick(NOW + 3.9, 7.0)
    assert now.take(NOW + 3.9) == {}
    now.tick(NOW + 4.0, 8.0)
    assert now.take(NOW + 4.0) == {"file": Noticed(8.0, "look")}

    now.looked(["file"], {}, NOW + 4.0)
    assert now.wait(NOW + 4.0) == LOOK_SECONDS - 4.0  # the timer of the image


def notices() -> Notices:
    made = Notices()
    made.follow(watched(BODY), monotonic=100.0)
    return made


def test_an_event_names_what_to_look_at_and_the_first_sign_counts() -> None:
    now = notices()
    now.touch((ETC_A,), "event", 5.0)
    now.touch((ETC_A,), "look", 6.0)

    assert now.take(NOW) == {"file": Noticed(5.0, "event")}
    assert now.take(NOW) == {}


def test_an_event_for_what_nobody_watches_is_nothing() -> None:
    now = notices()
    now.touch((WatchPath(Path("/etc/b")),), "event", 5.0)

    assert now.take(NOW) == {}


def test_what_sends_no_event_is_looked_at_by_the_clock() -> None:
    now = notices()
    (timer,) = now.due
    now.tick(100.0 + timer.seconds / 2, 7.0)
    assert now.take(NOW) == {}

    now.tick(100.0 + timer.seconds, 8.0)
    assert now.take(NOW) == {"image": Noticed(8.0, "look")}
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

    assert now.take(NOW) == {}
    assert now.wait(200.0) == FULL_LOOK
