"""The control socket: what a stranger may send, and what a node's names may hold."""

from __future__ import annotations

import socket
from pathlib import Path

import msgspec
import pytest
from saltern_agent.control import AskStatus, Client, Control, Question, to_json
from saltern_agent.converge import Done
from saltern_agent.events import End, done_line, drift_line, making_line, planned_line
from saltern_agent.plan import Planned
from saltern_agent.recording import Noticed, as_drift
from saltern_agent.steps import Step
from saltern_states.body import Resource
from saltern_states.directory import Directory
from saltern_states.kinds import kind_of
from saltern_states.testing import FakeHost

NESTED = b'{"ask": "status", "x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"


def ask(control: Control, path: Path, question: bytes) -> bytes:
    """Send a question and serve it; gives the answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        control.accept()
        (descriptor,) = control.clients
        connection.setblocking(False)
        left = memoryview(question + b"\n")
        while left:
            left = left[connection.send(left[:65536]) :]
            control.serve(descriptor)
        control.serve(descriptor)
        connection.settimeout(10)
        return connection.recv(65536)


@pytest.mark.parametrize(
    "question", [NESTED, b"{", b"\xff", b'{"ask": "all"}', b'{"ask":"pl\xd9n"}']
)
def test_what_is_no_question_is_answered_and_ends_nothing(tmp_path: Path, question: bytes) -> None:
    asked: list[Question] = []

    def answer(question: Question, client: Client) -> None:
        asked.append(question)
        client.say(End(True))

    path = tmp_path / "agent.sock"
    control = Control(path, answer)
    try:
        end = msgspec.json.decode(ask(control, path, question), type=End)
        assert not end.ok
        assert end.error.startswith("cannot read the question")

        assert msgspec.json.decode(ask(control, path, b'{"ask":"status"}'), type=End).ok
        assert asked == [AskStatus()]
    finally:
        control.close()


def test_a_name_that_is_no_text_goes_into_every_line() -> None:
    host = FakeHost()
    host.files.put_directory("/etc/a")
    host.files.put_file("/etc/a/\udcff", b"")
    spec = Directory(path="/etc/a", only=("kept",))
    kind = kind_of(spec)
    step = Step("hold", Resource(id="directory", spec=spec))
    why = "cannot read /etc/a/\udcff"
    changes = kind.diff(spec, kind.observe(host, spec))
    lines = (
        planned_line(Planned(step, "to change", changes, why)),
        done_line(Done(step, "failed", changes, why), "drift"),
        drift_line(as_drift(Planned(step, "blocked", why=why), Noticed(0.0, "event"), 0.0), 0.0),
        *(making_line(step, change, "drift") for change in changes),
    )

    assert len(lines) > 3 or "\\udcff" in why
    for line in lines:
        assert b"udcff" in to_json(line)
