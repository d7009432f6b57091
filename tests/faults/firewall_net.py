"""A network namespace with traffic and with others who write rules, for the firewall's fault.

Whoever sends is a process of its own in the namespace; each packet crosses filter/INPUT, where a
rule of somebody else's drops what our chain did not let through.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.system.namespace import ENVIRONMENT, network_namespace, run

IPTABLES, RESTORE, SAVE = (f"/usr/sbin/iptables-nft{end}" for end in ("", "-restore", "-save"))
PORT = 7777
FOREIGN = ("DOCKER", "KUBE-SERVICES", "CILIUM-POST", "ADMIN")
LAID = f"""*filter
:DOCKER-USER - [0:0]
-A DOCKER-USER -j RETURN
-A INPUT -p udp --dport {PORT} -j DROP
-A FORWARD -j DOCKER-USER
COMMIT
*nat
:KUBE-MARK-MASQ - [0:0]
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
COMMIT
"""

SENDER = """
import select, socket, sys
port, sent, lost = int(sys.argv[1]), 0, 0
to = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
at = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
at.bind(("127.0.0.1", port))
at.settimeout(1.0)
print("on", flush=True)
while not select.select([sys.stdin], [], [], 0.0005)[0]:
    number = str(sent).encode()
    sent += 1
    try:
        to.sendto(number, ("127.0.0.1", port))
        while at.recv(64) != number:
            pass
    except (PermissionError, TimeoutError):
        lost += 1
print(sent, lost, flush=True)
"""

WRITER = """
import itertools, select, subprocess, sys
name, = sys.argv[1:]
iptables = "/usr/sbin/iptables-nft"
table = "nat" if name.startswith(("KUBE", "CILIUM")) else "filter"
def call(end, *words, given=""):
    done = subprocess.run([iptables + end, *words], input=given, text=True, capture_output=True)
    return done.returncode == 0
def rules(turn):
    return [f"-A {name} -s 10.{turn % 250}.{n}.0/24 -j RETURN" for n in range(5 + turn % 7)]
done = failed = 0
last = []
print("on", flush=True)
for turn in itertools.count():
    lines = rules(turn)
    text = "\\n".join([f"*{table}", f":{name} - [0:0]", *lines, "COMMIT", ""])
    if call("-restore", "--noflush", "-w", "5", given=text):
        done, last = done + 1, lines
    else:
        failed += 1
    if name == "DOCKER":  # dockerd puts its jumps at the head when it starts
        call("", "-w", "5", "-D", "INPUT", "-j", name)
        call("", "-w", "5", "-I", "INPUT", "-j", name)
    if select.select([sys.stdin], [], [], 0.05)[0]:
        break
print(done, failed, "|".join(last), flush=True)
"""


@dataclass(slots=True)
class Others:
    """What the others came to: packets, and the rules that each last wrote."""

    sent: int = 0
    lost: int = 0
    wrote: int = 0
    failed: int = 0
    last: dict[str, list[str]] = field(default_factory=dict)


@contextmanager
def namespace() -> Iterator[None]:
    """Be in a namespace with a loopback that is up, and rules of others."""
    with network_namespace():
        run("/usr/sbin/ip", "link", "set", "lo", "up")
        run(RESTORE, "--noflush", given=LAID)
        yield


@contextmanager
def busy(traffic: bool, writers: tuple[str, ...] = FOREIGN) -> Iterator[Others]:
    """Let others send and write until the block is left; then tell what they did."""
    told = Others()
    sender = _begin(SENDER, str(PORT)) if traffic else None
    running = {name: _begin(WRITER, name) for name in writers}
    try:
        yield told
        for name, process in running.items():
            done, failed, last = _end(process).split(" ", 2)
            told.wrote += int(done)
            told.failed += int(failed)
            told.last[name] = last.split("|")
        if sender is not None:
            told.sent, told.lost = map(int, _end(sender).split())
    finally:
        for process in (*running.values(), *([sender] if sender else [])):
            process.kill()
            process.wait()


def saved() -> list[str]:
    """Give all rules as iptables-save prints them, without counters and remarks."""
    lines = run(SAVE).splitlines()
    return [line.split(" [")[0] if line[:1] == ":" else line for line in lines if line[:1] != "#"]


def rules_of(name: str) -> list[str]:
    """Give one chain's rules, of whichever table."""
    return [line for line in saved() if line.startswith(f"-A {name} ")]


def _begin(code: str, argument: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", code, argument],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "on\n"
    return process


def _end(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate("\n", timeout=30)
    return out.strip()
