"""Fault 28: text that would be a command, an option, a rule, a template or a terminal's.

Each payload goes into every string field of every kind, of what nodes report, and of the cluster
file. What is started is told by strace; what is printed is looked through.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.injection_payloads import CANARY, MARK
from tests.faults.path_watch import BEGIN, END, watched

ALLOWED = frozenset(
    (
        "/usr/sbin/iptables-nft-save", "/usr/sbin/iptables-nft-restore",
        "/usr/sbin/modprobe", "/usr/bin/apt-get", "/usr/bin/dpkg", "/usr/bin/dpkg-deb",
        "/usr/bin/journalctl", "/bin/sh", "/bin/mkdir", "/bin/mv", "/usr/bin/sha256sum",
        "/usr/bin/timeout", "/bin/systemctl",
    )
)  # fmt: skip
EXEC = re.compile(r'execve\("((?:[^"\\]|\\.)*)", \[(.*)\], (?:0x|\[)')
WORD = re.compile(r'"((?:[^"\\]|\\.)*)"(?:\.\.\.)?')
MOVES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
EVALUATED = str(7191919 * 7191919)
SECONDS = 30.0  # and a second for each payload


def run(trial: Trial) -> Seen:
    """Try the seeds that once failed, then a new one."""
    tried, started, found, strange, moved, proofs = 0, 0, 0, 0, 0, 0
    share = trial.rounds // (len(trial.seeds) + 1) + 1
    counted = 0
    for number, seed in enumerate((*trial.seeds, trial.seed)):
        directory = trial.directory / str(number)
        directory.mkdir()
        log = trial.directory / f"{number}.strace"
        worker = [sys.executable, "-m", "tests.faults.injection_worker", str(directory)]
        limit = SECONDS + share
        calls = "execve,execveat,access,faccessat,faccessat2"
        said = watched([*worker, str(seed), str(share)], log, directory, limit, calls)
        *lines, last = said.rstrip("\n").split("\n")
        told = json.loads(last)
        wrong = tuple(beyond(commands(log)))
        counted += len(tuple(commands(log)))
        for line in (*wrong[:4], *told["strange"][:4]):
            trial.say(f"seed {seed}: {line}")
        shown = [line for line in lines if MOVES.search(line)]
        for line in shown[:4]:
            trial.say(f"seed {seed}: printed {line[:200]!r}")
        tried += told["payloads"]
        started += len(wrong)
        strange += len(told["strange"])
        moved += len(shown)
        found += sum(CANARY in line for line in lines) + sum(EVALUATED in line for line in lines)
        proofs += (directory / "proof").exists()
        assert told["through"] > told["payloads"]
    assert counted, "strace saw no program"
    figures = (
        Figure("programs or options beyond the allow-list", started),
        Figure("proofs of a command that ran", proofs),
        Figure("secrets and templates come true in what is printed", found),
        Figure("lines that move a terminal", moved),
        Figure("answers that are no refusal of ours", strange),
    )
    return Seen(
        tried, figures, f"{counted} programs as strace saw them; apt-get and dpkg as /bin/true"
    )


def commands(log: Path) -> Iterator[Sequence[str]]:
    """Give the program and the words of each one that was started in the trials."""
    on = False
    with log.open(errors="surrogateescape") as lines:
        for line in lines:
            if BEGIN in line or END in line:
                on = BEGIN in line
            seen = EXEC.search(line)
            if on and seen is not None:
                yield (seen[1], *WORD.findall(seen[2]))


def beyond(started: Iterator[Sequence[str]]) -> Iterator[str]:
    """Name what may not be started, and words of a payload where a program takes options."""
    for program, *words in started:
        options = words[: words.index("--")] if "--" in words else words
        if program not in ALLOWED:
            yield f"{program} was started: {words}"
        elif program != "/bin/sh" and any(_hostile(word) for word in options[1:]):
            yield f"a payload stands where {program} takes options: {words}"
        elif program == "/bin/sh" and MARK in words[2]:
            yield f"a payload is in a script: {words}"


def _hostile(word: str) -> bool:
    return MARK in word and not word.startswith("--unit=")


FAULT = Fault(
    number=28,
    what="injection into every string field",
    short=30,
    full=300,
    run=run,
)
