"""A door of a master: CURVE as the real one speaks it, and an answer of the test's choosing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import zmq
from saltern_protocol.messages import Enrol, Message, encode, from_stranger
from saltern_protocol.sealed import sealing_public

SERVER = bytes(range(1, 33))  # its private key
SERVER_PUBLIC = sealing_public(SERVER)
ZAP = "inproc://zeromq.zap.01"
DOMAIN = b"door"

Answer = Callable[[bytes, Enrol], Message | bytes | None]


@dataclass
class FakeDoor:
    """What the door heard, and where it listens."""

    port: int
    knocks: list[tuple[bytes, Enrol]] = field(default_factory=list)  # the key, raw, and the frame


@contextmanager
def fake_door(answer: Answer, zap_status: bytes = b"200") -> Iterator[FakeDoor]:
    """Listen on a free port of loopback; each knock gets `answer(key, enrol)`, None is silence."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    zap, router, ends = (context.socket(kind) for kind in (zmq.ROUTER, zmq.ROUTER, zmq.PAIR))
    zap.bind(ZAP)
    router.setsockopt(zmq.CURVE_SERVER, 1)
    router.setsockopt(zmq.CURVE_SECRETKEY, SERVER)
    router.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
    router.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
    door = FakeDoor(router.bind_to_random_port("tcp://127.0.0.1"))
    ends.bind("inproc://end")
    end = context.socket(zmq.PAIR)
    end.connect("inproc://end")
    faults: list[Exception] = []

    def serve() -> None:
        try:
            _serve(zap, router, ends, door, answer, zap_status)
        except Exception as error:  # noqa: BLE001  # told by the test's thread
            faults.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield door
    finally:
        end.send(b"")
        thread.join(timeout=10)
        end.close(linger=0)
        context.destroy(linger=0)
    assert faults == []


def _serve(
    zap: zmq.Socket[bytes],
    router: zmq.Socket[bytes],
    ends: zmq.Socket[bytes],
    door: FakeDoor,
    answer: Answer,
    zap_status: bytes,
) -> None:
    poller = zmq.Poller()
    for socket in (zap, router, ends):
        poller.register(socket, zmq.POLLIN)
    while True:
        ready = dict(poller.poll())
        if ends in ready:
            return
        if zap in ready:
            _admit(zap, zap_status)
        if router in ready:
            route, frame = router.recv_multipart(copy=False)
            key = bytes.fromhex(str(frame.get("User-Id")))
            enrol = from_stranger(frame.bytes)
            door.knocks.append((key, enrol))
            said = answer(key, enrol)
            if said is not None:
                data = said if isinstance(said, bytes) else encode(said)
                router.send_multipart([route.bytes, data])


def _admit(zap: zmq.Socket[bytes], status: bytes) -> None:
    route, empty, version, request, domain, _address, _identity, mechanism, key = (
        zap.recv_multipart()
    )
    assert (domain, mechanism) == (DOMAIN, b"CURVE")
    user = key.hex().encode()
    zap.send_multipart([route, empty, version, request, status, b"", user, b""])
