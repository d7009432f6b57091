"""What is printed moves no terminal, and JSON stays the JSON that it was."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_protocol.errors import for_terminal


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n\tlines\n", "plain\n\tlines\n"),
        ("\x1b]0;owned\x07", "\\u001b]0;owned\\u0007"),
        ("\x9b31m", "\\u009b31m"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("a\rb", "a\\u000db"),
        ("\U000e0041", "\\udb40\\udc41"),
        ("\udcff", "\\udcff"),
        ("héé ✓", "héé ✓"),
    ],
)
def test_what_moves_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert for_terminal(text) == shown


@given(st.text())
def test_json_stays_the_same(text: str) -> None:
    encoded = json.dumps({"a": text}, ensure_ascii=False)
    shown = for_terminal(encoded)
    assert all(letter.isprintable() or letter in "\n\t" for letter in shown)
    assert json.loads(shown) == {"a": text}
