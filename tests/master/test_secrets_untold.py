"""R11 with real processes: a master, an agent that joins it, and a node that is held by a file.

Everything that they print, log, answer and keep is looked through for every key, token and secret
that there is, and so is what the kernel shows of all processes meanwhile.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import pytest
from saltern_agent.places import Places
from saltern_master.library import Binary, Library
from saltern_master.signing.home import Home
from saltern_master.signing.init import init
from saltern_protocol.sealed import Context, seal, sealing_public
from saltern_states.contract import Spec
from saltern_states.directory import Directory
from saltern_states.file import File
from saltern_states.secret import Secret

from tests.faults.held_node import IDENTITY, SEALING, HeldNode, statement
from tests.master.clusters import SMALL

CANARY = secrets.token_hex(24).encode()  # other tests run beside, and all processes are seen
SECONDS = 30.0
pytestmark = pytest.mark.timeout(180)  # a dozen programs, on a machine that may be busy
BIN = Path(sys.executable).parent
MOST = 4 << 20  # of one file that is looked through


class Watch:
    """Collects what anybody could see, and looks for secrets in it."""

    def __init__(self) -> None:
        self.seen: dict[str, bytes] = {}

    def keep(self, where: str, data: bytes) -> None:
        """Keep what was seen somewhere."""
        self.seen[where] = self.seen.get(where, b"") + data

    def processes(self) -> None:
        """Keep the arguments and the environment of every process of ours and our children."""
        for one in Path("/proc").iterdir():
            if one.name.isdecimal() and int(one.name) != os.getpid():
                for name in ("cmdline", "environ"):
                    with suppress(OSError):
                        self.keep(f"/proc/*/{name}", (one / name).read_bytes())

    def tree(self, top: Path, *sealed: str) -> None:
        """Keep every file below, except where secrets belong; those have to be 0600."""
        for path in sorted(top.rglob("*")):
            name = str(path.relative_to(top))
            if not path.is_file() or path.is_symlink():
                continue
            if any(name.startswith(one) for one in sealed):
                assert not path.stat().st_mode & 0o077, path
            else:
                self.keep(name, path.read_bytes()[:MOST])

    def hits(self, hidden: Mapping[str, bytes]) -> list[str]:
        """Name each secret that was seen, and where."""
        assert all(hidden.values())
        return [
            f"{name} in {where}"
            for where, data in self.seen.items()
            for name, value in hidden.items()
            if value in data or value.hex().encode() in data
        ]


def run(watch: Watch, *command: str, ok: tuple[int, ...] = (0, 1, 2, 3)) -> str:
    """Run one of our programs, looking at all processes while it runs."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        watch.processes()
        out, err = process.communicate(timeout=60)
    assert process.returncode in ok, err.decode()
    watch.keep(f"{Path(command[0]).name} {command[1]}: stderr", err)
    if "token" not in command:
        watch.keep(f"{Path(command[0]).name} {command[1]}: stdout", out)
    return out.decode()


@contextmanager
def beside(watch: Watch, log: Path, *command: str) -> Iterator[None]:
    """Let a process run beside; its log is kept."""
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        yield
    finally:
        process.terminate()
        process.wait(SECONDS)
        watch.keep(f"log of {Path(command[0]).name}", log.read_bytes())


def wait(what: str, well: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not well():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def new_home(directory: Path) -> Home:
    """Make a home with keys that nobody has had before."""
    home = Home(directory / "home")
    init(home, "demo", int(time.time()), secrets.token_bytes)  # noqa: TID251  a real master's
    program = directory / "kubelet"
    program.write_bytes(b"a kubelet")
    library = Library(home.path)
    found = library.add_blob(program)
    library.add_binary(
        Binary(version="1.20.2", component="kubelet", architecture="amd64", sha256=found, size=9,
               origin="directory")
    )  # fmt: skip
    return home


def keys_in(top: Path, *names: str) -> dict[str, bytes]:
    """Give every private key below: raw where it is hexadecimal, a line of it where it is PEM."""
    found: dict[str, bytes] = {}
    for pattern in names:
        for path in sorted(top.glob(pattern)):
            text = path.read_bytes()
            lines = text.splitlines()
            pem = text.startswith(b"-----")
            found[path.name] = lines[len(lines) // 2] if pem else bytes.fromhex(text.decode())
    return found


def test_a_master_and_its_node_tell_no_key_and_no_token(tmp_path: Path) -> None:
    watch, home, root = Watch(), new_home(tmp_path), tmp_path / "root"
    root.mkdir()
    saltern, agent = str(BIN / "saltern"), [str(BIN / "saltern-agent"), "--root", str(root)]
    at = ["--home", str(home.path)]
    ports = ["--link-port", "0", "--door-port", "0", "--listen", "127.0.0.1"]
    with beside(watch, tmp_path / "log", saltern, "master", "run", *at, *ports):
        wait("no master", lambda: b"ready" in (tmp_path / "log").read_bytes())
        token = run(watch, saltern, "node", "token", "w1", *at, "--output", "json")
        text = token.split('"token": "')[1].split('"')[0]
        (tmp_path / "token").write_text(text)
        run(watch, *agent, "join", f"@{tmp_path / 'token'}", ok=(0,))
        with beside(watch, tmp_path / "agent.log", *agent, "run"):
            wait("no agent", (root / "run/saltern/agent.sock").exists)
            (tmp_path / "cluster.yaml").write_text(SMALL)
            run(watch, saltern, "apply", *at, "--timeout", "5s", str(tmp_path / "cluster.yaml"))
            for asked in (["status"], ["drift"], ["node", "list"], ["node", "show", "w1"]):
                run(watch, saltern, *asked, *at, "--output", "json")
            for asked in (["status", "-o", "json"], ["plan", "--diff"], ["drift"], ["look"]):
                run(watch, *agent, *asked)
    watch.tree(home.path, "keys/", "pki/")
    watch.tree(root, "etc/saltern/link.key", "etc/saltern/sealing.key")

    hidden = keys_in(home.path, "keys/*.key", "pki/*.key", "pki/**/*.key")
    hidden |= keys_in(root / "etc/saltern", "*.key")
    hidden["token"] = text.encode()
    assert len(hidden) > 6, sorted(hidden)
    assert len(watch.seen) > 15
    assert b"w1" in watch.seen["saltern apply: stdout"], watch.seen["saltern apply: stderr"]
    assert b"saltern" in watch.seen["/proc/*/cmdline"]
    assert watch.hits(hidden) == []


def specs(version: int, content: bytes, blobs: Path) -> dict[str, Spec]:
    """Give a node that holds a secret and a private file, and put the sealed blob there."""
    context = Context(
        cluster=IDENTITY.cluster, node=IDENTITY.node, secret="probe", generation=version
    )
    sealed = seal(content, sealing_public(SEALING), context, secrets.token_bytes)
    (blobs / sha256(sealed).hexdigest()).write_bytes(sealed)
    blob = sha256(sealed).hexdigest()
    return {
        "dir": Directory(path="/etc/kubernetes/own", mode="0700"),
        "key": Secret(path="/etc/kubernetes/key", secret="probe", generation=version, blob=blob),
        "was": File(path="/etc/kubernetes/was", text=f"now {version}\n"),
    }


def test_a_held_node_tells_no_secret(tmp_path: Path) -> None:
    watch, node = Watch(), HeldNode(tmp_path / "root", tmp_path / "root/var/lib/saltern")
    node.make(blobs=False)
    places: Places = node.places
    was = node.root / "etc/kubernetes/was"
    was.write_bytes(CANARY[::-1])
    was.chmod(0o600)
    agent = [str(BIN / "saltern-agent"), *node.words]
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_bytes(statement(1, specs(1, CANARY, places.blobs)))
    second.write_bytes(statement(2, specs(2, b"next " + CANARY, places.blobs)))

    run(watch, *agent, "plan", "--diff", str(first))
    run(watch, *agent, "plan", "--diff", "-o", "json", str(first))
    run(watch, *agent, "apply", str(first), ok=(0,))
    assert (node.root / "etc/kubernetes/key").read_bytes() == CANARY
    with beside(watch, tmp_path / "log", *agent, "run"):
        wait("no agent", places.control.exists)
        for damage in (b"stranger " + CANARY, b""):
            (node.root / "etc/kubernetes/key").write_bytes(damage)
            run(watch, *agent, "look")
            wait("not healed", lambda: (node.root / "etc/kubernetes/key").read_bytes() == CANARY)
        run(watch, *agent, "plan", "--diff", str(second))
        run(watch, *agent, "apply", "-o", "json", str(second), ok=(0,))
        for asked in ("status", "drift"):
            run(watch, *agent, asked, "-o", "json")
    watch.tree(tmp_path, "root/etc/kubernetes/key", "root/etc/saltern/link.key",
               "root/etc/saltern/sealing.key")  # fmt: skip

    hidden = {"secret": CANARY, "what was private": CANARY[::-1], "sealing key": SEALING}
    assert b"key" in watch.seen["log of saltern-agent"]
    assert watch.hits(hidden) == []


def test_the_watch_finds_what_is_there(tmp_path: Path) -> None:
    watch, first, second = Watch(), secrets.token_hex(24).encode(), secrets.token_bytes(32)
    (tmp_path / "file").write_bytes(b"x" + first.hex().encode())
    child = ["/usr/bin/env", f"SECRET={first.decode()}", "/bin/sh", "-c", "read x", "sh"]
    with subprocess.Popen([*child, second.hex()], stdin=subprocess.PIPE) as process:
        shell = Path(f"/proc/{process.pid}/cmdline")  # it is env's first, secret and all
        wait("no shell", lambda: shell.read_bytes().startswith(b"/bin/sh"))
        watch.processes()
        process.kill()
    watch.tree(tmp_path)

    assert sorted(watch.hits({"c": first, "s": second})) == [
        "c in /proc/*/environ", "c in file", "s in /proc/*/cmdline",
    ]  # fmt: skip
