"""iptables by its own programs and its own text form.

* Programs are started by absolute path, without a shell, with an environment of our own.
* Looking makes nothing. iptables-legacy-save makes the table that it is asked for, so it is
  started only where /proc/net/ip_tables_names has the table already; a legacy table that is
  not there is empty. iptables-nft-save makes none.
* A table that iptables-nft cannot express (somebody used nft on it) is HostError: iptables-save
  skips it with a remark, and to read that as "empty" would be a guess.
* restore() is one table, tested first, and one transaction.

Cache, in memory: what iptables-nft-save printed last, for all tables. It is believed only
while the kernel's nf_tables generation, which every change of rules raises, is the one that
stood before and after it was printed. Legacy has no generation: it is read each time.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
from pathlib import Path
from typing import Final

from saltern_states import iptables_text
from saltern_states.ports import Backend, HostError

from saltern_agent.host.events.netlink import attributes
from saltern_agent.host.netlink_socket import NetlinkSocket

PROGRAMS: Final = Path("/usr/sbin")
LEGACY_TABLES: Final = Path("/proc/self/net/ip_tables_names")
ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
SECONDS: Final = 30
LOCK_SECONDS: Final = 10  # how long another program may hold the legacy lock

NETLINK_NETFILTER: Final = 12
GET_GENERATION: Final = 10 << 8 | 16  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN
GENERATION_ID: Final = 1  # NFTA_GEN_ID
FAMILY: Final = struct.Struct("=BBH")  # nfgenmsg: family, version, resource

_INCOMPATIBLE: Final = re.compile(r"^# Table `([a-z]+)' is incompatible", re.MULTILINE)
_LINE: Final = re.compile(r"\bline:? ([0-9]+)\b")


class Generation:
    """The number that nf_tables raises at every change of its rules."""

    def __init__(self) -> None:
        self._socket = NetlinkSocket(NETLINK_NETFILTER)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def now(self) -> int | None:
        """Give it; None where the kernel does not tell (no nf_tables, or no CAP_NET_ADMIN)."""
        try:
            answers = self._socket.ask(GET_GENERATION, 0, FAMILY.pack(socket.AF_UNSPEC, 0, 0))
        except OSError:
            return None
        for number, value in attributes(answers[0].body, FAMILY.size):
            if number == GENERATION_ID:
                return int.from_bytes(value, "big")
        return None


class Iptables:
    """The packet filter of the network namespace in which this is made."""

    def __init__(self, programs: Path = PROGRAMS) -> None:
        self._programs = programs
        self._generation = Generation()
        self._kept: tuple[int, dict[str, str]] | None = None

    def close(self) -> None:
        """Close the socket."""
        self._generation.close()

    def save(self, backend: Backend, table: str) -> str | None:
        """Give the table without counters; None where this back end is not installed."""
        if table not in iptables_text.BUILT_IN:
            raise HostError(f"cannot look at the table {table}: iptables has none of that name")
        program = self._programs / f"iptables-{backend}-save"
        if not os.access(program, os.X_OK):
            return None
        if backend == "nft":
            return self._nft(program, table)
        if table not in _legacy_tables():
            return _texts("")[table]
        return _texts(_run([str(program), "-t", table], ""))[table]

    def restore(self, backend: Backend, text: str) -> None:
        """Apply one table's text with --noflush, all or nothing, after it passed --test."""
        tables = [line for line in text.splitlines() if line.startswith("*")]
        if len(tables) != 1 or not text.startswith("*") or not text.endswith("\nCOMMIT\n"):
            raise HostError(
                "cannot restore rules: the text is not one table, which is one transaction"
            )
        program = self._programs / f"iptables-{backend}-restore"
        if not os.access(program, os.X_OK):
            raise HostError(f"cannot restore rules: there is no {program}; install iptables")
        command = [str(program), f"--wait={LOCK_SECONDS}", "--noflush"]
        _run([*command, "--test"], text)
        _run(command, text)

    def _nft(self, program: Path, table: str) -> str:
        before = self._generation.now()
        if self._kept is not None and before is not None and self._kept[0] == before:
            return self._kept[1][table]
        printed = _run([str(program)], "")
        skipped = _INCOMPATIBLE.findall(printed)
        if table in skipped:
            raise HostError(
                f"cannot look at the table {table}: nft was used on it, and iptables cannot show "
                f"that; see `nft list table ip {table}`, and take away what iptables did not make"
            )
        texts = _texts(printed)
        whole = before is not None and not skipped and before == self._generation.now()
        self._kept = (before, texts) if whole and before is not None else None
        return texts[table]


def _legacy_tables() -> frozenset[str]:
    try:
        return frozenset(LEGACY_TABLES.read_text().split())
    except FileNotFoundError:  # ip_tables is not loaded, so there is no table
        return frozenset()
    except OSError as error:
        raise HostError(f"cannot read {LEGACY_TABLES}: {error.strerror}") from error


def _texts(printed: str) -> dict[str, str]:
    """Give each table's text without counters; that of an empty one where it is not shown."""
    shown = iptables_text.split(printed)
    return {
        name: iptables_text.join(name, shown[name])
        if name in shown
        else iptables_text.render(iptables_text.empty(name))
        for name in iptables_text.BUILT_IN
    }


def _run(command: list[str], given: str) -> str:
    """Run a program of iptables; HostError with its words, and the line that it refuses."""
    try:
        done = subprocess.run(
            command,
            input=given,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=SECONDS,
            env=ENVIRONMENT,
            cwd="/",
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise HostError(f"cannot run {command[0]}: no answer in {SECONDS} s") from error
    except OSError as error:
        raise HostError(f"cannot run {command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        raise HostError(_refusal(command[0], done.returncode, done.stderr, given))
    return done.stdout


def _refusal(program: str, code: int, words: str, given: str) -> str:
    """Put into words what iptables refuses; its "line 7" is of no use without the line."""
    lines = given.splitlines()
    found = _LINE.search(words)
    number = int(found[1]) if found else 0
    said = " ".join(line for line in words.splitlines() if line and not line.startswith("Try `"))
    if not 0 < number <= len(lines):
        return f"cannot run {program}: exit status {code}: {said}"
    if lines[number - 1] == "COMMIT":
        return f"cannot restore rules: the kernel refuses {lines[0][1:]} as a whole: {said}"
    return f"cannot restore rules: iptables refuses {lines[number - 1]!r}: {said}"
