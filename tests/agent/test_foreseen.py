"""What a plan foresees of a unit whose file is written in the same plan: what will be done."""

from __future__ import annotations

from pathlib import Path

from saltern_agent.converge import converge
from saltern_agent.plan import plan
from saltern_agent.steps import steps
from saltern_states.body import Resource, make_body
from saltern_states.file import File
from saltern_states.testing import FakeHost
from saltern_states.unit import Unit

from tests.agent.test_converge import Memory, made

PATH = "/etc/systemd/system/probe.service"
TEXT = "[Service]\nExecStart=/usr/bin/sleep {}\n"
INSTALL = "[Install]\nWantedBy=multi-user.target\n"


def said_and_done(host: FakeHost, text: str) -> tuple[list[str], list[str]]:
    body = make_body(
        (
            Resource(id="file", spec=File(path=PATH, text=text)),
            Resource(id="unit", spec=Unit(unit="probe.service"), after=("file",)),
        )
    )
    todo = steps(body, {})
    found = plan(host, todo)
    assert not any(one.hindered for one in found.steps)
    said = [str(change) for one in found.steps for change in one.changes]
    return said, made(converge(host, todo, Memory()))


def node() -> FakeHost:
    host = FakeHost()
    host.files.put_directory(Path(PATH).parent)
    return host


def test_a_unit_whose_file_is_yet_to_come_is_enabled_and_started() -> None:
    said, done = said_and_done(node(), TEXT.format(1) + INSTALL)
    assert said == done
    assert said[1:] == ["enable probe.service", "start probe.service (was inactive)"]


def test_one_that_cannot_be_enabled_is_started() -> None:
    said, done = said_and_done(node(), TEXT.format(1))
    assert said == done
    assert said[1:] == ["start probe.service (was inactive)"]


def test_of_another_file_systemd_is_told() -> None:
    host = node()
    said_and_done(host, TEXT.format(1) + INSTALL)
    said, done = said_and_done(host, TEXT.format(2) + INSTALL)
    assert said == done
    assert said[1:] == ["systemctl daemon-reload (for probe.service)"]
