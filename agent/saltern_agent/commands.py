"""The commands of saltern-agent. Each asks the running agent, or does the work where none runs."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from saltern_protocol.documents import decode_statement
from saltern_protocol.errors import ProtocolError, for_terminal
from saltern_states.body import BodyError, read_body
from saltern_states.ports import HostError

from saltern_agent import places as settings
from saltern_agent.answers import DriftList, StatusLine
from saltern_agent.client import Answer, NotRunningError, ask
from saltern_agent.control import (
    AskApply,
    AskDrift,
    AskLook,
    AskPlan,
    AskRevert,
    AskStatus,
    Question,
    to_json,
)
from saltern_agent.events import DoneLine, End, MakingLine, PlannedLine
from saltern_agent.giving_up import rest
from saltern_agent.host.agent_unit import start_if_enabled
from saltern_agent.host.blobs import DiskBlobs
from saltern_agent.host.facts import read_facts
from saltern_agent.host.memory import proportional_set_size
from saltern_agent.host.revert_timer import has_systemd
from saltern_agent.items import TAKEN_BACK
from saltern_agent.leaving import NO_NODE
from saltern_agent.places import Places
from saltern_agent.running import CLOCKS, run_agent, work_here
from saltern_agent.show import Making, show_done, show_drift, show_plan, show_status
from saltern_agent.taking_back import WAITS

Command = Callable[[Places, Namespace], int]
CHUNK = 1024 * 1024
CHANGES = 2  # the exit code of a plan that would change something
REFUSED = 3  # of a preseeded join: another try would come to the same


class CommandError(Exception):
    """A command cannot do what was asked; the text says what to do."""


def pin(places: Places, arguments: Namespace) -> int:
    """Tell this node who it is."""
    identity = settings.pin(places, _read(arguments.file))
    _print(f"this is node {identity.node} of cluster {identity.cluster}, as {identity.node_class}")
    return 0


def join(places: Places, arguments: Namespace) -> int:
    """Become a node of a master."""
    # Imported here: a node that holds what it has needs no enrolment, nor its memory.
    from saltern_agent.enrolling import join_master

    identity, news = join_master(
        places,
        _token(arguments.token),
        arguments.wait,
        arguments.again,
        CLOCKS.monotonic,
        _print,
        _complain,
    )
    _print(
        f"this {news} node {identity.node} of cluster {identity.cluster}, as {identity.node_class}"
    )
    _start(places)
    return 0


def join_preseeded(places: Places, arguments: Namespace) -> int:
    """Become a node by the token that waits in its file."""
    # Imported here: a node that holds what it has needs no enrolment, nor its memory.
    from saltern_agent.join import JoinError, NoAnswerError
    from saltern_agent.preseed import join_preseeded as join_once

    try:
        join_once(places, arguments.wait, CLOCKS.monotonic, _print, _complain)
    except NoAnswerError:
        raise
    except JoinError as error:
        _complain(str(error))
        return REFUSED
    _start(places)
    return 0


def master(places: Places, arguments: Namespace) -> int:
    """Know the master by another key."""
    known = settings.know_master_by(places, arguments.key)
    _print(f"the master at {', '.join(known.addresses)} is known by {arguments.key} from now on")
    _print("the agent that runs goes on as it was; restart it: systemctl restart saltern-agent")
    return 0


def facts(_places: Places, _arguments: Namespace) -> int:
    """Print what compile needs to know."""
    _print(msgspec.json.format(msgspec.json.encode(read_facts()), indent=2).decode())
    return 0


def plan(places: Places, arguments: Namespace) -> int:
    """Show what would change."""
    statement = None
    if arguments.file is not None:
        statement = _read(arguments.file)
        _bring(places, statement, arguments.blobs)
    changes, ok = 0, False
    for answer in _answers(places, AskPlan(statement)):
        if arguments.output == "json":
            _print(to_json(answer).decode())
        elif isinstance(answer, PlannedLine):
            _print_all(show_plan(answer, arguments.diff))
        elif isinstance(answer, End) and not answer.error:
            _print(f"plan: {answer.changes} changes, {answer.bad} blocked; nothing was changed")
        if isinstance(answer, End):
            changes, ok = answer.changes, _well(answer)
    return (CHANGES if changes else 0) if ok else 1


def apply(places: Places, arguments: Namespace) -> int:
    """Accept a statement and converge."""
    statement = _read(arguments.file)
    _bring(places, statement, arguments.blobs)
    ok, making = False, Making()
    for answer in _answers(places, AskApply(statement)):
        if arguments.output == "json":
            _print(to_json(answer).decode())
        elif isinstance(answer, MakingLine):
            _print_all(making.show(answer))
        elif isinstance(answer, DoneLine):
            _print_all(show_done(answer))
        elif isinstance(answer, End) and not answer.error:
            _print(
                f"{'converged' if answer.ok else 'not converged'}: {answer.changes} changes, "
                f"{answer.bad} failed or blocked, {answer.milliseconds / 1000:.2f} s"
            )
        if isinstance(answer, End):
            ok = _well(answer)
    return 0 if ok else 1


def status(places: Places, arguments: Namespace) -> int:
    """Show how things stand."""
    ok = False
    for answer in _ask_running(places, AskStatus()):
        if isinstance(answer, StatusLine):
            pss = proportional_set_size(answer.pid)
            if arguments.output == "json":
                plain = msgspec.to_builtins(answer) | {"pss": pss}
                _print(msgspec.json.encode(plain).decode())
            else:
                _print_all(show_status(answer, pss, CLOCKS.wall()))
            ok = answer.status.state in ("converged", "no document")
        elif isinstance(answer, End) and not _well(answer):
            return 1
    return 0 if ok else 1


def drift(places: Places, arguments: Namespace) -> int:
    """Show what drifted."""
    for answer in _ask_running(places, AskDrift(arguments.most)):
        if isinstance(answer, DriftList) and arguments.output == "json":
            _print_all(to_json(one).decode() for one in answer.drift)
        elif isinstance(answer, DriftList):
            _print_all(show_drift(answer.drift, CLOCKS.wall(), arguments.diff))
            if not answer.drift:
                _print("no drift was ever seen here")
        elif isinstance(answer, End) and not _well(answer):
            return 1
    return 0


def doctor(places: Places, arguments: Namespace) -> int:
    """Name the traps that stand open on this machine; also where no agent runs, or never did."""
    # Imported here: no other command looks at the machine in this way.
    from saltern_agent.doctor.accepted import accepted_body
    from saltern_agent.doctor.examine import examine
    from saltern_agent.doctor.show import show_findings

    body, now = accepted_body(places), CLOCKS.wall()
    findings = examine(body, now, places.root)
    if arguments.output == "json":
        _print(msgspec.json.encode(findings).decode())
    else:
        _print_all(show_findings(findings, body is not None))
    return 1 if any(one.bad for one in findings) else 0


def look(places: Places, _arguments: Namespace) -> int:
    """Have everything looked at now."""
    *_, end = _ask_running(places, AskLook())
    ok = _well(end)
    if isinstance(end, End) and not end.error:
        found = f"{end.bad} not as declared" if end.bad else "all as declared"
        _print(f"looked: {found}, {end.milliseconds:.1f} ms")
    return 0 if ok else 1


def revert(places: Places, _arguments: Namespace) -> int:
    """Take back what was not confirmed, if its time is over."""
    *_, end = _answers(places, AskRevert())
    ok = _well(end)
    if isinstance(end, End) and ok:
        left = f"not yet: {end.milliseconds / 1000:.0f} s are left for a lease to come"
        done = f"taken back: {end.changes} changes, {end.bad} failed or blocked"
        _print({WAITS: left, TAKEN_BACK: done}.get(end.reason, "nothing waits for confirmation"))
    return 0 if ok else 1


def run(places: Places, _arguments: Namespace) -> int:
    """Hold the node, without end."""
    try:
        return run_agent(places)
    except settings.NoNodeError as error:
        _complain(str(error))
        return NO_NODE
    except settings.SettingsError as error:
        _complain(str(error))
        rest(os.environ.get("INVOCATION_ID"))
        return 1


def _answers(places: Places, question: AskPlan | AskApply | AskRevert) -> Iterator[Answer]:
    """Ask the running agent; where none runs, do it here."""
    try:
        yield from ask(places.control, question)
    except NotRunningError:
        yield from work_here(places, question)


def _ask_running(places: Places, question: Question) -> Iterator[Answer]:
    try:
        yield from ask(places.control, question)
    except (NotRunningError, PermissionError) as error:
        if os.access(places.config, os.X_OK) and not os.path.lexists(places.identity):
            raise CommandError(
                "cannot ask: no agent runs, for this machine is no node yet; on the master: "
                "saltern node token NAME; and here: saltern-agent join - < TOKEN.FILE"
            ) from error
        raise CommandError(
            f"cannot ask: {error}; is it running, and are you root? (systemctl start saltern-agent)"
        ) from error


def _bring(places: Places, statement: bytes, source: Path | None) -> None:
    """Copy what the body needs into the agent's own blobs, each checked on the way.

    Nothing is believed of the statement yet: at worst a blob is kept that nobody needs.
    """
    if source is None:
        return
    own = DiskBlobs(places.blobs)
    try:
        wanted = read_body(decode_statement(statement).body).blobs
        for blob in sorted(wanted):
            if not own.has(blob) and (source / blob).is_file():
                with (source / blob).open("rb") as file:
                    own.add(blob, iter(lambda: file.read(CHUNK), b""))
    except (ProtocolError, BodyError) as error:
        raise CommandError(f"cannot read the statement: {error}") from error
    except (HostError, OSError) as error:
        raise CommandError(f"cannot bring blobs from {source}: {error}") from error


def _start(places: Places) -> None:
    """Have the agent started that its package brought, on a machine that systemd runs."""
    if places == settings.USUAL and has_systemd() and start_if_enabled():
        _print("its agent is started: see saltern-agent status")


def _token(given: str) -> str:
    if given == "-":
        return sys.stdin.readline()
    if not given.startswith("@") and os.path.lexists(given):
        raise CommandError(
            f"cannot take {given} for a token: it is a file's name; to read the token from it: "
            f"saltern-agent join - < {given}"
        )
    return _read(Path(given[1:])).decode(errors="replace") if given.startswith("@") else given


def _complain(text: str) -> None:
    print(f"saltern-agent: {for_terminal(text)}", file=sys.stderr, flush=True)  # noqa: T201


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from error


def _well(end: Answer) -> bool:
    """Say whether it ended well; print why where it did not."""
    if not isinstance(end, End):
        return False
    if end.error:
        said = f"refused ({end.reason}): {end.error}" if end.reason else end.error
        print(f"saltern-agent: {for_terminal(said)}", file=sys.stderr)  # noqa: T201
    return end.ok


def _print_all(rows: Iterator[str]) -> None:
    for row in rows:
        _print(row)


def _print(text: str) -> None:
    print(for_terminal(text), flush=True)  # noqa: T201  # a command's output
