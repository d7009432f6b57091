"""The agent's join at the real front: two distributions that never meet but in messages."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec import Struct
from saltern_agent.host.link_keys import NodeKeys
from saltern_master.front.frames import Answer, Knock
from saltern_protocol import envelope, testing
from saltern_protocol.documents import encode_identity
from saltern_protocol.messages import Enrolled, Message, Refused, encode, from_stranger
from saltern_protocol.token import JoinToken

from tests.master.front_stand import Core, fronts


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    with fronts(blobs) as one:
        yield one


class Joined(Struct, frozen=True):
    """How the command ended, and what it left on the machine."""

    code: int
    shown: str
    knock: Knock
    config: Path


def join(core: Core, root: Path, answer: Message) -> Joined:
    """Run the command; core answers its knock."""
    token = JoinToken(
        addresses=("127.0.0.1",),
        link_port=core.link_port,
        door_port=core.door_port,
        server=core.master.public,
        root=sha256(envelope.decode(testing.IDENTITY.root).payload).digest(),
        cluster="demo",
        node="w1",
        secret=bytes(range(32)),
    )
    command = [sys.executable, "-m", "saltern_agent", "--root", str(root), "join", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as agent:
        assert agent.stdin is not None
        agent.stdin.write(f"{token.text()}\n")
        agent.stdin.close()
        agent.stdin = None
        knock = core.wait(Knock)
        core.say(Answer(route=knock.route, data=encode(answer)))
        shown, _ = agent.communicate(timeout=50)
    return Joined(agent.returncode, shown, knock, root / "etc/saltern")


def test_a_machine_joins_through_the_front(core: Core, tmp_path: Path) -> None:
    done = join(core, tmp_path, Enrolled(identity=encode_identity(testing.IDENTITY)))
    assert done.code == 0, done.shown
    assert "this is now node w1 of cluster demo" in done.shown
    keys = NodeKeys.read(done.config)
    assert done.knock.key == keys.link_public
    asked = from_stranger(done.knock.data)
    assert (asked.node, asked.sealing) == ("w1", keys.sealing_public)
    assert asked.secret == bytes(range(32))


def test_what_core_refuses_is_told_on_the_machine(core: Core, tmp_path: Path) -> None:
    done = join(core, tmp_path, Refused(reason="token-used", why="it was used by another key"))
    assert done.code == 1
    assert "refused (token-used): it was used by another key" in done.shown
    assert not (done.config / "identity").exists()
