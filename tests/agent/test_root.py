"""Nodes that are directories: several agents on one machine, and nothing of the machine touched."""

from __future__ import annotations

import getpass
import grp
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_agent.host.node import Node
from saltern_agent.places import Places, pin
from saltern_protocol import testing
from saltern_protocol.documents import body_hash, encode_identity, encode_statement
from saltern_protocol.terms import LAST_SECOND
from saltern_states.body import Resource, make_body, write_body
from saltern_states.contract import Spec
from saltern_states.file import File
from saltern_states.ports import HostError
from saltern_states.sysctl import Sysctl

DEADLINE_SECONDS = 30.0
FOREVER = testing.signed_root(replace(testing.ROOT, expires=LAST_SECOND))
IDENTITY = replace(testing.IDENTITY, root=FOREVER)
DAEMON = File(
    path="/etc/docker/daemon.json",
    text="{}\n",
    owner=getpass.getuser(),
    group=grp.getgrgid(os.getegid()).gr_name,
)


def statement(*specs: Spec) -> bytes:
    resources = (Resource(id=f"r{number}", spec=spec) for number, spec in enumerate(specs))
    body = write_body(make_body(tuple(resources)))
    document = replace(testing.DOCUMENT, expires=LAST_SECOND, body=body_hash(body))
    policy = testing.signed_policy(replace(testing.POLICY, expires=LAST_SECOND))
    whole = replace(testing.statement(body, document), roots=(FOREVER,), policy=policy)
    return encode_statement(whole)


def made(root: Path) -> Path:
    """Give a directory that is a node: its identity is pinned, and it has an /etc/docker."""
    (root / "etc/docker").mkdir(parents=True)
    etc, lib, run = root / "etc/saltern", root / "var/lib/saltern", root / "run/saltern"
    pin(Places(etc, lib, run), encode_identity(IDENTITY))
    return root


def command(root: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "saltern_agent", "--root", str(root), *words]


def apply(root: Path, data: bytes) -> subprocess.CompletedProcess[str]:
    file = root / "statement"
    file.write_bytes(data)
    return subprocess.run(
        command(root, "apply", str(file)), capture_output=True, text=True, timeout=50
    )


@contextmanager
def running(root: Path) -> Iterator[None]:
    with subprocess.Popen(command(root, "run"), stderr=subprocess.PIPE) as agent:
        try:
            wait_until((root / "run/saltern/agent.sock").exists)
            yield
        finally:
            agent.send_signal(signal.SIGTERM)
            _, said = agent.communicate(timeout=50)
    assert agent.returncode == 0, said.decode()


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.01)


def test_an_agent_holds_what_is_below_its_root(tmp_path: Path) -> None:
    root = made(tmp_path)
    done = apply(root, statement(DAEMON))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (root / "etc/docker/daemon.json").read_text() == "{}\n"
    assert (root / "var/lib/saltern/journal.db").exists()


def test_two_agents_on_one_machine_each_heal_their_own(tmp_path: Path) -> None:
    roots = [made(tmp_path / name) for name in ("a", "b")]
    with running(roots[0]), running(roots[1]):
        for root in roots:
            assert apply(root, statement(DAEMON)).returncode == 0
        files = [root / "etc/docker/daemon.json" for root in roots]
        for file in files:
            before = time.monotonic()
            file.write_text("damaged\n")
            wait_until(lambda file=file: file.read_text() == "{}\n")  # type: ignore[misc]
            assert time.monotonic() - before < 20, "healed by the event, not by the minute's look"
        socket = roots[0] / "run/saltern/agent.sock"
        assert socket.stat().st_ino != (roots[1] / "run/saltern/agent.sock").stat().st_ino


def test_what_only_a_machine_has_is_refused_and_the_machine_is_left_alone(tmp_path: Path) -> None:
    root = made(tmp_path)
    forward = Path("/proc/sys/net/ipv4/ip_forward")
    before = forward.read_text()
    other = "1" if before.strip() == "0" else "0"
    done = apply(root, statement(DAEMON, Sysctl(key="net.ipv4.ip_forward", value=other)))
    assert done.returncode == 1
    assert "run the agent without --root" in done.stdout
    assert (root / "etc/docker/daemon.json").exists(), "the rest is held"
    assert forward.read_text() == before


@pytest.mark.parametrize(
    "port",
    ["sysctls", "modules", "swaps", "links", "rules", "units", "packages", "images"],
)
def test_every_port_of_the_machine_is_absent(tmp_path: Path, port: str) -> None:
    node = Node(tmp_path / "blobs", tmp_path / "hashes", root=tmp_path)
    with pytest.raises(HostError, match="cannot look at: this node is the directory"):
        getattr(node, port).look_at("anything")
    node.sweep(())


def test_a_root_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path / "missing", "run"), capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 1
    assert "it is no directory; make it" in done.stderr
