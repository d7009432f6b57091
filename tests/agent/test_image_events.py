"""docker's events of images, from a socket that speaks as docker does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_agent.host.events.images import LINE_BYTES, ImageSource, Talk
from saltern_agent.sources import Events
from saltern_states.contract import Watch, WatchImage, WatchTimer

from tests.agent.docker_events import HEAD, SAVE, UNTAG, TellingDocker
from tests.agent.waiting import DEADLINE_SECONDS, drain, readable, wait_for
from tests.open_descriptors import STRAY, open_descriptors

PAUSE, ECHO = WatchImage("pause:1"), WatchImage("echo:1")
BOTH: frozenset[Watch] = frozenset({PAUSE, ECHO})
SOON = 0.02


@pytest.fixture
def docker(tmp_path: Path) -> Iterator[TellingDocker]:
    docker = TellingDocker(tmp_path)
    docker.start()
    yield docker
    docker.stop()


@pytest.fixture
def source(docker: TellingDocker) -> Iterator[ImageSource]:
    source = ImageSource(docker.address, docker.pid_file, retry_seconds=SOON)
    yield source
    source.close()


def listening(source: ImageSource, docker: TellingDocker) -> None:
    source.set_watches(BOTH)
    docker.answer()
    assert wait_for(source, lambda events: events.touched == BOTH) == Events(BOTH)


def test_what_is_asked_for_is_events_of_images_alone(
    source: ImageSource, docker: TellingDocker
) -> None:
    source.set_watches(BOTH)
    line = docker.answer().split(b"\r\n")[0]
    assert line == b"GET /events?filters=%7B%22type%22%3A%5B%22image%22%5D%7D HTTP/1.0"


@pytest.mark.parametrize("action", [b"untag", b"delete", b"tag", b"load", b"pull", b"import"])
def test_whatever_names_or_takes_an_image_touches_all(
    source: ImageSource, docker: TellingDocker, action: bytes
) -> None:
    listening(source, docker)
    docker.say(UNTAG.replace(b"untag", action))
    assert wait_for(source, lambda events: bool(events.touched)) == Events(BOTH)


def test_saving_an_image_touches_nothing(source: ImageSource, docker: TellingDocker) -> None:
    listening(source, docker)
    docker.say(SAVE)
    assert readable(source, 5)
    assert drain(source) == Events()


def test_an_event_in_pieces_is_one(source: ImageSource, docker: TellingDocker) -> None:
    listening(source, docker)
    docker.say(UNTAG[:40])
    assert readable(source, 5)
    assert drain(source) == Events()
    docker.say(UNTAG[40:])
    assert wait_for(source, lambda events: bool(events.touched)) == Events(BOTH)


def test_what_is_too_long_is_not_kept_and_not_passed_over(
    source: ImageSource, docker: TellingDocker
) -> None:
    listening(source, docker)
    docker.say(b"x" * (LINE_BYTES + 1))
    assert readable(source, 5)
    drain(source)
    docker.say(b"\n" + SAVE)
    assert wait_for(source, lambda events: bool(events.touched)) == Events(BOTH)


def comes_back(source: ImageSource, docker: TellingDocker) -> None:
    """Let the source connect when it sees fit, and answer."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not docker.waits():
        assert time.monotonic() < deadline
        if readable(source, SOON):
            assert source.read() == Events()
    docker.answer()
    assert wait_for(source, lambda events: events.touched == BOTH) == Events(BOTH)


def test_a_docker_that_restarts_is_heard_again_and_all_is_looked_at(
    source: ImageSource, docker: TellingDocker
) -> None:
    listening(source, docker)
    docker.stop()
    assert readable(source, 5)
    assert source.read() == Events()
    docker.start()
    comes_back(source, docker)
    assert source.trouble() == ""
    docker.say(UNTAG)
    assert wait_for(source, lambda events: bool(events.touched)) == Events(BOTH)


def test_a_docker_that_does_not_run_is_not_started_by_listening(
    source: ImageSource, docker: TellingDocker
) -> None:
    docker.pid_file.write_text("1")  # lives, and is no dockerd
    source.set_watches(BOTH)
    for _ in range(3):
        assert readable(source, 5)
        assert source.read() == Events()
    assert not docker.waits()
    assert source.trouble() == ""


def test_a_docker_that_refuses_is_trouble_and_asked_again(
    source: ImageSource, docker: TellingDocker
) -> None:
    source.set_watches(BOTH)
    docker.answer(HEAD.replace(b"200 OK", b"500 Internal Server Error"))
    assert readable(source, 5)
    drain(source)
    assert source.trouble() == "cannot hear of images: docker says '500 Internal Server Error'"
    comes_back(source, docker)
    assert source.trouble() == ""


def test_a_docker_that_does_not_answer_is_trouble(docker: TellingDocker) -> None:
    source = ImageSource(docker.address, docker.pid_file, retry_seconds=9, answer_seconds=SOON)
    source.set_watches(BOTH)
    assert readable(source, 5)
    assert source.read() == Events()
    assert "docker has not answered" in source.trouble()
    source.close()


def test_who_watches_no_image_speaks_with_no_docker(
    source: ImageSource, docker: TellingDocker
) -> None:
    source.set_watches(frozenset({WatchTimer(1.0)}))
    assert not docker.waits(0.05)
    listening(source, docker)
    source.set_watches(frozenset())
    with pytest.raises(BrokenPipeError):
        docker.say(UNTAG)
    assert not readable(source, 0.05)


def test_nothing_leaks_over_many_connections(docker: TellingDocker) -> None:
    source = ImageSource(docker.address, docker.pid_file, retry_seconds=SOON)
    listening(source, docker)
    before = open_descriptors()
    for _ in range(50):
        docker.hang_up()
        comes_back(source, docker)
    assert open_descriptors() < before + STRAY
    source.close()


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_whatever_a_docker_says_is_borne(pieces: list[bytes]) -> None:
    """In pieces or at once it means the same, and who refused says no more."""
    parted, whole = Talk(), Talk()
    looks = [parted.take(piece) for piece in (HEAD, *pieces)]
    assert any(looks) == whole.take(HEAD + b"".join(pieces))
    assert parted.answered == whole.answered
    refused = Talk()
    assert not refused.take(b"HTTP/1.0 404 Not Found\r\n\r\n")
    assert refused.refusal
    assert not any(refused.take(piece) for piece in (HEAD, *pieces, UNTAG))
