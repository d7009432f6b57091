"""Every command and option that a page for people names is one that the programs know.

What a page shows in a fenced block or between backticks and begins with `saltern` or
`saltern-agent` is compared with what the program's own --help says, word by word.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from saltern_master.cli import app
from typer.testing import CliRunner

from tests.house.tree import ROOT, shown

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
FENCE = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
PROMPT = re.compile(r"^\s*(?:[a-z0-9]+)?[$#]\s+")
AGENT = "saltern-agent"
PROGRAMS = ("saltern", AGENT)
BEFORE = frozenset({"exec", "sudo"})
OPERATORS = frozenset({"|", ">", ">>", "<", "&&", "||", ";", "&", "#", "…", "..."})
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
SECTION = re.compile(r"^(\w[\w ]*):\n((?:(?: .*)?\n)*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Help:
    """What --help of one command says: the commands below it, and its options."""

    commands: frozenset[str]
    options: frozenset[str]


def read(text: str) -> Help:
    """Read what --help printed, typer's form or argparse's."""
    parts = {name.lower(): body for name, body in SECTION.findall(f"{text}\n")}
    entries = re.findall(
        r"^ {2,4}([a-z][a-z-]*)(?: {2}.*)?$", parts.get("commands", ""), re.MULTILINE
    )
    lines = re.findall(r"^ {2}(-.*)$", parts.get("options", ""), re.MULTILINE)
    options = {one for line in lines for one in OPTION.findall(line.split("   ")[0])}
    return Help(frozenset(entries), frozenset(options))


@cache
def known(*path: str) -> Help:
    """Ask a program's command for its --help."""
    program, *rest = path
    if program == "saltern":
        done = CliRunner().invoke(app, [*rest, "--help"], prog_name="saltern")
        return read(done.stdout)
    argv = [sys.executable, "-m", "saltern_agent", *rest, "--help"]
    return read(subprocess.run(argv, capture_output=True, text=True, timeout=30).stdout)


def commands(text: str) -> Iterator[list[str]]:
    """Give the words of each command of ours in a page."""
    spans = SPAN.findall(FENCE.sub("", text))
    lines = [line for block in FENCE.findall(text) for line in joined(block).splitlines()]
    for line in (*spans, *lines):
        words = split(PROMPT.sub("", line))
        starts = [at for at, word in enumerate(words) if word in PROGRAMS]
        if not starts or (starts[0] > 0 and words[0] not in BEFORE):
            continue  # output, or another program's line
        for begin, end in zip(starts, [*starts[1:], len(words)], strict=True):
            stop = next((at for at in range(begin, end) if words[at] in OPERATORS), end)
            yield words[begin:stop]


def joined(block: str) -> str:
    """Put lines together that a backslash at their end parted."""
    return block.replace("\\\n", " ")


def split(line: str) -> list[str]:
    """Split a line as a shell does; operators are words of their own."""
    lexer = shlex.shlex(line.replace("…", " … "), posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    try:
        return list(lexer)
    except ValueError:  # an apostrophe of a sentence
        return line.split()


def unknown(words: list[str]) -> list[str]:
    """Name what the program does not know in a command."""
    path, wrong = words[:1], []
    for word in words[1:]:
        here = known(*path)
        if word == "--":
            break
        if word.startswith("-") and word != "-":
            if word.partition("=")[0] not in here.options:
                wrong.append(f"{' '.join(path)} has no {word}")
        elif here.commands and len(path) < 3 and not word.isupper():
            if word not in here.commands:
                return [*wrong, f"{' '.join(path)} has no command {word}"]
            path.append(word)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_what_a_page_names_is_there(page: Path) -> None:
    assert [wrong for words in commands(page.read_text()) for wrong in unknown(words)] == []


def test_the_tutorial_and_the_readme_are_read() -> None:
    found = {shown(path): len(list(commands(path.read_text()))) for path in PAGES}

    assert found["README.md"] > 10
    assert found["docs/tutorial/first-cluster.md"] > 20


@pytest.mark.parametrize(
    ("page", "wrong"),
    [
        ("`saltern nodes list`", ["saltern has no command nodes"]),
        ("`saltern node lost w1`", ["saltern node has no command lost"]),
        ("```\n$ saltern status --colour\n```", ["saltern status has no --colour"]),
        ("```\nsaltern lab up w1 --lab x | cat --nothing\n```", []),
        ("```\nsaltern lab exec w1 -- saltern-agent joyn\n```", [f"{AGENT} has no command joyn"]),
        ("```\nsaltern-agent join \\\n --wiat=3 TOKEN\n```", [f"{AGENT} join has no --wiat=3"]),
        ("```\nsaltern: cannot reach the master\n```", []),
        ("`saltern node token NAME --class worker`, and `saltern node …`", []),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found(page: str, wrong: list[str]) -> None:
    assert [each for words in commands(page) for each in unknown(words)] == wrong
