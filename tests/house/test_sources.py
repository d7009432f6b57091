"""What every file keeps: a docstring, a length, and no word that has no business here.

The words that must not stand anywhere are written here turned by 13 letters, so that this file
holds none of them.
"""

from __future__ import annotations

import ast
import codecs
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.tree import ROOT, files, shown

MOST_LINES = 400

ADDRESSES = (  # of registries: a machine's own settings say where packages come from
    "clcv.bet",
    "clguba" + "ubfgrq.bet",
    "qro.qrovna.bet",
    "frphevgl.qrovna.bet",
    "nepuvir.hohagh.pbz",
    "cebkl.tbynat.bet",
    "ertvfgel.acz" + "wf.bet",
    "pengrf.vb",
)
WORDS = ("nagu" + "ebcvp", "pynhqr", "bcranv", "pungtcg", "pbcvybg", "nffvfgnag", "ynathntr zbqry")
SHORT = ("NV", "YYZ", "YYZf", "TCG")  # as words of their own, in capitals
PLACE = "/jbex"  # a directory of the machine that it was written on

TEXT = (".py", ".md", ".toml", ".txt", ".json", ".service", ".c", ".yaml", ".sql", ".sh", "")


def turned(text: str) -> str:
    """Give text turned by 13 letters."""
    return codecs.encode(text, "rot13")


def forbidden() -> re.Pattern[str]:
    """Give one pattern for all that must not stand anywhere."""
    anywhere = "|".join(re.escape(turned(word)) for word in (*ADDRESSES, *WORDS))
    short = "|".join(turned(word) for word in SHORT)
    place = re.escape(turned(PLACE))
    return re.compile(rf"(?i:{anywhere})|\b(?:{short})\b|(?<![\w.}}*)-]){place}(?![\w-])")


def said(path: Path, pattern: re.Pattern[str]) -> Iterator[str]:
    """Give each line of a file in which the pattern is found."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = pattern.search(line)
        if found:
            yield f"{shown(path)}:{number}: {turned(found[0])}, turned by 13 letters"


def python() -> list[Path]:
    """Give every file of Python."""
    return list(files(".py"))


def test_every_module_says_what_it_is() -> None:
    silent = [
        shown(path) for path in python() if not ast.get_docstring(ast.parse(path.read_text()))
    ]

    assert silent == []


def test_no_file_is_longer_than_a_sitting() -> None:
    lines_of = {shown(path): len(path.read_text().splitlines()) for path in python()}

    assert {path: lines for path, lines in lines_of.items() if lines > MOST_LINES} == {}


def test_no_file_says_what_is_nobodys_business() -> None:
    pattern = forbidden()
    found = [line for path in files(*TEXT) for line in said(path, pattern)]

    assert found == []


@pytest.mark.parametrize("word", [*ADDRESSES, *WORDS, *SHORT, PLACE])
def test_each_forbidden_word_is_found(word: str, tmp_path: Path) -> None:
    assert forbidden().search(f"see {turned(word)}, or not")


@pytest.mark.parametrize("innocent", ["PLAIN", "CHAIN", "/workdir", "overlay/work", "a worker"])
def test_what_merely_looks_like_one_is_not(innocent: str) -> None:
    assert forbidden().search(innocent) is None


def test_the_audit_sees_the_tree() -> None:
    seen = {shown(path) for path in files()}

    assert {"pyproject.toml", "states/saltern_states/file.py", ".ci/run", "Makefile"} <= seen
    assert not any(path.startswith((".venv", ".git/")) for path in seen), ROOT
