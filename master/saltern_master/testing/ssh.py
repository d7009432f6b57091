"""ssh in memory: machines that understand the scripts of joining/scripts.py, and nothing else.

It keeps the laws of tests/contracts/ssh_laws.py, as OpenSSH's client does with a booted machine.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from saltern_master.joining import scripts
from saltern_master.joining.choosing import System, read_package
from saltern_master.joining.looking import Rise
from saltern_master.joining.ssh import Said, SshError

DEBIAN_12: Final = System(
    kernel="Linux",
    machine="x86_64",
    id="debian",
    release="12",
    pretty="Debian GNU/Linux 12 (bookworm)",
    pythons=("3.11",),
)
_INSTALL: Final = re.compile(r"saltern-agent\.(deb|rpm).*echo \"([0-9a-f]{64})  ", re.DOTALL)
_JOIN: Final = re.compile(r"/usr/bin/saltern-agent join --wait [0-9]+ -\Z")
_TRIES: Final = re.compile(r"^for one in (.*); do$", re.MULTILINE)

Joins = Callable[[str], bytes | str]
"""What a master's door makes of a token: an identity; or the refusal, as the agent tells it."""


def _nobody(_token: str) -> str:
    return "saltern-agent: cannot join within 60 s: no answer"


@dataclass
class FakeMachine:
    """A machine in memory. What a test changes, it changes in the fields."""

    system: System = DEBIAN_12
    rise: Rise = "root"
    systemd: bool = True
    trouble: str = ""  # what ssh says instead of going there
    hangs: bool = False
    open: frozenset[str] = frozenset()  # ADDRESS/PORT that answer, as seen from there
    refuses: str = ""  # what its package manager says instead of installing
    joins: Joins = _nobody
    packages: dict[str, str] = field(default_factory=dict)  # the name of each by its SHA-256
    installed: str = ""
    identity: bytes = b""
    running: bool = False
    heard: list[str] = field(default_factory=list)  # what was done there, in order
    started: Callable[[], None] = lambda: None  # the agent came to its master
    lost_at: str = ""  # before this the line is cut, once
    more: str = ""  # that it also says when it is looked at: NAME=VALUE
    hangs_at: str = ""  # this is begun and comes to no end, once

    def do(self, command: str, given: bytes) -> Said:
        """Run one of the scripts."""
        as_root = command.startswith("exec sudo -n ") == (self.rise == "sudo")
        if command == scripts.SHELL:
            if given == scripts.LOOK.encode():
                return self._note("look") or Said(0, self._look())
            if found := _TRIES.search(given.decode()):
                return self._note("reach") or Said(0, self._reach(found[1].split()))
        if not as_root or self.rise not in ("root", "sudo"):
            return Said(1, err="sudo: a password is required")
        return self._change(command, given)

    def _change(self, command: str, given: bytes) -> Said:
        if found := _INSTALL.search(command):
            return self._note("install") or self._install(found[2], given)
        if _JOIN.search(command):
            return self._note("join") or self._join(given.decode())
        if given in (scripts.START.encode(), scripts.STOP.encode()):
            return self._run(given == scripts.START.encode())
        return Said(127, err="sh: there is no such program here")

    def _note(self, what: str) -> Said | None:
        if self.lost_at == what:
            self.lost_at = ""
            return Said(255, err="Connection closed by remote host")
        self.heard.append(what)
        if self.hangs_at == what:
            self.hangs_at = ""
            raise SshError("it came to no end within 90 s")
        return None

    def _look(self) -> str:
        system = self.system
        said = [
            ("kernel", system.kernel),
            ("machine", system.machine),
            ("ID", system.id),
            ("ID_LIKE", f'"{" ".join(system.like)}"'),
            ("VERSION_ID", f'"{system.release}"'),
            ("PRETTY_NAME", f'"{system.pretty}"'),
            *(("python", one) for one in system.pythons),
            ("rise", self.rise),
            ("running", "active" if self.running else "inactive"),
        ]
        said += [("systemd", "yes")] if self.systemd else []
        said += [("installed", self.installed)] if self.installed else []
        said += [("identity", b64encode(self.identity).decode())] if self.identity else []
        lines = [*(f"{name}={value}" for name, value in said), self.more, "end=yes"]
        return "".join(f"saltern:{line}\n" for line in lines if line)

    def _reach(self, wanted: list[str]) -> str:
        answer = [f"saltern:open={one}\n" for one in wanted if one in self.open]
        return "".join(("saltern:tries=yes\n", *answer))

    def _install(self, wanted: str, given: bytes) -> Said:
        found = sha256(given).hexdigest()
        if found != wanted:
            return Said(scripts.DAMAGED)
        package = read_package(Path(self.packages.get(found, "")))
        if self.refuses or package is None:
            return Said(scripts.REFUSED, err=self.refuses or "E: Invalid archive")
        self.installed = package.version
        return Said(0)

    def _join(self, token: str) -> Said:
        if not self.installed:
            return Said(127, err="sh: /usr/bin/saltern-agent: not found")
        answer = self.joins(token.strip())
        if isinstance(answer, str):
            return Said(1, err=answer)
        self.identity = answer
        return Said(0, out="this is now a node\n")

    def _run(self, start: bool) -> Said:
        lost = self._note("start" if start else "stop")
        if lost is not None:
            return lost
        if not self.installed:
            return Said(1, err="Failed to enable unit: Unit file saltern-agent.service not found")
        self.running = start and bool(self.identity)
        if self.running:
            self.started()
        return Said(0)


@dataclass(frozen=True)
class FakeSsh:
    """The ways to machines in memory, by what ssh is told: HOST or USER@HOST."""

    machines: dict[str, FakeMachine]

    def run(self, host: str, command: str, given: bytes | Path, seconds: float) -> Said:
        """Run a command there. SshError."""
        machine = self.machines.get(host)
        if machine is None:
            return Said(255, err=f"ssh: Could not resolve hostname {host}: Name not known")
        if machine.trouble:
            return Said(255, err=machine.trouble)
        if machine.hangs:
            raise SshError(f"it came to no end within {seconds:g} s")
        return machine.do(command, given.read_bytes() if isinstance(given, Path) else given)
