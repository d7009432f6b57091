"""One machine becomes a node: look, ask for a token, install, join, start, and be seen.

* Nothing is changed there before it is clear that it may become the node and reaches the master.
* Each step can be done again: the same command goes on where one was cut off, and on a machine
  that is the node already it changes nothing but to start an agent that does not run.
* Where a step fails, what is left on the machine and at the master is told.
* The token is on no command line, in no file and in no text of ours: only on standard input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec
from saltern_protocol.errors import MalformedError
from saltern_protocol.token import JoinToken

from saltern_master.api.requests import NewToken
from saltern_master.api.service import NodeView, ServiceError, TokenView
from saltern_master.errors import MasterError
from saltern_master.joining import refusals, scripts
from saltern_master.joining.choosing import Package, choose, order
from saltern_master.joining.hosts import Machine
from saltern_master.joining.looking import Rise, Seen, UnreadableError, against, read_seen
from saltern_master.joining.refusals import UNREACHED
from saltern_master.joining.ssh import Said, Ssh, SshError
from saltern_master.joining.standing import Conflict, Way, way_of

SHORT: Final = 90.0  # seconds for a script; two of its parts may wait for names to be resolved
INSTALL: Final = 900.0
JOIN: Final = 60
TOKEN: Final = 30 * 60  # an installation may take half of that
COMES: Final = 60.0  # within which a started agent is to be heard
LOOKS: Final = 0.5

Result = Literal["added", "already", "failed", "unreached"]


class Added(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of one machine. `left`: what a failure left behind."""

    name: str
    host: str
    result: Result
    why: str = ""
    left: str = ""
    package: str = ""  # that was installed; "": none had to be
    seconds: float = 0.0


class Master(Protocol):
    """What is asked of the master; from any thread. ServiceError."""

    def node(self, name: str) -> NodeView:
        """Give one node."""
        ...

    def make_token(self, wanted: NewToken) -> TokenView:
        """Make a token."""
        ...


@dataclass(frozen=True, slots=True)
class Around:
    """What is the same for all machines."""

    ssh: Ssh
    master: Master
    cluster: str
    known: Mapping[str, NodeView]
    packages: Mapping[Package, str]  # with the SHA-256 of each
    node_class: str
    monotonic: Callable[[], float]
    pause: Callable[[float], None]
    tell: Callable[[Machine, str], None]


class StepError(MasterError):
    """A step failed. `left`: what is there now that was not before."""

    def __init__(self, why: str, left: str = "", result: Result = "failed") -> None:
        super().__init__(why)
        self.left, self.result = left, result


def add(machine: Machine, around: Around) -> Added:
    """Make a machine a node; whatever fails is told in what it gives."""
    began = around.monotonic()
    result: Result
    package = why = left = ""
    try:
        result, package = _Adding(machine, around).go()
    except StepError as error:
        result, why, left = error.result, str(error), error.left
    except ServiceError as error:
        result, why = "failed", str(error)
    return Added(
        name=machine.name,
        host=machine.host,
        result=result,
        why=why,
        left=left,
        package=package,
        seconds=round(around.monotonic() - began, 1),
    )


@dataclass(frozen=True, slots=True)
class _Adding:
    """The steps of one machine."""

    machine: Machine
    around: Around

    def go(self) -> tuple[Result, str]:
        """Go through them; gives how it ended, and the package that was installed. StepError."""
        seen = self._look()
        way, package = self._judge(seen)
        if way.kind == "same":
            if not seen.running:
                self._start(seen.rise)
            self._wait()
            return "already", ""
        token, text = self._token()
        self._reach(token)
        fits = bool(seen.installed) and order(seen.installed) >= order(package.version)
        if not fits:
            self._install(package, seen.rise)
        self._join(text, seen, way)
        self._start(seen.rise)
        self._wait()
        return "added", "" if fits else package.name

    def _look(self) -> Seen:
        self._tell("looking at it")
        host = self.machine.host
        said = self._run(scripts.SHELL, scripts.LOOK.encode(), SHORT, "")
        if said.status == UNREACHED:
            raise StepError(refusals.not_begun(said.err, host), result="unreached")
        if said.status:
            raise StepError(refusals.not_run(said.status, said.err or said.out))
        try:
            return read_seen(said.out)
        except UnreadableError as error:
            raise StepError(str(error)) from error

    def _judge(self, seen: Seen) -> tuple[Way, Package]:
        """Say how it becomes the node and by which package; StepError: it does not."""
        name, around = self.machine.name, self.around
        way = way_of(name, seen, around.cluster, around.known.get(name))
        package = choose(around.packages, seen.system)
        faults = list(against(seen))
        if isinstance(way, Conflict):
            faults.append(way.why)
        elif way.kind == "same" and not faults:
            return way, _NO_PACKAGE
        elif isinstance(package, str):
            faults.append(package)
        if faults or isinstance(way, Conflict) or isinstance(package, str):
            raise StepError("; ".join(faults))
        return way, package

    def _token(self) -> tuple[JoinToken, str]:
        name = self.machine.name
        wanted = NewToken(node=name, node_class=self.around.node_class, seconds=TOKEN)
        made = self.around.master.make_token(wanted)
        try:
            return JoinToken.parse(made.token), made.token
        except MalformedError as error:
            raise StepError("the master makes tokens that this release cannot read") from error

    def _reach(self, token: JoinToken) -> None:
        self._tell("trying the master's ports from there")
        said = self._run(scripts.SHELL, scripts.reach(token).encode(), SHORT, self._unused())
        if said.status:
            raise StepError(self._failed(said), self._unused())
        if shut := scripts.is_shut(said.out, token):
            raise StepError(
                f"the master is not reached from there: nothing answers at {', '.join(shut)}; open "
                "that in the firewalls between, or have it answer elsewhere: saltern master run "
                "--listen, --advertise",
                self._unused(),
            )

    def _install(self, package: Package, rise: Rise) -> None:
        self._tell(f"copying and installing {package.name}")
        command = scripts.install(package.form, self.around.packages[package], rise)
        perhaps = f"perhaps {package.name} is installed there; {self._unused()}"
        said = self._run(command, package.path, INSTALL, perhaps)
        if said.status == scripts.DAMAGED:
            raise StepError("the package came there damaged; try again", self._unused())
        if said.status == scripts.REFUSED:
            raise StepError(refusals.not_installed(said.err, package.name), self._unused())
        if said.status:
            raise StepError(self._failed(said), perhaps)

    def _join(self, token: str, seen: Seen, way: Way) -> None:
        self._tell(f"joining as {self.machine.name}")
        stopped = way.kind == "anew" and seen.running
        if stopped:
            self._script(scripts.STOP, seen.rise, f"perhaps its agent is stopped; {self._unused()}")
        try:
            self._try(token, seen.rise)
        except StepError:
            if stopped:
                with suppress(StepError):  # what the join said is what counts
                    self._script(scripts.START, seen.rise, "")
            raise

    def _try(self, token: str, rise: Rise) -> None:
        perhaps = "the agent's package is installed there, and it may have joined"
        said = self._run(scripts.join(rise, JOIN), f"{token}\n".encode(), SHORT + JOIN, perhaps)
        if said.status == UNREACHED:
            raise StepError(self._failed(said), perhaps)
        if said.status:
            left = "the agent's package is installed there, and it has not joined"
            raise StepError(self._failed(said), f"{left}; {self._unused()}")

    def _start(self, rise: Rise) -> None:
        self._tell("starting the agent")
        left = "it has joined, and its agent does not run: systemctl enable --now saltern-agent"
        self._script(scripts.START, rise, left)

    def _wait(self) -> None:
        """Wait until the master hears the agent."""
        self._tell("waiting for its agent")
        around, until = self.around, self.around.monotonic() + COMES
        while not self._is_heard():
            if around.monotonic() >= until:
                raise StepError(
                    f"its agent runs and was not heard within {COMES:g} s; see there: "
                    "journalctl -u saltern-agent",
                    "it has joined",
                )
            around.pause(LOOKS)

    def _is_heard(self) -> bool:
        try:
            return self.around.master.node(self.machine.name).connected
        except ServiceError as error:
            raise StepError(str(error), "it has joined, and its agent runs") from error

    def _script(self, script: str, rise: Rise, left: str) -> None:
        said = self._run(scripts.script_as_root(rise), script.encode(), SHORT, left)
        if said.status:
            raise StepError(self._failed(said), left)

    def _run(self, command: str, given: bytes | Path, seconds: float, left: str) -> Said:
        """Run a command there; StepError with what is `left` where ssh came to no end."""
        try:
            return self.around.ssh.run(self.machine.host, command, given, seconds)
        except SshError as error:
            raise StepError(str(error), left) from error

    def _failed(self, said: Said) -> str:
        if said.status == UNREACHED:
            return f"the line to it was lost: {refusals.not_begun(said.err, self.machine.host)}"
        return refusals.not_run(said.status, said.err or said.out)

    def _unused(self) -> str:
        minutes = TOKEN // 60
        return f"a token for {self.machine.name} that nobody used ends in {minutes} min"

    def _tell(self, what: str) -> None:
        self.around.tell(self.machine, what)


_NO_PACKAGE: Final = Package("", Path(), "deb", "", "", "", "")
