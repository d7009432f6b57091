r"""What a service was started with: the drop-in that records it, and the record it leaves.

The drop-in is /etc/systemd/system/UNIT.d/50-saltern-started.conf. Its lines run a short
shell script as root, outside of the unit's sandbox, when the service starts and after it
reloads. The script hashes the declared files as they are on disk at that moment and
leaves, by rename, in /run/saltern/started/UNIT (and UNIT.reload):

    2f8f3c0e4c2c4f0f9a6c1d0e5b7a9f31       $INVOCATION_ID
    current                                or "stale": systemd had an older copy of the unit
    9f86d081884c…  /etc/docker/daemon.json "-" for the hash where no file could be read

* A record counts only for the invocation that it names, so nobody has to delete it.
* No failure of the script keeps a service from starting ("-"), and none passes for a
  record: without one the unit is not converged.
* The reload line stands behind the vendor's own, so only a reload that worked is recorded.
* A file that changes in the milliseconds between the hash and the service's own reading
  is not seen; everything before and after is.
* Names are arguments of the script, never part of its text; systemd's own signs
  ("\", '"', "%", "$") are escaped as systemd.syntax(7) and systemd.service(5) say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DROP_IN = "50-saltern-started.conf"
RECORDS = Path("/run/saltern/started")
NAME = "saltern-started"  # the script's $0: tells our lines from the vendor's

SCRIPT = (
    'umask 022; /bin/mkdir -p -- "$1" || exit; umask 077; '
    'd=$1; u=$2; r=$3; shift 3; { printf "%s\\n" "$INVOCATION_ID"; '
    "case $(/usr/bin/timeout 10 /bin/systemctl show --property=NeedDaemonReload --value"
    ' -- "$u") in no) echo current;; *) echo stale;; esac; '
    'for f; do h=; test -f "$f" && h=$(/usr/bin/sha256sum <"$f"); h=${h%% *}; '
    'printf "%s  %s\\n" "${h:--}" "$f"; done; } >"$d/.$r" && /bin/mv -fT -- "$d/.$r" "$d/$r"'
)


@dataclass(frozen=True, slots=True)
class Record:
    """What one start or reload found."""

    invocation: str
    current: bool
    hashes: tuple[tuple[str, str], ...]  # (path, SHA-256), sorted by path

    def sha256(self, path: str) -> str | None:
        """Give the hash of a file at that moment; None where it was not looked at."""
        return dict(self.hashes).get(path)


def drop_in_path(unit: str) -> Path:
    """Give where the unit's drop-in lies."""
    return Path("/etc/systemd/system", f"{unit}.d", DROP_IN)


def record_path(unit: str) -> Path:
    """Give where the unit's last start is recorded."""
    return RECORDS / unit


def reload_path(unit: str) -> Path:
    """Give where the unit's last reload is recorded."""
    return RECORDS / f"{unit}.reload"


def drop_in(
    unit: str, files: Sequence[str], on_reload: Sequence[str], records: Path = RECORDS
) -> bytes:
    """Give the drop-in that records `files` at a start and `on_reload` at a reload."""
    lines = [
        "# Written by Saltern: records what this service was started with.",
        "[Service]",
        f"ExecStartPre=-+{_command(records, unit, unit, files)}",
    ]
    if on_reload:
        lines.append(f"ExecReload=-+{_command(records, unit, f'{unit}.reload', on_reload)}")
    return "\n".join([*lines, ""]).encode()


def quote(word: str) -> str:
    """Write one word so that systemd reads it back as it is, in a command line of a unit."""
    for sign, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        word = word.replace(sign, escaped)
    return f'"{word}"'


def parse(content: bytes | None) -> Record | None:
    """Read a record; None where there is none, or it is not whole."""
    if content is None or not content.endswith(b"\n"):
        return None
    head, *rest = content.decode(errors="replace")[:-1].split("\n")
    if not head or not rest or rest[0] not in ("current", "stale"):
        return None
    pairs = [line.partition("  ") for line in rest[1:]]
    hashes = tuple(sorted((path, sha256) for sha256, _, path in pairs))
    return Record(invocation=head, current=rest[0] == "current", hashes=hashes)


def in_force(path: str, started: Record | None, reloaded: Record | None) -> str | None:
    """Give the hash of the content that the process read last; None where nothing tells."""
    last = reloaded.sha256(path) if reloaded else None
    return last or (started.sha256(path) if started else None)


def _command(records: Path, unit: str, record: str, files: Sequence[str]) -> str:
    words = ["-c", SCRIPT, NAME, str(records), unit, record, *files]
    return " ".join(["/bin/sh", *(quote(word) for word in words)])
