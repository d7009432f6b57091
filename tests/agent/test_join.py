"""Joining: what is believed of a door, what is asked again, and that a crash is mended."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest
import zmq
from msgspec.structs import replace
from saltern_agent import __version__
from saltern_agent.host.door import CurveDoor, say
from saltern_agent.host.link_keys import NodeKeys
from saltern_agent.join import Granted, JoinError, Silence, Surroundings, join
from saltern_agent.places import Master, Places, SettingsError, pin, read_identity, read_master
from saltern_protocol import envelope, testing
from saltern_protocol.documents import encode_identity
from saltern_protocol.keys import fingerprint
from saltern_protocol.messages import Enrol, Enrolled, Message, Refused, Waiting, encode
from saltern_protocol.token import JoinToken

from tests.agent.fake_door import SERVER_PUBLIC, fake_door

ROOT = sha256(envelope.decode(testing.IDENTITY.root).payload).digest()
TOKEN = JoinToken(
    addresses=("127.0.0.1",),
    link_port=6555,
    door_port=6556,
    server=SERVER_PUBLIC,
    root=ROOT,
    cluster="demo",
    node="w1",
    secret=bytes(range(32)),
)
DATA = encode_identity(testing.IDENTITY)
ENROLLED = Enrolled(identity=DATA)
WAITING = Waiting(fingerprint="an operator compares the one that the machine shows")
OTHER_ROOT = replace(testing.IDENTITY, root=testing.signed_root(replace(testing.ROOT, version=2)))


@dataclass
class Script:
    """A door that says one thing after the other, the last one for ever; and a clock that waits."""

    answers: list[bytes | Silence]
    now: float = 0.0
    asked: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def ask(self, address: str, frame: bytes) -> bytes | Silence:
        assert frame == b"frame"
        self.asked.append(address)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def join(self, token: JoinToken = TOKEN, patience: float = 600) -> Granted:
        around = Surroundings(lambda: self.now, self.pause, lambda: 0.5, self.told.append)
        return join(token, b"frame", self, around, patience)


def failure(*answers: Message | bytes | Silence, token: JoinToken = TOKEN) -> str:
    frames = [encode(one) if isinstance(one, Message) else one for one in answers]
    with pytest.raises(JoinError) as caught:
        Script(frames).join(token)
    return str(caught.value)


def test_it_waits_for_the_master_and_for_an_operator_and_is_told_what_for() -> None:
    silent = Silence("nothing answers")
    script = Script([silent, silent, silent, encode(WAITING), encode(WAITING), encode(ENROLLED)])
    assert script.join() == Granted(testing.IDENTITY, DATA)
    assert script.waits == [1, 2, 4, 5, 5]
    assert len(script.told) == 2, "once for each kind of waiting"
    assert "approve" in script.told[1]
    assert "an operator compares" not in script.told[1], "only the machine's own key is shown"


def test_every_address_has_its_turn() -> None:
    script = Script([Silence("")] * 3 + [encode(ENROLLED)])
    script.join(replace(TOKEN, addresses=("a", "b", "c")))
    assert script.asked == ["a", "b", "c", "a"]


@pytest.mark.parametrize("answer", [Silence("nothing answers at a:1"), encode(WAITING)])
def test_it_gives_up_in_time_and_says_what_it_waited_for(answer: bytes | Silence) -> None:
    script = Script([answer])
    with pytest.raises(JoinError, match=r"within 36000 s: .*same command"):
        script.join(patience=36_000)
    assert 35_970 < script.now < 36_000
    assert max(script.waits) <= 15


def test_what_is_refused_is_not_asked_again_and_cannot_paint_the_terminal() -> None:
    text = failure(Refused(reason="token\x1b[2J", why="used up\r\nby \x9bm another"), ENROLLED)
    assert "refused" in text
    assert "used up" in text
    assert text.isprintable()


ENROL = Enrol(protocol=1, secret=b"", node="w1", sealing=bytes(32), kinds=(), release="", facts=b"")


@pytest.mark.parametrize("answer", [b"", b"\x80", b"\xc1", encode(ENROL)])
def test_an_answer_of_another_release_is_told(answer: bytes) -> None:
    assert "this release does not know" in failure(answer)


@pytest.mark.parametrize(
    ("identity", "said"),
    [
        (encode_identity(replace(testing.IDENTITY, node="w2")), 'node "w2"'),
        (encode_identity(OTHER_ROOT), "make a new token"),
        (
            encode_identity(
                replace(
                    testing.IDENTITY, root=testing.signed_root(testing.ROOT, [testing.STRANGER])
                )
            ),
            "no identity",
        ),
        (encode_identity(replace(testing.IDENTITY, cluster="other")), "no identity"),
        (b"nonsense", "no identity"),
        (DATA[:-1], "no identity"),
        (b"", "no identity"),
    ],
)
def test_what_the_token_did_not_promise_is_not_believed(identity: bytes, said: str) -> None:
    assert said in failure(Enrolled(identity=identity))


def test_a_token_for_another_node_does_not_fit() -> None:
    assert "make a new token" in failure(ENROLLED, token=replace(TOKEN, cluster="other"))


def test_the_release_is_the_one_of_the_distribution() -> None:
    file = Path(__file__).parents[2] / "agent" / "pyproject.toml"
    assert tomllib.loads(file.read_text())["project"]["version"] == __version__


# From here on: the command, in a process of its own, at a door that speaks CURVE.


@dataclass(frozen=True)
class Machine:
    """A machine, as far as the command touches it."""

    root: Path

    @property
    def places(self) -> Places:
        below = self.root
        return Places(below / "etc/saltern", below / "var/lib/saltern", below / "run/saltern")

    def join(self, token: str, *more: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "saltern_agent", "--root", str(self.root)]
        return subprocess.run(
            [*command, "join", *more, "--", token],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=50,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def granting(_key: bytes, _enrol: Enrol) -> Message:
    return ENROLLED


def token_for(port: int) -> JoinToken:
    return replace(TOKEN, door_port=port)


def test_a_machine_becomes_a_node(machine: Machine) -> None:
    with fake_door(granting) as door:
        token = token_for(door.port)
        done = machine.join(token.text())
    assert (done.returncode, done.stderr) == (0, "")
    keys = NodeKeys.read(machine.places.config)
    assert done.stdout.splitlines() == [
        f"this machine's key: {fingerprint(keys.link_public)}",
        "this is now node w1 of cluster demo, as worker",
    ]
    assert read_identity(machine.places) == testing.IDENTITY
    assert read_master(machine.places) == Master(
        addresses=token.addresses, link_port=6555, server=SERVER_PUBLIC
    )
    for file in machine.places.config.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600, file
    (knock,) = door.knocks
    assert knock[0] == keys.link_public, "the channel's key is the node's"
    assert knock[1].sealing == keys.sealing_public
    assert knock[1].secret == TOKEN.secret
    assert "file/1" in knock[1].kinds
    assert b"iptablesBackend" in knock[1].facts


def test_joining_again_is_fine_and_says_so(machine: Machine) -> None:
    with fake_door(granting) as door:
        text = token_for(door.port).text()
        first, again = machine.join(text), machine.join(text)
    assert (first.returncode, again.returncode) == (0, 0)
    assert again.stdout.splitlines()[0] == first.stdout.splitlines()[0], "the same key"
    assert again.stdout.splitlines()[1].startswith("this was already node w1")


@pytest.mark.parametrize("written", [(), ("link.key",), ("link.key", "sealing.key", "master")])
def test_what_was_cut_off_is_mended_by_the_same_command(
    machine: Machine, written: tuple[str, ...]
) -> None:
    """Cut after each file, with what a write that was cut off leaves behind."""
    with fake_door(granting) as door:
        text = token_for(door.port).text()
        machine.join(text)
        before = {name: (machine.places.config / name).read_bytes() for name in written}
        for file in machine.places.config.iterdir():
            if file.name not in written:
                (file.parent / f".saltern-{file.name}").write_bytes(b"cut")
                file.unlink()
        done = machine.join(text)
    assert done.returncode == 0, done.stderr
    assert read_identity(machine.places) == testing.IDENTITY
    assert {name: (machine.places.config / name).read_bytes() for name in written} == before
    assert not list(machine.places.config.glob(".saltern-*"))


def test_a_machine_that_is_somebody_else_asks_nobody(machine: Machine) -> None:
    pin(machine.places, encode_identity(replace(testing.IDENTITY, node="w9")))
    with fake_door(granting) as door:
        done = machine.join(token_for(door.port).text())
    assert done.returncode == 1
    assert 'this machine is node "w9"' in done.stderr
    assert door.knocks == []


@pytest.mark.parametrize("how", ["stdin", "file"])
def test_the_token_need_not_stand_in_the_command_line(machine: Machine, how: str) -> None:
    with fake_door(granting) as door:
        text = token_for(door.port).text()
        file = machine.root / "token"
        file.write_text(f"{text}\n")
        done = machine.join("-", stdin=f"{text}\n") if how == "stdin" else machine.join(f"@{file}")
    assert done.returncode == 0, done.stderr


def test_a_file_that_is_named_like_a_token_is_told_how_to_be_read(machine: Machine) -> None:
    file = machine.root / "w1.token"
    file.write_text(f"{TOKEN.text()}\n")
    done = machine.join(str(file))
    assert done.returncode == 1
    assert f"saltern-agent join - < {file}" in done.stderr
    assert not machine.places.config.exists()


def test_who_asks_a_machine_that_is_no_node_is_told_so(machine: Machine) -> None:
    machine.places.config.mkdir(parents=True)
    command = [sys.executable, "-m", "saltern_agent", "--root", str(machine.root), "status"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)
    assert done.returncode == 1
    assert "this machine is no node yet" in done.stderr
    pin(machine.places, DATA)
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)
    assert done.returncode == 1
    assert "systemctl start saltern-agent" in done.stderr


def test_a_mistyped_token_is_told_and_nothing_is_made(machine: Machine) -> None:
    done = machine.join(TOKEN.text()[:-3])
    assert done.returncode == 1
    assert "mistyped or cut" in done.stderr
    assert not machine.places.config.exists()


def test_a_master_that_waits_for_approval_is_asked_again_over_a_new_connection() -> None:
    said: list[Message | None] = [WAITING, None, ENROLLED]
    waits: list[float] = []
    around = Surroundings(time.monotonic, waits.append, lambda: 0.0, lambda _text: None)
    with fake_door(lambda _key, _enrol: said.pop(0)) as listening:
        token = token_for(listening.port)
        with CurveDoor(zmq.Context(), token, bytes(range(32)), time.monotonic, 1.0) as door:
            granted = join(token, encode(ENROL), door, around, 60)
    assert granted.data == DATA
    assert len(listening.knocks) == 3
    assert len(waits) == 2


def test_what_is_said_on_a_connection_that_failed_already_is_not_waited_for() -> None:
    with zmq.Context[zmq.Socket[bytes]]() as context, context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.SNDTIMEO, 10_000)
        began = time.monotonic()
        say(socket, b"x")
        assert time.monotonic() - began < 5


def test_a_door_without_the_master_s_key_hears_nothing(machine: Machine) -> None:
    with fake_door(granting) as door:
        impostor = replace(token_for(door.port), server=bytes(range(2, 34)))
        done = machine.join(impostor.text(), "--wait", "1")
    assert done.returncode == 1
    assert door.knocks == []
    assert "not the master that the token names" in done.stderr
    assert read_master(machine.places) is None


def test_where_nothing_listens_it_says_so(machine: Machine) -> None:
    with fake_door(granting) as door:
        port = door.port
    done = machine.join(token_for(port).text(), "--wait", "1")
    assert done.returncode == 1
    assert f"nothing answers at 127.0.0.1:{port}" in done.stderr


def test_a_master_that_says_nothing_is_told_and_not_waited_for_without_end(
    machine: Machine,
) -> None:
    with fake_door(lambda _key, _enrol: None) as door:
        done = machine.join(token_for(door.port).text(), "--wait", "1")
    assert done.returncode == 1
    assert len(door.knocks) == 1
    assert "is there, but has not answered" in done.stderr


@pytest.mark.parametrize("answer", [b"nonsense", encode(ENROL)])
def test_nonsense_from_the_door_is_told(machine: Machine, answer: bytes) -> None:
    with fake_door(lambda _key, _enrol: answer) as door:
        done = machine.join(token_for(door.port).text())
    assert done.returncode == 1
    assert "this release does not know" in done.stderr


def test_a_door_that_refuses_the_connection_is_told(machine: Machine) -> None:
    with fake_door(granting, zap_status=b"400") as door:
        done = machine.join(token_for(door.port).text(), "--wait", "1")
    assert done.returncode == 1
    assert door.knocks == []
    assert "something listens" in done.stderr


def test_nothing_secret_is_shown(machine: Machine) -> None:
    with fake_door(lambda _key, _enrol: Refused(reason="token-used", why="used")) as door:
        text = token_for(door.port).text()
        done = machine.join(text)
    keys = NodeKeys.read(machine.places.config)
    shown = done.stdout + done.stderr + repr(keys)
    assert done.returncode == 1
    assert "token-used" in shown
    for secret in (text, TOKEN.secret.hex(), keys.link.hex(), keys.sealing.hex()):
        assert secret not in shown


Spoil = Callable[[Path], None]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda directory: (directory / "link.key").chmod(0o640), "others can read it"),
        (lambda directory: (directory / "sealing.key").chmod(0o604), "others can read it"),
        (lambda directory: directory.chmod(0o777), "others can write there"),
        (lambda directory: (directory / "link.key").write_text("00\n"), "no key"),
        (lambda directory: (directory / "link.key").write_bytes(b"\xff" * 65), "no key"),
        (lambda directory: (directory / "link.key").unlink(), "join TOKEN"),
        (lambda directory: _behind_a_symlink(directory / "link.key"), "symlink"),
        (lambda directory: _a_pipe(directory / "link.key"), "no file of this user"),
    ],
)
def test_keys_that_are_not_ours_alone_are_refused(tmp_path: Path, spoil: Spoil, said: str) -> None:
    directory = tmp_path / "etc"
    made = NodeKeys.make(directory, lambda size: os.urandom(size))
    assert NodeKeys.read(directory) == made
    assert NodeKeys.make(directory, lambda size: bytes(size)) == made, "never made again"
    spoil(directory)
    with pytest.raises(SettingsError, match=said):
        NodeKeys.read(directory)


def _behind_a_symlink(path: Path) -> None:
    path.rename(path.parent / "elsewhere")
    path.symlink_to(path.parent / "elsewhere")


def _a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)
