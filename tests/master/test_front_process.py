"""The front as a process: who gets in, what goes through it, and what happens when it dies."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest
import zmq
from msgspec.structs import replace
from saltern_master.front.frames import (
    Admit,
    Answer,
    Expel,
    Grant,
    Knock,
    Load,
    Peers,
    Silent,
    Tell,
    Up,
)
from saltern_protocol import messages
from saltern_protocol.messages import (
    MAX_PART,
    Ack,
    Again,
    Beat,
    BlobAsk,
    BlobPart,
    Enrol,
    Fetch,
    Health,
    Plan,
    PlanLine,
    Poke,
    Refused,
    Report,
    Waiting,
)

from tests.master.front_stand import (
    HEALTH,
    HELLO,
    REPORT,
    SECONDS,
    A,
    B,
    Core,
    Lines,
    Node,
    dial,
    end,
    fronts,
    greeted,
    new_keys,
    setup_of,
    start,
)
from tests.protocol.examples import FROM_STRANGER

ENROL = next(one for one in FROM_STRANGER.values() if isinstance(one, Enrol))


def test_a_stranger_is_refused_and_a_node_is_not(core: Core, lines: Lines) -> None:
    stranger, node = core.node(lines), core.node(lines, A)

    assert stranger.event() == zmq.EVENT_HANDSHAKE_FAILED_AUTH
    assert node.event() == zmq.EVENT_HANDSHAKE_SUCCEEDED


def test_who_was_admitted_later_gets_in(core: Core, lines: Lines) -> None:
    late = new_keys()
    core.say(Admit(key=late.public))
    greeted(core, core.node(lines, A))  # so that the frame was read

    assert core.node(lines, late).event() == zmq.EVENT_HANDSHAKE_SUCCEEDED


def test_a_conversation_goes_through_both_ways(core: Core, lines: Lines) -> None:
    node = greeted(core, core.node(lines, A))

    core.say(Tell(key=A.public, data=messages.encode(Poke())))
    assert node.hear() == Poke()
    node.say(Fetch())
    core.heard(node, Fetch)
    node.say(HEALTH)
    assert node.hear() == Beat()
    core.heard(node, Health)
    node.say(replace(HEALTH, tick=HEALTH.tick + 1))
    assert node.hear() == Beat()
    node.say(REPORT, REPORT, Fetch())  # the second is out of turn
    core.heard(node, Report)
    core.heard(node, Fetch)
    core.say(Tell(key=A.public, data=messages.encode(Ack(seq=3))))
    assert node.hear() == Ack(seq=3)
    node.say(REPORT)
    core.heard(node, Report)


def test_the_largest_message_that_may_be_said_goes_through(core: Core, lines: Lines) -> None:
    node = greeted(core, core.node(lines, A))
    line = PlanLine(resource="r", verb="hold", finding="to change", change="x", impact="none")
    most = (replace(line, detail="x" * 60_000),) * 4
    full = Plan(turn=1, page=0, last=True, lines=(*most, replace(line, detail="x" * 1000)))
    room = messages.MAX_MESSAGE - len(messages.encode(full))
    full = replace(full, lines=(*most, replace(line, detail="x" * (1000 + room))))
    assert len(messages.encode(full)) == messages.MAX_MESSAGE

    node.say(full)
    assert core.heard(node, Plan) == full


def test_without_hello_there_is_no_conversation(core: Core, lines: Lines) -> None:
    node = core.node(lines, A)
    node.say(Fetch())

    assert node.hear() == Again()
    assert core.heard_nothing(A.public)


def test_a_revoked_peer_is_cut_off_from_its_next_message_on(core: Core, lines: Lines) -> None:
    node, other = greeted(core, core.node(lines, A)), greeted(core, core.node(lines, B))
    core.say(Expel(key=A.public), Tell(key=B.public, data=messages.encode(Poke())))
    assert other.hear() == Poke()

    node.say(Fetch(), Fetch(), HEALTH, HELLO)
    answer = node.hear()
    assert isinstance(answer, Refused)
    assert answer.reason == "revoked"
    other.say(Fetch())
    core.heard(other, Fetch)
    assert not node.socket.poll(0)  # told once
    assert core.heard_nothing(A.public)
    assert core.node(lines, A).event() == zmq.EVENT_HANDSHAKE_FAILED_AUTH


def test_a_removed_peer_is_told_at_once_and_only_once(core: Core, lines: Lines) -> None:
    node, other = greeted(core, core.node(lines, A)), greeted(core, core.node(lines, B))
    core.say(Expel(key=A.public, reason="removed", why="this node was removed"))
    assert node.hear() == Refused(reason="removed", why="this node was removed")

    node.say(Fetch(), HEALTH)
    other.say(Fetch())
    core.heard(other, Fetch)
    assert not node.socket.poll(0)
    assert core.heard_nothing(A.public)


def test_a_map_without_a_peer_revokes_it(core: Core, lines: Lines) -> None:
    node = greeted(core, core.node(lines, A))
    core.say(Peers(keys=(B.public,)), Tell(key=A.public, data=messages.encode(Poke())))
    assert core.wait(Silent).key == A.public

    node.say(Fetch())
    assert isinstance(node.hear(), Refused)


def test_a_claimed_routing_id_gets_nothing_of_its_owner(core: Core, lines: Lines) -> None:
    port, key = core.link_port, core.master.public
    owner = greeted(core, dial(lines, A, key, port, route=b"\x00same"))
    thief = dial(lines, B, key, port, route=b"\x00same")
    assert thief.event() == zmq.EVENT_HANDSHAKE_SUCCEEDED
    thief.say(HELLO, Fetch())

    core.say(Tell(key=A.public, data=messages.encode(Ack(seq=7))))
    assert owner.hear() == Ack(seq=7)
    assert not thief.socket.poll(0)
    assert core.heard_nothing(B.public)


def test_an_inherited_routing_id_ends_the_session_before(core: Core, lines: Lines) -> None:
    port, key = core.link_port, core.master.public
    first = greeted(core, dial(lines, A, key, port, route=b"\x00same"))
    first.close()
    core.say(Tell(key=A.public, data=messages.encode(Poke())))
    heir = _heir(core, lines)

    core.wait(Silent, A.public)
    core.say(Tell(key=A.public, data=messages.encode(Ack(seq=7))))
    core.wait(Silent, A.public)
    core.say(Tell(key=B.public, data=messages.encode(Ack(seq=8))))
    assert heir.hear() in (Poke(), Ack(seq=8))  # never the Ack of the other


def _heir(core: Core, lines: Lines) -> Node:
    """Connect with B and A's routing id until libzmq has given that away."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        heir = dial(lines, B, core.master.public, core.link_port, route=b"\x00same")
        heir.say(HELLO)
        try:
            core.wait(Up, B.public, seconds=1)
        except AssertionError:
            heir.close()
        else:
            return heir
    pytest.fail("the routing id was not given away")


def test_a_second_connection_of_a_key_takes_the_session(core: Core, lines: Lines) -> None:
    first = greeted(core, core.node(lines, A))
    second = greeted(core, core.node(lines, A))

    first.say(Fetch())
    assert first.hear() == Again()
    core.say(Tell(key=A.public, data=messages.encode(Poke())))
    assert second.hear() == Poke()


def test_a_message_to_nobody_comes_back_as_silence(core: Core, lines: Lines) -> None:
    core.say(Tell(key=A.public, data=messages.encode(Poke())))
    assert core.wait(Silent).key == A.public

    greeted(core, core.node(lines, A)).close()
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        core.say(Tell(key=A.public, data=messages.encode(Poke())))
        if core.read(0.05):
            break
    assert core.wait(Silent).key == A.public


def test_a_blob_comes_by_parts_as_many_as_were_asked_for(
    core: Core, lines: Lines, tmp_path: Path
) -> None:
    body = bytes(range(256)) * (MAX_PART * 5 // 2 // 256)
    digest = _keep(tmp_path, body)
    node = greeted(core, core.node(lines, A))
    core.say(Grant(key=A.public, blobs=(digest,)), Tell(key=A.public, data=_POKE))
    assert node.hear() == Poke()

    node.say(BlobAsk(blob=digest, offset=0, credit=2), HEALTH)
    parts = _parts(node, 3)
    assert [(part.offset, len(part.data)) for part in parts[:2]] == [
        (0, MAX_PART),
        (MAX_PART, MAX_PART),
    ]
    assert {part.size for part in parts} == {len(body)}
    assert parts[2:] == []
    node.say(BlobAsk(blob=digest, offset=2 * MAX_PART, credit=64), HEALTH)
    rest = _parts(node, 2)
    assert b"".join(part.data for part in parts + rest) == body


def test_more_than_a_socket_takes_at_once_arrives_whole(
    core: Core, lines: Lines, tmp_path: Path
) -> None:
    body = hashlib.sha256(b"seed").digest() * (MAX_PART * 192 // 32)
    digest = _keep(tmp_path, body)
    node = greeted(core, core.node(lines, A))
    core.say(Grant(key=A.public, blobs=(digest,)), Tell(key=A.public, data=_POKE))
    assert node.hear() == Poke()

    got = bytearray()
    while len(got) < len(body):
        node.say(BlobAsk(blob=digest, offset=len(got), credit=64))
        for _ in range(min(64, (len(body) - len(got)) // MAX_PART)):
            part = node.hear()
            assert isinstance(part, BlobPart)
            assert part.offset == len(got)
            got += part.data
    assert bytes(got) == body


def _keep(blobs: Path, body: bytes) -> bytes:
    """Put a blob where the front reads it, also when it is no longer root."""
    digest = hashlib.sha256(body).digest()
    (blobs / digest.hex()).write_bytes(body)
    blobs.chmod(0o711)
    return digest


def _parts(node: Node, answers: int) -> list[BlobPart]:
    """Give the parts among so many answers."""
    heard = [node.hear() for _ in range(answers)]
    return [one for one in heard if isinstance(one, BlobPart)]


_POKE = messages.encode(Poke())


def test_what_is_not_granted_or_not_there_is_refused_alike(
    core: Core, lines: Lines, tmp_path: Path
) -> None:
    secret, missing = _keep(tmp_path, b"another's"), hashlib.sha256(b"nowhere").digest()
    linked = hashlib.sha256(b"linked").digest()
    (tmp_path / linked.hex()).symlink_to(tmp_path / secret.hex())
    node = greeted(core, core.node(lines, A))
    core.say(
        Grant(key=A.public, blobs=(missing, linked)),
        Grant(key=B.public, blobs=(secret,)),
        Tell(key=A.public, data=_POKE),
    )
    assert node.hear() == Poke()

    for digest in (secret, missing, linked):
        node.say(BlobAsk(blob=digest, offset=0, credit=64))
        answer = node.hear()
        assert answer == Refused(
            reason="no-blob", why=f"there is no blob {digest.hex()} for this node"
        )


def test_beyond_its_end_a_blob_is_empty_and_says_its_size(
    core: Core, lines: Lines, tmp_path: Path
) -> None:
    digest = _keep(tmp_path, b"seven b")
    node = greeted(core, core.node(lines, A))
    core.say(Grant(key=A.public, blobs=(digest,)), Tell(key=A.public, data=_POKE))
    assert node.hear() == Poke()

    for offset in (7, 8, 2**62):
        node.say(BlobAsk(blob=digest, offset=offset, credit=3))
        assert node.hear() == BlobPart(blob=digest, offset=offset, size=7, data=b"")


def test_the_door_takes_enrol_from_any_key_and_nothing_else(core: Core, lines: Lines) -> None:
    stranger = dial(lines, new_keys(), core.master.public, core.door_port)
    stranger.say(Fetch(), HELLO, ENROL)
    knock = core.wait(Knock)
    assert (knock.key, messages.from_stranger(knock.data)) == (stranger.keys.public, ENROL)

    core.say(Answer(route=knock.route, data=messages.encode(Waiting(fingerprint="ab"))))
    assert stranger.hear_door() == Waiting(fingerprint="ab")


def test_after_a_kill_a_new_front_asks_for_hello(tmp_path: Path, lines: Lines) -> None:
    with fronts(tmp_path, A.public) as core:
        node = greeted(core, core.node(lines, A))
        core.process.kill()
        core.process.wait(SECONDS)
        assert [node.event(), node.event()] == [
            zmq.EVENT_HANDSHAKE_SUCCEEDED,
            zmq.EVENT_DISCONNECTED,
        ]
        setup = replace(setup_of(tmp_path, core.master), link_port=core.link_port)
        again = start(setup, core.master, (A.public,))
        back = again.node(lines, A)
        back.say(HEALTH)
        assert back.hear() == Again()
        greeted(again, back)
        end(again)


def test_the_front_goes_when_core_goes(tmp_path: Path) -> None:
    with fronts(tmp_path, A.public) as core:
        end(core)
        assert core.process.returncode == 0


def test_load_tells_what_was_seen(core: Core, lines: Lines) -> None:
    assert core.node(lines).event() == zmq.EVENT_HANDSHAKE_FAILED_AUTH
    first = core.wait(Load)
    assert (first.messages, first.malformed) == (0, 0)
    assert first.cpu_us > 0
    assert first.descriptors_percent < 80
