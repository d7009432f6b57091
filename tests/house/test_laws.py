"""Every law is one that `make test-laws` finds: it takes what bears the mark `hypothesis`.

The mark is put on a test that is a law itself. Of a law made inside a test nothing is seen from
outside, so the file that makes it has to put the mark there by hand.
"""

from __future__ import annotations

import ast
from typing import TypeGuard

from tests.house.tree import ROOT, files, shown

MARK = "pytest.mark.hypothesis"


def unseen(source: str) -> list[str]:
    """Give the laws in a source that neither are tests nor have the mark in their file."""
    tree = ast.parse(source)
    tests = [one for one in tree.body if _is_law(one) and one.name.startswith("test_")]
    laws = [one.name for one in ast.walk(tree) if _is_law(one) and one not in tests]
    marked = any(
        isinstance(one, ast.Attribute) and ast.unparse(one) == MARK for one in ast.walk(tree)
    )
    return [] if marked else laws


def _is_law(node: ast.AST) -> TypeGuard[ast.FunctionDef | ast.AsyncFunctionDef]:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    called = (one.func for one in node.decorator_list if isinstance(one, ast.Call))
    return any(ast.unparse(one) in {"given", "hypothesis.given"} for one in called)


def test_make_test_laws_finds_every_law() -> None:
    left_out = {
        shown(path): found
        for path in files(".py")
        if path.is_relative_to(ROOT / "tests") and (found := unseen(path.read_text()))
    }

    assert left_out == {}


def test_a_law_inside_a_test_has_to_be_marked() -> None:
    law = "@given(st.binary())\ndef {}(data): ...\n"
    inside = "def test_all():\n    @given(st.binary())\n    def law(data): ...\n    law()\n"

    assert unseen(law.format("test_law")) == []
    assert unseen(law.format("law")) == ["law"]
    assert unseen(inside) == ["law"]
    assert unseen(f"@{MARK}\n{inside}") == []
