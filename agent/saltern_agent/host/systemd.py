"""systemd, over D-Bus, without a loop of its own.

* A look asks for eight properties in one write. Whether a unit is enabled is asked of
  systemd, which reads its files for it, and kept until a directory that holds links to
  units changes, and not believed while a unit's files are newer than systemd's copy.
* Our own ExecReload= line makes no unit reloadable: it does not count for `can_reload`.
* A job is waited for on a connection of its own, so a long start blocks no look. What is
  not "done" in time is a HostError that ends with the unit's last journal lines.
* Before a start or restart the unit's failures are forgotten (reset-failed): a start limit
  that somebody ran into would refuse it (systemd/systemd#10529).

Cache: in memory, unit -> enabled, as long as the stamps of systemd's directories stay; and
the bytes in which a unit is asked about.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections import deque
from pathlib import Path
from typing import Any, Final

from jeepney import MatchRule, Message
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import DBusConnection
from saltern_states.ports import HostError, UnitState
from saltern_states.started import NAME

from saltern_agent.host.dbus import (
    ANSWER_SECONDS,
    SYSTEM_BUS,
    Bus,
    DBusError,
    Question,
    body,
    call,
    connect,
    question,
    silent,
)

MANAGER: Final = "org.freedesktop.systemd1.Manager"
UNIT: Final = "org.freedesktop.systemd1.Unit"
SERVICE: Final = "org.freedesktop.systemd1.Service"
ROOT: Final = "/org/freedesktop/systemd1"
RELOAD_SECONDS: Final = 90.0
JOB_SECONDS: Final = 120.0
LOOKED_AT: Final = (
    "LoadState",
    "ActiveState",
    "InvocationID",
    "DropInPaths",
    "NeedDaemonReload",
    "CanReload",
)
EXEC_SECONDS: Final = 2.0
STARTERS: Final = ("systemd", "systemd-executor")
MAX_KEPT: Final = 256  # units whose questions are kept
JOURNAL_LINES: Final = 5
JOURNALCTL: Final = "/usr/bin/journalctl"
LINKS: Final = ("etc/systemd/system", "run/systemd/system")
ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "SYSTEMD_COLORS": "0"}

Stamps = tuple[tuple[str, int], ...]


class SystemdUnits:
    """Units of the system's manager. `seconds`: how long a job may take.

    `root`: where the system's files and processes are seen, when it is not our own.
    """

    def __init__(
        self,
        address: str = SYSTEM_BUS,
        seconds: float = JOB_SECONDS,
        root: Path = Path("/"),
    ) -> None:
        self._address = address
        self._root = root
        self._seconds = seconds
        self._bus = Bus(address)
        self._enabled: dict[str, tuple[Stamps, str]] = {}
        self._questions: dict[str, tuple[Question, ...]] = {}

    def state(self, unit: str) -> UnitState:
        """Give the unit's state."""
        *calls, ask_file = self._questions_for(unit)
        stamps, kept = link_stamps(self._root), self._enabled.pop(unit, None)
        believed = kept is not None and kept[0] == stamps
        *answers, last = self._bus.ask([*calls, *(() if believed else (ask_file,))])
        if believed:
            answers.append(last)
        load, active, invocation, read, old, can, *service = [value(unit, one) for one in answers]
        old = old or has_unread(self._root, unit, read)
        sure = load == "loaded" and not old
        if believed and not sure:
            (last,) = self._bus.ask([ask_file])
        enabled = kept[1] if kept and believed and sure else file_state(unit, last)
        if sure:
            self._enabled[unit] = (stamps, enabled)
        main_pid, lines = service or (0, [])
        return UnitState(
            load=load,
            active=active,
            enabled=enabled,
            invocation=bytes(invocation).hex(),
            main_pid=main_pid,
            needs_reload=old,
            can_reload=can and not self._only_ours(unit, lines),
        )

    def runs_binary(self, pid: int, binary: Path) -> bool:
        """Compare what /proc/PID/exe stands for with what stands at the path."""
        try:
            program = self._root / f"proc/{pid}/exe"
            wait_for(program)
            runs = os.stat(program)
        except (FileNotFoundError, ProcessLookupError):
            return False  # it ended since its unit was looked at
        except OSError as error:
            raise HostError(f"cannot look at process {pid}: {error.strerror}") from error
        try:
            there = os.stat(self._root / binary.relative_to("/"))
        except OSError:
            return False
        return (runs.st_dev, runs.st_ino) == (there.st_dev, there.st_ino)

    def shutting_down(self) -> bool:
        """Say whether the system is on its way down."""
        return self._system_state() == "stopping"

    def starting_up(self) -> bool:
        """Say whether the boot still goes on: its jobs are not all done for the first time."""
        return self._system_state() in ("initializing", "starting")

    def _system_state(self) -> str:
        (found,) = self._bus.ask([question(get(ROOT, MANAGER, "SystemState"))])
        return str(value("the system", found))

    def reload_daemon(self) -> None:
        """Have systemd read all unit files again."""
        self._manage("reload systemd for", "all units", "Reload", "", seconds=RELOAD_SECONDS)

    def enable(self, unit: str) -> None:
        """Enable it, and have systemd read the new links, as systemctl does."""
        self._manage("enable", unit, "EnableUnitFiles", "asbb", [unit], False, False)
        self.reload_daemon()

    def disable(self, unit: str) -> None:
        """Disable it, for this boot and the next ones."""
        for runtime in (False, True):
            self._manage("disable", unit, "DisableUnitFiles", "asb", [unit], runtime)
        self.reload_daemon()

    def unmask(self, unit: str) -> None:
        """Take masks away, for this boot and the next ones."""
        for runtime in (False, True):
            self._manage("unmask", unit, "UnmaskUnitFiles", "asb", [unit], runtime)
        self.reload_daemon()

    def start(self, unit: str) -> None:
        """Start it."""
        self._forget_failures(unit)
        self._job("start", "StartUnit", unit)

    def stop(self, unit: str) -> None:
        """Stop it."""
        self._job("stop", "StopUnit", unit)

    def restart(self, unit: str) -> None:
        """Restart it."""
        self._forget_failures(unit)
        self._job("restart", "RestartUnit", unit)

    def reload(self, unit: str) -> None:
        """Reload it."""
        self._job("reload", "ReloadUnit", unit)

    def close(self) -> None:
        """Let go of the connection."""
        self._bus.close()

    def _questions_for(self, unit: str) -> tuple[Question, ...]:
        """Give what a look asks of a unit; the last is what systemd says of its file."""
        if unit not in self._questions:
            if len(self._questions) >= MAX_KEPT:
                self._questions.clear()
            self._questions[unit] = tuple(map(question, calls_for(unit)))
        return self._questions[unit]

    def _only_ours(self, unit: str, lines: list[tuple[Any, ...]]) -> bool:
        if not lines or any(NAME not in line[1] for line in lines):
            return False
        ask = question(get(object_path(unit), SERVICE, "Type"))
        (kind,) = self._bus.ask([ask])  # this one reloads by a signal
        return isinstance(kind, DBusError) or kind[0][1] != "notify-reload"

    def _manage(
        self,
        verb: str,
        unit: str,
        method: str,
        signature: str,
        *words: object,
        seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._enabled.clear()
        try:
            self._bus.tell(call(ROOT, MANAGER, method, signature, *words), seconds)
        except DBusError as error:
            raise HostError(f"cannot {verb} {unit}: systemd says: {error}") from error

    def _forget_failures(self, unit: str) -> None:
        try:
            self._bus.tell(call(ROOT, MANAGER, "ResetFailedUnit", "s", unit))
        except DBusError as error:
            if error.name != "org.freedesktop.systemd1.NoSuchUnit":  # no failures to forget
                raise HostError(f"cannot reset {unit}: systemd says: {error}") from error

    def _job(self, verb: str, method: str, unit: str) -> None:
        try:
            with connect(self._address) as connection:
                result = run_job(connection, method, unit, self._seconds)
        except DBusError as error:
            raise HostError(f"cannot {verb} {unit}: systemd says: {error}") from error
        except TimeoutError as error:
            why = f"its job has not ended after {self._seconds:.0f} s{last_lines(unit, self._root)}"
            raise HostError(f"cannot {verb} {unit}: {why}") from error
        except (OSError, EOFError) as error:
            raise silent(self._address, error) from error
        if result != "done":
            raise HostError(
                f"cannot {verb} {unit}: its job ended as {result}{last_lines(unit, self._root)}"
            )


def calls_for(unit: str) -> tuple[Message, ...]:
    """Give the calls that one look at a unit makes."""
    path = object_path(unit)
    of_service = ("MainPID", "ExecReload") if unit.endswith(".service") else ()
    return (
        *(get(path, UNIT, name) for name in LOOKED_AT),
        *(get(path, SERVICE, name) for name in of_service),
        call(ROOT, MANAGER, "GetUnitFileState", "s", unit),
    )


def wait_for(program: Path) -> None:
    """Wait until /proc/PID/exe is no more systemd's own program; OSError if the process ends.

    The start of a Type=simple service is done when it is forked: for some milliseconds
    it still runs what systemd forks with.
    """
    until = time.monotonic() + EXEC_SECONDS
    while Path(os.readlink(program)).name in STARTERS and time.monotonic() < until:
        time.sleep(0.002)


def run_job(connection: DBusConnection, method: str, unit: str, seconds: float) -> str:
    """Queue a job and wait for its end; give its result: "done", "failed", "dependency" …"""
    until = time.monotonic() + seconds
    rule = MatchRule(type="signal", interface=MANAGER, member="JobRemoved", path=ROOT)
    with connection.filter(rule, queue=deque[Message]()) as ended:
        answer(connection, message_bus.AddMatch(rule), ANSWER_SECONDS)
        (job,) = answer(connection, call(ROOT, MANAGER, method, "ss", unit, "replace"), seconds)
        while True:
            left = max(until - time.monotonic(), 0.0)
            message = connection.recv_until_filtered(ended, timeout=left)
            if message.body[1] == job:
                return str(message.body[3])


def answer(connection: DBusConnection, message: Message, seconds: float) -> tuple[Any, ...]:
    """Make one call; DBusError where it is refused."""
    found = body(connection.send_and_get_reply(message, timeout=seconds))
    if isinstance(found, DBusError):
        raise found
    return found


def last_lines(unit: str, root: Path) -> str:
    """Give the end of the unit's journal for a person to read; "" where there is none."""
    command = [
        JOURNALCTL,
        f"--unit={unit}",
        f"--lines={JOURNAL_LINES}",
        "--output=cat",
        "--no-pager",
        "--quiet",
        *(() if root == Path("/") else (f"--root={root}",)),
    ]
    try:
        done = subprocess.run(command, capture_output=True, timeout=5, check=True, env=ENVIRONMENT)
    except (OSError, subprocess.SubprocessError):
        return ""
    text = done.stdout.decode(errors="replace").strip()
    return f"; its journal ends:\n{text[-2000:]}" if text else ""


def get(path: str, interface: str, name: str) -> Message:
    """Ask for one property."""
    return call(path, "org.freedesktop.DBus.Properties", "Get", "ss", interface, name)


def value(unit: str, found: tuple[Any, ...] | DBusError) -> Any:  # noqa: ANN401  # as D-Bus has it
    """Give a property's value."""
    if isinstance(found, DBusError):
        raise HostError(f"cannot look at {unit}: systemd says: {found}") from found
    return found[0][1]


def file_state(unit: str, found: tuple[Any, ...] | DBusError) -> str:
    """Give what systemd says of the unit's file; "" where there is none."""
    if not isinstance(found, DBusError):
        return str(found[0])
    if found.name.endswith((".FileNotFound", ".NoSuchUnit")):
        return ""
    if found.name.endswith(".UnitMasked"):
        return "masked"
    raise HostError(f"cannot look at the file of {unit}: systemd says: {found}") from found


def object_path(unit: str) -> str:
    """Give a unit's D-Bus path; systemd loads the unit when it is asked there."""
    plain = [sign if sign.isascii() and sign.isalnum() else f"_{ord(sign):02x}" for sign in unit]
    if unit[:1].isdigit():
        plain[0] = f"_{ord(unit[0]):02x}"
    return f"{ROOT}/unit/{''.join(plain)}"


def has_unread(system: Path, unit: str, read: list[str]) -> bool:
    """Say whether a drop-in came that systemd has not read.

    It looks only into directories that were there when it last read all units
    (unit_path_cache), so NeedDaemonReload says nothing of a new directory.
    """
    known = {os.path.basename(path) for path in read}
    for links in LINKS:
        try:
            with os.scandir(f"{system}/{links}/{unit}.d") as entries:
                new = [one for one in entries if one.name.endswith(".conf")]
        except OSError:
            continue
        if any(one.name not in known and one.is_file(follow_symlinks=False) for one in new):
            return True
    return False


def link_stamps(system: Path) -> Stamps:
    """Stamp the directories whose links say what is enabled and what is masked."""
    found: list[tuple[str, int]] = []
    for root in (f"{system}/{links}" for links in LINKS):
        try:
            found.append((root, os.stat(root).st_mtime_ns))
            with os.scandir(root) as entries:
                folders = [
                    one.path for one in entries if one.name.endswith((".wants", ".requires"))
                ]
            found += [(folder, os.stat(folder).st_mtime_ns) for folder in folders]
        except OSError:
            continue  # none there, or it went just now: another stamp either way
    return tuple(sorted(found))
