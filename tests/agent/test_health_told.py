"""The condition of a node as its master hears it: after each Hello, and when something is news."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from saltern_protocol import messages
from saltern_protocol.condition import State
from saltern_protocol.messages import Condition
from saltern_protocol.report import Applied, Outcome
from saltern_states.certificate import Certificate

from tests.agent.fake_master import FakeMaster
from tests.agent.test_link import Joined, body
from tests.agent.test_root import DAEMON, made

CERTIFICATE = Certificate(
    path="/etc/docker/w1.crt",
    key="/etc/docker/w1.key",
    issuer="kubernetes",
    common_name="w1",
    usages=("client",),
    ca="-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
)


@pytest.fixture
def master() -> Iterator[FakeMaster]:
    master = FakeMaster()
    yield master
    master.close()


@pytest.fixture
def node(tmp_path: Path, master: FakeMaster) -> Joined:
    joined = Joined(made(tmp_path), master)
    joined.join()
    return joined


def names(condition: Condition) -> tuple[str, ...]:
    return tuple(one.name for one in condition.parts)


def test_a_node_tells_its_parts_before_it_has_a_document(node: Joined, master: FakeMaster) -> None:
    with node.running():
        told = master.wait(Condition)
    assert names(told)[:2] == ("machine", "disk")
    assert set(names(told)[2:]) <= {"clock"}  # a container has none
    assert all(0 < one.since_us <= told.at_us for one in told.parts)
    assert all(bool(one.why) == (one.state is not State.GOOD) for one in told.parts)


def test_it_tells_them_after_each_hello(node: Joined, master: FakeMaster) -> None:
    with node.running():
        first = master.wait(Condition)
        before = sum(isinstance(one, Condition) for one in master.heard)
        master.tell(messages.Again())

        def later(_: Condition) -> bool:
            return sum(isinstance(one, Condition) for one in master.heard) > before

        again = master.wait(Condition, later)
        assert names(again) == names(first)
    heard = [type(one) for one in master.heard]
    assert heard.count(messages.Hello) == 2


def test_what_a_document_brings_is_a_part_once_it_is_applied(
    node: Joined, master: FakeMaster
) -> None:
    def bad(condition: Condition) -> bool:
        return any(one.name == "certificates" and one.state is State.BAD for one in condition.parts)

    with node.running():
        master.wait(Condition)
        master.publish(body(DAEMON, CERTIFICATE), version=1, turn=5)
        applied = master.wait_item(Applied)
        assert applied.outcome is not Outcome.CONVERGED
        told = master.wait(Condition, bad)
    (part,) = (one for one in told.parts if one.name == "certificates")
    assert part.why == "/etc/docker/w1.crt: no such file or directory"
    assert [one for one in told.parts if one.name == "disk"] == [told.parts[1]]
