"""A machine that was a node becomes one anew: when it may ask, and what is kept of what was."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_agent.journal import Journal
from saltern_agent.places import Lock, Master, Places, read_identity, read_master
from saltern_protocol import envelope, testing
from saltern_protocol.documents import body_hash, encode_identity, encode_statement
from saltern_protocol.messages import Enrol, Enrolled, Message, Refused
from saltern_protocol.terms import LAST_SECOND
from saltern_protocol.token import JoinToken
from saltern_states.body import Resource, make_body, write_body
from saltern_states.contract import Spec

from tests.agent.fake_door import FakeDoor, fake_door
from tests.agent.test_join import TOKEN, Machine
from tests.agent.test_root import DAEMON, FOREVER, IDENTITY, apply, made, running

NEW = replace(IDENTITY, incarnation="f" * 32)
OTHER = replace(IDENTITY, node="w9")


def token_for(door: FakeDoor, node: str = "w1") -> str:
    root = sha256(envelope.decode(FOREVER).payload).digest()
    made: JoinToken = replace(TOKEN, door_port=door.port, root=root, node=node)
    return made.text()


def granting(_key: bytes, _enrol: Enrol) -> Message:
    return Enrolled(identity=encode_identity(NEW))


def statement(version: int, *specs: Spec) -> bytes:
    body = write_body(make_body(tuple(Resource(id="r0", spec=spec) for spec in specs)))
    document = replace(testing.DOCUMENT, expires=LAST_SECOND, body=body_hash(body), version=version)
    policy = testing.signed_policy(replace(testing.POLICY, expires=LAST_SECOND))
    whole = replace(testing.statement(body, document), roots=(FOREVER,), policy=policy)
    return encode_statement(whole)


def holding(root: Path) -> Machine:
    """Give a machine that is a node and holds a file."""
    made(root)
    done = apply(root, statement(8, DAEMON))
    assert done.returncode == 0, done.stderr
    return Machine(root)


def emptied(root: Path) -> Machine:
    """Give one from which all was taken back, as a removal does it."""
    machine = holding(root)
    done = apply(root, statement(9))
    assert done.returncode == 0, done.stderr
    assert not (root / "etc/docker/daemon.json").exists()
    return machine


def aside(places: Places) -> Path:
    return Path(f"{places.journal}.{IDENTITY.incarnation}")


def test_a_removed_node_joins_anew_and_has_no_history(tmp_path: Path) -> None:
    machine = emptied(tmp_path)
    with fake_door(granting) as door:
        done = machine.join(token_for(door))
        again = machine.join(token_for(door))

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1] == "this is now node w1 of cluster demo, as worker"
    assert str(aside(machine.places)) in done.stderr
    assert read_identity(machine.places) == NEW
    assert isinstance(read_master(machine.places), Master)
    assert not machine.places.journal.exists()
    old = Journal(aside(machine.places)).accepted()
    assert old is not None
    assert old.statement == statement(9)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.splitlines()[1].startswith("this was already node w1")
    with running(tmp_path):
        pass
    with_new = Journal(machine.places.journal)
    assert (with_new.accepted(), with_new.owned(), with_new.drift()) == (None, {}, ())


def test_who_holds_something_asks_nobody_unless_told(tmp_path: Path) -> None:
    machine = holding(tmp_path)
    unfinished = Journal(machine.places.journal)  # as of an agent that was killed: it left a -wal
    unfinished.attempt("r0", 1.0, 1)
    with fake_door(granting) as door:
        refused = machine.join(token_for(door))
        assert refused.returncode == 1
        assert "holds 1 resources for it" in refused.stderr
        assert "saltern node remove w1" in refused.stderr
        assert door.knocks == []
        assert read_identity(machine.places) == IDENTITY
        told = machine.join(token_for(door), "--again")

    assert told.returncode == 0, told.stderr
    assert read_identity(machine.places) == NEW
    assert not list(machine.places.state.glob("journal.db-*"))
    kept = Journal(aside(machine.places))
    assert (list(kept.owned()), kept.attempts()) == (["r0"], {"r0": (1.0,)})
    assert (tmp_path / "etc/docker/daemon.json").exists(), "what stands there is left"


def test_what_is_still_to_be_made_counts_as_held(tmp_path: Path) -> None:
    machine = Machine(made(tmp_path))
    journal = Journal(machine.places.journal)
    journal.accept(statement(8, DAEMON), 1.0)
    journal.close()
    with fake_door(granting) as door:
        done = machine.join(token_for(door))
    assert "holds 1 resources for it" in done.stderr
    assert door.knocks == []


@pytest.mark.parametrize("more", [(), ("--again",)])
@pytest.mark.parametrize("machine_of", [emptied, holding])
def test_a_running_agent_is_not_pulled_from_under(
    tmp_path: Path, machine_of: Callable[[Path], Machine], more: tuple[str, ...]
) -> None:
    machine = machine_of(tmp_path)
    lock = Lock(machine.places)
    with fake_door(granting) as door:
        done = machine.join(token_for(door), *more)
    lock.release()
    assert done.returncode == 1
    to_be_stopped = machine_of is emptied or bool(more)
    assert ("systemctl stop saltern-agent" in done.stderr) == to_be_stopped
    assert door.knocks == []
    assert read_identity(machine.places) == IDENTITY


def test_no_agent_begins_while_the_machine_becomes_another_node(tmp_path: Path) -> None:
    machine = emptied(tmp_path)
    told: list[str] = []

    def meanwhile(key: bytes, enrol: Enrol) -> Message:
        command = [sys.executable, "-m", "saltern_agent", "--root", str(tmp_path), "run"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=50)
        told.append(done.stderr)
        return granting(key, enrol)

    with fake_door(meanwhile) as door:
        done = machine.join(token_for(door))
    assert done.returncode == 0, done.stderr
    assert "another saltern-agent does" in told[0]


def test_what_was_refused_leaves_the_node_as_it_was(tmp_path: Path) -> None:
    machine = emptied(tmp_path)
    with fake_door(lambda _key, _enrol: Refused(reason="token", why="used")) as door:
        done = machine.join(token_for(door))
    assert done.returncode == 1
    assert len(door.knocks) == 1
    assert read_identity(machine.places) == IDENTITY
    assert machine.places.journal.exists()
    assert not aside(machine.places).exists()


def test_what_was_cut_off_before_the_identity_is_mended_by_the_same_command(tmp_path: Path) -> None:
    machine = emptied(tmp_path)
    machine.places.journal.rename(aside(machine.places))
    with fake_door(granting) as door:
        done = machine.join(token_for(door))
    assert done.returncode == 0, done.stderr
    assert read_identity(machine.places) == NEW
    assert aside(machine.places).exists()


def test_what_was_put_aside_before_is_not_written_over(tmp_path: Path) -> None:
    machine = emptied(tmp_path)
    aside(machine.places).write_bytes(b"of a join that was cut off")
    with fake_door(granting) as door:
        done = machine.join(token_for(door))
    assert done.returncode == 0, done.stderr
    assert aside(machine.places).read_bytes() == b"of a join that was cut off"
    assert Journal(Path(f"{aside(machine.places)}.2")).accepted() is not None


def test_a_journal_that_cannot_be_read_is_only_put_aside_when_told(tmp_path: Path) -> None:
    machine = emptied(tmp_path)
    spoilt = b"not a database, but long enough to be looked at" * 99
    machine.places.journal.write_bytes(spoilt)
    Path(f"{machine.places.journal}-wal").write_bytes(b"wal")
    with fake_door(granting) as door:
        refused = machine.join(token_for(door))
        assert "cannot tell what this machine holds" in refused.stderr
        assert (refused.returncode, door.knocks) == (1, [])
        told = machine.join(token_for(door), "--again")
    assert told.returncode == 0, told.stderr
    assert aside(machine.places).read_bytes() == spoilt


def test_another_node_s_machine_becomes_one_only_when_told(tmp_path: Path) -> None:
    machine = emptied(tmp_path)
    with fake_door(lambda _key, _enrol: Enrolled(identity=encode_identity(OTHER))) as door:
        refused = machine.join(token_for(door, "w9"))
        assert 'this machine is node "w1"' in refused.stderr
        assert "--again" in refused.stderr
        assert door.knocks == []
        told = machine.join(token_for(door, "w9"), "--again")
    assert told.returncode == 0, told.stderr
    assert read_identity(machine.places) == OTHER
