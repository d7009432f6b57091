"""A systemd in memory, over FakeFiles.

* A unit is there when FakeFiles holds its file in a directory of systemd's; what systemd
  knows of it is a copy, taken at first sight and at reload_daemon().
* A start, and a reload, writes the record that the loaded copy of our drop-in would have
  written: hashes of what FakeFiles holds at that moment.
* The file that ExecStart= names is what the main process runs, as it was at the start.

`fail` holds units whose next starts end with that result. `crash()`, `start()` and
`mask()` are also what a stranger would do.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import count
from pathlib import Path

from saltern_states.ports import Entry, HostError, UnitState
from saltern_states.started import DROP_IN, NAME
from saltern_states.testing.files import FakeFiles

PLACES = tuple(
    Path(place, "systemd/system")
    for place in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
)
NO_UNIT = UnitState(
    load="not-found",
    active="inactive",
    enabled="",
    invocation="",
    main_pid=0,
    needs_reload=False,
    can_reload=False,
)


@dataclass
class Loaded:
    """What systemd holds of one unit."""

    copy: dict[str, bytes]  # of its file and drop-ins, by name
    active: str = "inactive"
    invocation: str = ""
    main_pid: int = 0
    program: tuple[Path, Entry | None] | None = None  # what the process runs, as it was


@dataclass
class FakeUnits:
    """Units over a dict of files."""

    files: FakeFiles
    fail: dict[str, str] = field(default_factory=dict)  # unit -> result: "start-limit-hit"
    loaded: dict[str, Loaded] = field(default_factory=dict)
    enabled: set[str] = field(default_factory=set)
    masked: set[str] = field(default_factory=set)
    numbers: count[int] = field(default_factory=lambda: count(1))
    going_down: bool = False
    coming_up: bool = False

    def install(self, unit: str, text: str = "[Service]\n[Install]\n") -> None:
        """Bring a unit file, as a package would, to a node that has systemd's directories."""
        self.files.put_directory(PLACES[0])
        self.files.put_file(Path("/usr/lib/systemd/system", unit), text.encode())

    def mask(self, unit: str) -> None:
        """Mask it."""
        self.masked.add(unit)

    def crash(self, unit: str) -> None:
        """Let its process die."""
        self._end(unit, "failed")

    def state(self, unit: str) -> UnitState:
        """Give the unit's state."""
        now = self._copy(unit)
        known = self.loaded.setdefault(unit, Loaded(now))
        if not known.copy and known.active == "inactive":
            known.copy = now  # what was not found is looked for again
        state = replace(
            NO_UNIT, active=known.active, invocation=known.invocation, main_pid=known.main_pid
        )
        if unit in self.masked:
            return replace(state, load="masked", enabled="masked")
        if not known.copy:
            return state
        return replace(
            state,
            load="loaded",
            enabled=self._enabled(unit, now),
            needs_reload=known.copy != now,
            can_reload=self._can_reload(known),
        )

    def runs_binary(self, pid: int, binary: Path) -> bool:
        """Say whether the process runs what stands at `binary` now."""
        programs = [each.program for each in self.loaded.values() if each.main_pid == pid > 0]
        if not programs:
            raise HostError(f"cannot look at process {pid}: there is none")
        return programs == [(binary, self.files.look(binary))]

    def shutting_down(self) -> bool:
        """Say whether the system is on its way down."""
        return self.going_down

    def starting_up(self) -> bool:
        """Say whether the boot still goes on."""
        return self.coming_up

    def reload_daemon(self) -> None:
        """Copy all unit files again."""
        for unit, known in self.loaded.items():
            known.copy = self._copy(unit)

    def enable(self, unit: str) -> None:
        """Enable it."""
        self._need(unit, "enable")
        if self._enabled(unit, self._copy(unit)) == "disabled":
            self.enabled.add(unit)
        self.reload_daemon()

    def disable(self, unit: str) -> None:
        """Disable it."""
        self.enabled.discard(unit)
        self.reload_daemon()

    def unmask(self, unit: str) -> None:
        """Take a mask away."""
        self.masked.discard(unit)
        self.reload_daemon()

    def start(self, unit: str) -> None:
        """Start it."""
        self._need(unit, "start")
        known = self.loaded[unit]
        if known.active == "active":
            return
        number = next(self.numbers)
        known.invocation = sha256(f"{unit} {number}".encode()).hexdigest()[:32]
        if unit in self.fail:
            known.active = "failed"
            raise HostError(f"cannot start {unit}: its job ended as {self.fail[unit]}")
        if unit.endswith(".service"):
            program = self._program(known)
            known.program = (program, self.files.look(program)) if program else None
            known.main_pid = number
            self._record(unit, "ExecStartPre=")
        known.active = "active"

    def stop(self, unit: str) -> None:
        """Stop it."""
        if self.state(unit).active != "failed":
            self._end(unit, "inactive")

    def restart(self, unit: str) -> None:
        """Restart it."""
        self._need(unit, "restart")
        self._end(unit, "inactive")
        self.start(unit)

    def reload(self, unit: str) -> None:
        """Reload it."""
        self._need(unit, "reload")
        known = self.loaded[unit]
        if known.active != "active" or b"ExecReload=" not in b"".join(known.copy.values()):
            raise HostError(f"cannot reload {unit}: it is {known.active}, or knows no reload")
        self._record(unit, "ExecReload=")

    def _need(self, unit: str, verb: str) -> None:
        if (load := self.state(unit).load) != "loaded":
            raise HostError(f"cannot {verb} {unit}: the unit is {load}")

    def _end(self, unit: str, active: str) -> None:
        self.state(unit)
        known = self.loaded[unit]
        known.active, known.main_pid, known.program = active, 0, None

    def _copy(self, unit: str) -> dict[str, bytes]:
        fragments = [self._content(place / unit) for place in PLACES]
        fragment = next((each for each in fragments if each is not None), None)
        if fragment is None:
            return {}
        folder = PLACES[0] / f"{unit}.d"
        entry = self.files.look(folder)
        names = self.files.names(folder) if entry and entry.type == "directory" else ()
        found = {name: self._content(folder / name) for name in names if name.endswith(".conf")}
        return {unit: fragment} | {name: text for name, text in found.items() if text is not None}

    def _content(self, path: Path) -> bytes | None:
        entry = self.files.look(path)
        return self.files.read(path) if entry and entry.type == "file" else None

    def _enabled(self, unit: str, copy: dict[str, bytes]) -> str:
        if not copy:
            return ""
        if b"[Install]" not in copy[unit]:
            return "static"
        return "enabled" if unit in self.enabled else "disabled"

    def _can_reload(self, known: Loaded) -> bool:
        vendor = [text for name, text in known.copy.items() if name != DROP_IN]
        return any(b"ExecReload=" in text for text in vendor)

    def _program(self, known: Loaded) -> Path | None:
        lines = [line for text in known.copy.values() for line in text.decode().splitlines()]
        starts = [line.removeprefix("ExecStart=").split() for line in lines]
        return next((Path(words[0]) for words in starts if words and words[0][0] == "/"), None)

    def _record(self, unit: str, key: str) -> None:
        known = self.loaded[unit]
        lines = known.copy.get(DROP_IN, b"").decode().split("\n")
        words = next((split(line) for line in lines if line.startswith(key)), [])
        if NAME not in words:
            return
        folder, _, record, *files = words[words.index(NAME) + 1 :]
        lines = [known.invocation, "stale" if self.state(unit).needs_reload else "current"]
        for file in files:
            entry = self.files.look(Path(file))
            lines.append(f"{(entry and entry.sha256) or '-'}  {file}")
        content = "\n".join([*lines, ""]).encode()
        self.files.put_file(Path(folder, record), content, 0o600)


def split(line: str) -> list[str]:
    """Take a command line of a unit apart as systemd does; the inverse of started.quote()."""
    words: list[str] = []
    signs = iter(line)
    word, quoted = "", False
    for sign in signs:
        if sign == "\\" or (sign in "%$" and quoted):
            word += next(signs)  # "\\", '\"', "%%" and "$$" stand for the second sign
        elif sign == '"':
            quoted = not quoted
        elif sign == " " and not quoted:
            words, word = [*words, word], ""
        else:
            word += sign
    return [*words, word]
