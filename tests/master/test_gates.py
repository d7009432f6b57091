"""Gates: what keeps a node from counting as well, and whether etcd can do without one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from saltern_master.core.gates import Look, kubernetes, quorum
from saltern_master.core.probes import probe
from saltern_master.rollouts.strategy import Probe


def made(name: str, ready: str = "True", **metadata: object) -> dict[str, Any]:
    condition = {"type": "Ready", "status": ready, "message": "the kubelet is gone"}
    return {"metadata": {"name": name, **metadata}, "status": {"conditions": [condition]}}


MIRROR: dict[str, Any] = {"annotations": {"kubernetes.io/config.mirror": "x"}}


def test_kubernetes_says_what_it_knows_and_nothing_of_strangers() -> None:
    look = Look({"w1": made("w1"), "w2": made("w2", "Unknown")})
    assert kubernetes("w1", False, look) == ""
    assert kubernetes("w2", False, look) == "Kubernetes does not call it Ready: the kubelet is gone"
    assert kubernetes("w3", False, look) == ""
    assert kubernetes("w2", False, Look(why="nobody answers")) == ""


def test_the_static_pods_of_a_control_plane_have_to_be_ready() -> None:
    pods = (
        made("etcd-cp1", "False", **MIRROR),
        made("kube-apiserver-cp1", **MIRROR),
        made("web", "False"),
    )
    look = Look({"cp1": made("cp1")}, {"cp1": pods})
    assert kubernetes("cp1", True, look) == "not Ready: etcd-cp1"
    assert kubernetes("cp1", False, look) == ""


@pytest.mark.parametrize(
    ("members", "good"),
    [
        ({"a": "", "b": "", "c": ""}, True),
        ({"a": "", "b": "away", "c": ""}, False),
        ({"a": "away", "b": "away", "c": ""}, True),  # it is lost already
        ({"a": "", "b": "away", "c": "", "d": "", "e": ""}, True),
        ({"a": "", "b": "away", "c": "away", "d": "", "e": ""}, False),
        ({"a": ""}, True),
        ({"a": "", "b": ""}, True),
        ({"a": "", "b": "away"}, False),
        ({"b": "away"}, True),  # it is no member
    ],
)
def test_etcd_does_without_a_member_that_the_others_outnumber(
    members: dict[str, str], good: bool
) -> None:
    why = quorum("a", members)
    assert (why == "") is good
    assert good or "b: away" in why


@asynccontextmanager
async def serving(answer: bytes) -> AsyncIterator[int]:
    """Answer whatever comes to a port of this machine."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def probed(answer: bytes, **wanted: Any) -> str:  # noqa: ANN401
    async def whole() -> str:
        async with serving(answer) as port:
            return await probe("127.0.0.1", Probe(port=port, **wanted))

    return asyncio.run(whole())


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
ELSEWHERE = b"HTTP/1.1 302 Found\r\nlocation: http://192.0.2.1/\r\ncontent-length: 0\r\n\r\n"


def test_a_probe_is_a_connection_or_one_get() -> None:
    assert probed(b"") == ""
    assert probed(OK, path="/healthz") == ""
    assert "answers 200, not 204" in probed(OK, path="/healthz", status=204)
    assert "answers 302, not 200" in probed(ELSEWHERE, path="/")
    assert "is not reached" in probed(b"no\x1bsense\r\n\r\n", path="/")
    assert "\x1b" not in probed(b"no\x1bsense\r\n\r\n", path="/")


def test_who_does_not_answer_is_not_waited_for_longer_than_was_said() -> None:
    async def silent() -> str:
        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()  # until who asks goes
            writer.close()
            await writer.wait_closed()
            gone.set()

        gone = asyncio.Event()
        server = await asyncio.start_server(hold, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            why = await probe("127.0.0.1", Probe(port=port, path="/", timeout=0.2))
            await asyncio.wait_for(gone.wait(), 5)
        return why

    assert "gave no answer in 0.2 s" in asyncio.run(silent())


def test_a_port_that_nobody_has_is_not_reached() -> None:
    async def closed() -> str:
        async with serving(b"") as port:
            pass
        return await probe("127.0.0.1", Probe(port=port))

    assert "is not reached" in asyncio.run(closed())
