"""Documents that can be wrong: links, generated pages, decisions, the command that people run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOT, files, shown

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
OUTSIDE = ("http://", "https://", "mailto:")
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`[^`\n]*`")
STATUS = re.compile(
    r"^\* Status: (proposed|accepted|superseded by \[\d{4}\]\(.+\)) \(\d{4}-\d\d-\d\d\)$"
)
ADRS = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
PARTS = ("## Context", "## Drivers", "## Options", "## Decision")


def anchors(path: Path) -> set[str]:
    """Give the names that headings of a document are linked by."""
    heads = re.findall(r"^#+ (.+)$", CODE.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def broken(path: Path) -> list[str]:
    """Give the links of a document that lead nowhere in this repository."""
    found = []
    for link in LINK.findall(SPAN.sub("", CODE.sub("", path.read_text()))):
        if link.startswith(OUTSIDE):
            continue
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        inside = target.is_relative_to(ROOT) and target.exists()
        if not inside or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            found.append(f"{shown(path)}: {link}")
    return found


def test_every_relative_link_leads_somewhere() -> None:
    assert [link for path in files(".md") for link in broken(path)] == []


def test_the_reference_is_what_would_be_written() -> None:
    command = [sys.executable, str(ROOT / "packaging/tools/reference.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)

    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0), "run `make docs`"


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(path.name[:4]) for path in ADRS] == list(range(1, len(ADRS) + 1))


@pytest.mark.parametrize("path", ADRS, ids=lambda path: path.name[:4])
def test_every_decision_has_a_status_and_weighs_options(path: Path) -> None:
    lines = path.read_text().splitlines()

    assert any(STATUS.match(line) for line in lines), "say * Status: accepted (YYYY-MM-DD)"
    assert [line for line in lines if line.startswith("## ") and line in PARTS] == list(PARTS)
    assert sum(line.startswith("### ") for line in lines) >= 2, "a decision without options is none"


@pytest.mark.parametrize("path", ADRS, ids=lambda path: path.name[:4])
def test_every_decision_is_in_the_index(path: Path) -> None:
    assert f"]({path.name})" in (ROOT / "docs/adr/README.md").read_text()


def test_every_decision_that_code_names_is_there() -> None:
    named = re.compile(r"(?:docs/adr/|ADR )(\d{4})")
    wanted = {
        number
        for path in files(".py", ".toml", ".md", ".service", "")
        for number in named.findall(path.read_text())
    }

    assert wanted <= {path.name[:4] for path in ADRS}


def test_ci_runs_what_people_run() -> None:
    last = (ROOT / ".ci/run").read_text().strip().splitlines()[-1]
    command = last.removeprefix("exec ")
    readme = (ROOT / "README.md").read_text()

    assert any(
        command in block.splitlines()
        for block in re.findall(r"^```\w*\n(.*?)^```", readme, re.M | re.S)
    )


def test_make_explains_every_command_that_people_type() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony is not None
    explained = re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)

    assert sorted(phony[1].split()) == sorted(explained)
