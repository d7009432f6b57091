"""Every row of the threat model names what proves it, and what it names is there."""

from __future__ import annotations

import ast
import re

from tests.faults.run import every_fault
from tests.house.tree import ROOT

PAGE = ROOT / "docs/explanation/threat-model.md"
ROW = re.compile(r"^\| (A\d+) .*\|$", re.MULTILINE)
TEST = re.compile(r"`([a-z_/]+\.py)::(test_\w+)`")
FAULT = re.compile(r"\bfaults? (\d+(?:(?:, | and )\d+)*)")
LATER = frozenset({"A8", "A12"})


def rows() -> dict[str, str]:
    return {match[1]: match[0] for match in ROW.finditer(PAGE.read_text())}


def functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_all_attackers_have_a_row() -> None:
    assert list(rows()) == [f"A{number}" for number in range(1, 15)]


def test_each_row_names_a_test_or_says_that_it_comes_later() -> None:
    for name, row in rows().items():
        assert TEST.search(row) or FAULT.search(row) or name in LATER, row


def test_what_is_named_is_there() -> None:
    text = PAGE.read_text()
    named_tests = TEST.findall(text)
    missing = [f"{path}::{name}" for path, name in named_tests if name not in functions(path)]
    assert missing == []
    known = {fault.number for fault in every_fault()}
    named = {int(number) for told in FAULT.findall(text) for number in re.findall(r"\d+", told)}
    assert named <= known
