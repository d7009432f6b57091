"""The gate: which settings refuse a stranger, and what a gate that fails lets in (nobody)."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
import zmq
from saltern_master.front.gate import (
    COMINGS,
    DOOR,
    HUNG_SECONDS,
    LINK,
    Decide,
    Gate,
    GateError,
    Question,
    Verdict,
    decide,
)
from saltern_master.front.log import Log
from saltern_master.front.probe import EVERY, MISSES, PATIENCE, Probe
from saltern_master.front.sockets import bind, listen, port_of
from saltern_master.front.usher import send_to_room
from zmq.utils import z85

from tests.master.front_stand import SECONDS, Lines, dial, many_lines, new_keys

KNOWN, MASTER = new_keys(), new_keys()
IN, REFUSED = zmq.EVENT_HANDSHAKE_SUCCEEDED, zmq.EVENT_HANDSHAKE_FAILED_AUTH


def quiet() -> Log:
    return Log(io.StringIO(), time.monotonic)


@contextmanager
def gate_of(lines: Lines, answer: Decide = decide, log: Log | None = None) -> Iterator[Gate]:
    gate = Gate(lines.context, log or quiet(), answer)
    gate.allow(frozenset({KNOWN.public}))
    try:
        yield gate
    finally:
        gate.close()


@contextmanager
def our_link(lines: Lines) -> Iterator[int]:
    """Give the port of a link as the front makes it."""
    with closing(bind("127.0.0.1", 0, 100)) as listener:
        send_to_room(listener, frozenset())
        router = listen(lines.context, MASTER.secret, LINK, listener)
        try:
            yield port_of(router)
        finally:
            router.close(linger=0)


QUESTIONS = {
    "known": (LINK, b"CURVE", KNOWN.public, b"200"),
    "unknown": (LINK, b"CURVE", MASTER.public, b"400"),
    "unknown at the door": (DOOR, b"CURVE", MASTER.public, b"200"),
    "another domain": (b"", b"CURVE", KNOWN.public, b"400"),
    "no key at all": (LINK, b"NULL", b"", b"400"),
    "a password": (DOOR, b"PLAIN", b"root", b"400"),
    "a short key": (DOOR, b"CURVE", b"short", b"400"),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_verdict(name: str) -> None:
    domain, mechanism, key, verdict = QUESTIONS[name]
    assert decide(frozenset({KNOWN.public}), Question(domain, mechanism, key)) == verdict


def test_without_a_map_nothing_is_said_of_the_link() -> None:
    assert decide(None, Question(LINK, b"CURVE", KNOWN.public)) is None
    assert decide(None, Question(DOOR, b"CURVE", KNOWN.public)) == b"200"


@pytest.mark.parametrize("enforce", [0, 1])
@pytest.mark.parametrize("domain", [b"", b"link"], ids=["no domain", "domain"])
@pytest.mark.parametrize("handler", [False, True], ids=["no handler", "handler"])
def test_only_domain_and_enforce_together_are_closed_without_a_handler(
    lines: Lines, handler: bool, domain: bytes, enforce: int
) -> None:
    """The eight settings, as libzmq takes them: why sockets.py sets both, and probe.py tries."""
    open_ones = {(True, b"", 1), (False, b"", 0), (False, b"", 1), (False, b"link", 0)}
    router = lines.context.socket(zmq.ROUTER)
    router.setsockopt(zmq.CURVE_SERVER, 1)
    router.setsockopt(zmq.CURVE_SECRETKEY, MASTER.secret)
    router.setsockopt(zmq.HANDSHAKE_IVL, 500)
    router.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, enforce)
    if domain:
        router.setsockopt(zmq.ZAP_DOMAIN, domain)
    router.bind("tcp://127.0.0.1:*")
    with router, gate_of(lines) if handler else many_lines():
        stranger = dial(lines, new_keys(), MASTER.public, port_of(router))
        came_in = stranger.event() == IN
        router.close(linger=0)

    assert came_in == ((handler, domain, enforce) in open_ones)


@contextmanager
def link_with(lines: Lines, domain: bytes, enforce: int) -> Iterator[int]:
    """Give the port of a link with settings of one's own."""
    router = lines.context.socket(zmq.ROUTER)
    router.setsockopt(zmq.CURVE_SERVER, 1)
    router.setsockopt(zmq.CURVE_SECRETKEY, MASTER.secret)
    router.setsockopt(zmq.HANDSHAKE_IVL, 500)
    router.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, enforce)
    if domain:
        router.setsockopt(zmq.ZAP_DOMAIN, domain)
    router.bind("tcp://127.0.0.1:*")
    try:
        yield port_of(router)
    finally:
        router.close(linger=0)


@pytest.mark.parametrize("enforce", [0, 1])
@pytest.mark.parametrize("domain", [b"", b"link"], ids=["no domain", "domain"])
@pytest.mark.parametrize("handler", [False, True], ids=["no handler", "handler"])
def test_of_the_eight_settings_none_that_is_open_starts(
    lines: Lines, handler: bool, domain: bytes, enforce: int
) -> None:
    """An open one lets the probe in; one that asks nobody never answers it."""
    refuses = {(True, b"", 0), (True, b"link", 0), (True, b"link", 1)}

    def a_domain_or_none(allowed: frozenset[bytes] | None, question: Question) -> Verdict:
        return b"200" if question.key in (allowed or ()) else b"400"

    with (
        gate_of(lines, a_domain_or_none) if handler else many_lines(),
        link_with(lines, domain, enforce) as port,
    ):
        probe = probe_of(lines, port)
        if (handler, domain, enforce) in refuses:
            until(lambda: _looked(probe, 0.0) == 1)
        else:
            with pytest.raises(GateError):
                _knock_in_vain(probe)
        probe.close()


def _knock_in_vain(probe: Probe) -> None:
    """Knock for two seconds; then it is as late as it may be."""
    end = time.monotonic() + 2
    while time.monotonic() < end:
        assert _looked(probe, 0.0) == 0
        threading.Event().wait(0.01)
    probe.look(PATIENCE)


def test_no_handler_lets_nobody_into_our_link_not_even_who_is_known(lines: Lines) -> None:
    with our_link(lines) as port:
        nodes = [dial(lines, keys, MASTER.public, port) for keys in (KNOWN, new_keys())]
        assert IN not in [node.event() for node in nodes]


def test_an_error_in_the_gate_is_silence_and_ends_with_it(lines: Lines) -> None:
    """Silence, and not 500: libzmq's client would never come again."""
    broken, said = threading.Event(), io.StringIO()
    broken.set()

    def answer(allowed: frozenset[bytes] | None, question: Question) -> Verdict:
        if broken.is_set():
            raise OSError("the disk is gone")
        return decide(allowed, question)

    log = Log(said, time.monotonic)
    with our_link(lines) as port, gate_of(lines, answer, log) as gate:
        known, stranger = (dial(lines, keys, MASTER.public, port) for keys in (KNOWN, new_keys()))
        until(lambda: said.getvalue().count("the disk is gone") == 2)
        gate.watch(time.monotonic())
        broken.clear()
        again, other = (dial(lines, keys, MASTER.public, port) for keys in (KNOWN, new_keys()))
        assert (again.event(), other.event()) == (IN, REFUSED)
        assert known.monitor.poll(0) == stranger.monitor.poll(0) == 0
        assert gate.refused == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_gate_that_was_killed_is_started_again(lines: Lines) -> None:
    def answer(allowed: frozenset[bytes] | None, question: Question) -> Verdict:
        if question.key == poison.public:
            raise SystemExit  # what no `except Exception` holds
        return decide(allowed, question)

    poison = new_keys()
    with our_link(lines) as port, gate_of(lines, answer) as gate:
        dial(lines, poison, MASTER.public, port)
        until(lambda: "gate" not in {thread.name for thread in threading.enumerate()})
        gate.watch(time.monotonic())
        known, stranger = (dial(lines, keys, MASTER.public, port) for keys in (KNOWN, new_keys()))
        assert (known.event(), stranger.event()) == (IN, REFUSED)


def test_a_gate_that_hangs_ends_the_front_and_lets_nobody_in(lines: Lines) -> None:
    hanging, go_on = threading.Event(), threading.Event()

    def answer(_allowed: frozenset[bytes] | None, _question: Question) -> Verdict:
        hanging.set()
        go_on.wait(SECONDS)
        return None

    with our_link(lines) as port, gate_of(lines, answer) as gate:
        nodes = [dial(lines, keys, MASTER.public, port) for keys in (KNOWN, new_keys())]
        assert hanging.wait(SECONDS)
        began = time.monotonic()
        gate.watch(began)
        gate.watch(began + 600)  # nobody ran meanwhile: this says nothing of the gate
        for tick in range(1, 4):
            gate.watch(began + 600 + tick * HUNG_SECONDS / 5)
        with pytest.raises(GateError, match="the gate gave no sign"):
            gate.watch(began + 600 + HUNG_SECONDS)
        assert [node.monitor.poll(0) for node in nodes] == [0, 0]
        go_on.set()


def test_the_probe_passes_where_strangers_are_refused(lines: Lines) -> None:
    with our_link(lines) as port, gate_of(lines):
        probe = probe_of(lines, port)
        until(lambda: _looked(probe, 0.0) == 1)
        assert _looked(probe, EVERY - 1) == 1
        until(lambda: _looked(probe, EVERY) == 2)
        probe.close()


def test_the_probe_ends_a_front_that_lets_strangers_in(lines: Lines) -> None:
    with our_link(lines) as port, gate_of(lines, lambda _allowed, _question: b"200"):
        probe = probe_of(lines, port)
        with pytest.raises(GateError, match="let in a key that nobody knows"):
            until(lambda: _looked(probe, 0.0) == 1)


def test_no_answer_ends_a_start_but_no_front_under_a_storm(lines: Lines) -> None:
    deaf = threading.Event()

    def answer(allowed: frozenset[bytes] | None, question: Question) -> Verdict:
        return None if deaf.is_set() else decide(allowed, question)

    with our_link(lines) as port, gate_of(lines, answer):
        deaf.set()
        starting = probe_of(lines, port)
        starting.look(0)
        with pytest.raises(GateError, match="did not refuse"):
            starting.look(PATIENCE)
        deaf.clear()
        serving = probe_of(lines, port)
        until(lambda: _looked(serving, 0.0) == 1)
        deaf.set()
        for number in range(1, MISSES):
            serving.look(number * EVERY)
            serving.look(number * EVERY + PATIENCE)
        serving.look(MISSES * EVERY)
        with pytest.raises(GateError):
            serving.look(MISSES * EVERY + PATIENCE)


def test_a_flood_that_shuts_the_entrance_ends_no_front(lines: Lines) -> None:
    """Else strangers who keep it shut for two minutes would end every node's connection."""
    with closing(bind("127.0.0.1", 0, 100)) as listener, gate_of(lines):
        send_to_room(listener, frozenset())
        router = listen(lines.context, MASTER.secret, LINK, listener)
        probe = probe_of(lines, port_of(router))
        until(lambda: _looked(probe, 0.0) == 1)
        send_to_room(listener, None)
        for number in range(1, 2 * MISSES):
            probe.look(number * EVERY, turned_away=True)
            probe.look(number * EVERY + 1)
            probe.look(number * EVERY + PATIENCE)
        send_to_room(listener, frozenset())
        later = 2 * MISSES * EVERY
        until(lambda: _looked(probe, later) == 2)
        send_to_room(listener, None)
        for number in range(1, MISSES):
            probe.look(later + number * EVERY)
            probe.look(later + number * EVERY + PATIENCE)
        probe.look(later + MISSES * EVERY)
        with pytest.raises(GateError):
            probe.look(later + MISSES * EVERY + PATIENCE)
        router.close(linger=0)


def probe_of(lines: Lines, port: int) -> Probe:
    server = z85.encode(MASTER.public)
    return Probe(lines.context, f"tcp://127.0.0.1:{port}", server)


def _looked(probe: Probe, now: float) -> int:
    probe.look(now)
    return probe.passed


def until(true: Callable[[], bool]) -> None:
    """Wait for a fact, with a deadline."""
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end, "it did not come true"
        threading.Event().wait(0.01)


def test_keys_are_shown_by_fingerprints_and_text_is_escaped_and_bounded() -> None:
    said = io.StringIO()
    log = Log(said, lambda: 0.0)
    for _ in range(300):
        log.say("a\x1b[2Jb\n" + "x" * 5000)

    out = said.getvalue().splitlines()
    assert len(out) == 200
    assert out[0].startswith("front: a\\x1b[2Jb\\nxxx")
    assert max(map(len, out)) < 600


def test_a_known_key_has_so_many_connections_and_others_come_in(lines: Lines) -> None:
    other = new_keys()
    with gate_of(lines) as gate, our_link(lines) as port:
        gate.allow(frozenset({KNOWN.public, other.public}))
        gate.watch(now := time.monotonic())
        for _ in range(int(COMINGS.burst)):
            assert dial(lines, KNOWN, MASTER.public, port).event() == IN
        beyond = dial(lines, KNOWN, MASTER.public, port)
        assert dial(lines, other, MASTER.public, port).event() == IN
        assert not beyond.monitor.poll(200), "it is answered nothing"
        gate.watch(now + 1 / COMINGS.per_second)
        assert dial(lines, KNOWN, MASTER.public, port).event() == IN
