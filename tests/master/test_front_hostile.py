"""Who means harm to the front harms himself: another peer's conversation goes on meanwhile."""

from __future__ import annotations

import pwd
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest
from saltern_master.front.frames import Grant
from saltern_master.front.sockets import HANDSHAKE_MS
from saltern_protocol import messages
from saltern_protocol.messages import (
    MAX_PART,
    Again,
    BlobAsk,
    BlobPart,
    Fetch,
    Hello,
)

from tests.master.front_stand import (
    SECONDS,
    A,
    B,
    Core,
    Lines,
    greeted,
    memory,
    round_trip,
)
from tests.protocol.examples import ALL, FROM_NODE

MIB: Final = 2**20
FORBIDDEN: Final = (
    "asyncio",
    "cryptography",
    "httpx",
    "multiprocessing",
    "rich",
    "ruamel",
    "sqlite3",
    "ssl",
    "starlette",
    "subprocess",
    "tornado",
    "typer",
    "urllib.request",
    "uvicorn",
)


def test_the_front_loads_no_library_that_it_has_no_use_for() -> None:
    code = (
        f"import sys, saltern_master.front.__main__;"
        f"print(*sorted({set(FORBIDDEN)!r} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_the_front_is_small(core: Core, lines: Lines) -> None:
    greeted(core, core.node(lines, A))
    rollup = Path(f"/proc/{core.process.pid}/smaps_rollup").read_text()
    (pss,) = (int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    assert pss < 40 * 1024


def test_the_masters_key_is_in_no_argument_and_no_environment(core: Core) -> None:
    proc = Path(f"/proc/{core.process.pid}")
    shown = (proc / "cmdline").read_bytes() + (proc / "environ").read_bytes()
    assert b"saltern_master.front" in shown
    for form in (core.master.secret, core.master.secret.hex().encode()):
        assert form not in shown


def test_the_front_can_gain_no_rights(core: Core) -> None:
    assert status(core)["NoNewPrivs"] == ["1"]


@pytest.mark.system
def test_a_front_that_root_started_is_nobody_without_groups(core: Core) -> None:
    nobody = pwd.getpwnam("nobody")
    found = status(core)
    assert found["Uid"] == [str(nobody.pw_uid)] * 4
    assert found["Gid"] == [str(nobody.pw_gid)] * 4
    assert found["Groups"] == []
    assert found["CapPrm"] == found["CapEff"] == ["0" * 16]
    for thread in Path(f"/proc/{core.process.pid}/task").iterdir():
        assert f"Uid:\t{nobody.pw_uid}\t" in (thread / "status").read_text()


def status(core: Core) -> dict[str, list[str]]:
    """What the kernel says of the front."""
    lines = Path(f"/proc/{core.process.pid}/status").read_text().splitlines()
    return {name: words.split() for name, _, words in (line.partition(":") for line in lines)}


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_message_out_of_turn_costs_its_sender_only(
    core: Core, lines: Lines, name: str
) -> None:
    good, bad = greeted(core, core.node(lines, B)), core.node(lines, A)
    bad.socket.send(messages.encode(ALL[name]))
    if name in FROM_NODE and not isinstance(ALL[name], Hello):
        assert bad.hear() == Again()

    assert round_trip(core, good) < SECONDS
    assert core.heard_nothing(A.public) or isinstance(ALL[name], Hello)
    assert core.process.poll() is None


def test_more_than_one_frame_is_malformed(core: Core, lines: Lines) -> None:
    good, bad = greeted(core, core.node(lines, B)), greeted(core, core.node(lines, A))
    bad.socket.send_multipart([messages.encode(Fetch()), messages.encode(Fetch())])
    bad.socket.send_multipart([b""] * 10_000)
    bad.say(Fetch())
    core.heard(bad, Fetch)

    assert core.heard_nothing(A.public)
    round_trip(core, good)


def test_a_peer_that_asks_for_much_and_reads_nothing_holds_its_share_only(
    core: Core, lines: Lines, tmp_path: Path
) -> None:
    digest = bytes(32)
    (tmp_path / digest.hex()).write_bytes(bytes(64 * MAX_PART))
    tmp_path.chmod(0o711)
    good, slow = greeted(core, core.node(lines, B)), greeted(core, core.node(lines, A))
    core.say(Grant(key=A.public, blobs=(digest,)))
    round_trip(core, good)
    before = memory(core)
    # 16 parts wait in our own receiving queue, 16 in the front's, the kernel's buffers are full
    slow.say(BlobAsk(blob=digest, offset=0, credit=64))
    for _ in range(200):
        round_trip(core, good)
    assert memory(core) - before < 12 * MIB

    parts = [slow.hear() for _ in range(64)]
    assert [part.offset for part in parts if isinstance(part, BlobPart)] == [
        number * MAX_PART for number in range(64)
    ]


def test_a_frame_that_claims_much_is_cut_at_once(core: Core, lines: Lines) -> None:
    good = greeted(core, core.node(lines, B))
    before = memory(core)
    with socket.create_connection(("127.0.0.1", core.link_port), SECONDS) as raw:
        raw.sendall(_greeting() + b"\x06" + struct.pack(">Q", 256 * MIB))
        assert _ends(raw)
    round_trip(core, good)

    assert memory(core) - before < 2 * MIB


def test_idle_connections_go_after_the_handshakes_time(core: Core, lines: Lines) -> None:
    good = greeted(core, core.node(lines, B))
    began = time.monotonic()
    idle = [socket.create_connection(("127.0.0.1", core.link_port), SECONDS) for _ in range(200)]
    slow = socket.create_connection(("127.0.0.1", core.link_port), SECONDS)
    slow.sendall(_greeting()[:20])
    round_trip(core, good)
    for one in [*idle, slow]:
        with one:
            assert _ends(one)

    assert time.monotonic() - began < HANDSHAKE_MS / 1000 + 3
    round_trip(core, good)


def _greeting() -> bytes:
    """ZMTP 3.0's, for CURVE, as a client (RFC 23)."""
    return b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"CURVE".ljust(20, b"\0") + bytes(32)


def _ends(raw: socket.socket) -> bool:
    """Read until the other side closes; TimeoutError: it does not."""
    try:
        while raw.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return True
