"""The manual and the completions: all that the programs take is in them, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_build import completion, manual
from saltern_build.package import program_of
from saltern_build.products import AGENT, MASTER, PRODUCTS, Product
from saltern_build.programs import Command, Term

FRAME = manual.Frame(
    "8", datetime(2026, 1, 2, tzinfo=UTC), "0.1.0", (("/etc/x", "It."),), ("saltern(1)",)
)
MANDOC, ZSH, FISH = (Path(f"/usr/bin/{name}") for name in ("mandoc", "zsh", "fish"))
COMMANDS = {"bash": ["/bin/bash", "-n"], "zsh": [str(ZSH), "-n"], "fish": [str(FISH), "-n"]}


def all_of(command: Command) -> Iterator[Command]:
    """Give a command and all below it."""
    yield command
    for one in command.commands:
        yield from all_of(one)


def whole(product: Product) -> str:
    """Give all pages of a product, as they are read: without marks of the formatter's."""
    text = "\n".join(manual.pages(program_of(product), FRAME).values())
    return text.replace("\\-", "-").replace("\\e", "\\")


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda one: str(one.short))
def test_every_command_and_every_option_has_its_place(product: Product) -> None:
    text = whole(product)
    commands = list(all_of(program_of(product)))
    lines = set(text.splitlines())

    assert len(commands) > 10
    assert [one.path for one in commands if f".B {' '.join(one.path)}" not in lines] == []
    shown = {term.shown for one in commands for term in one.terms if "--help" not in term.names}
    assert [one for one in shown if f".B {one}" not in lines] == []


def test_a_page_is_there_for_the_program_and_each_of_its_groups() -> None:
    pages = manual.pages(program_of(MASTER), FRAME)
    groups = [one.name for one in program_of(MASTER).commands if one.commands]

    assert set(pages) == {"saltern.8", *(f"saltern-{name}.8" for name in groups)}
    assert "see saltern\\-node(8)" in pages["saltern.8"]
    assert list(manual.pages(program_of(AGENT), FRAME)) == ["saltern-agent.8"]


@given(st.text())
def test_no_text_becomes_a_command_of_the_formatters(text: str) -> None:
    written = manual.plain(" ".join(text.split()))

    assert not written.startswith((".", "'"))
    assert written.isascii()
    assert re.fullmatch(r"([^\\]|\\e|\\-|\\&|\\\[u[0-9A-F]{4,6}\])*", written, re.DOTALL)


@pytest.mark.skipif(not MANDOC.exists(), reason="there is no mandoc here; make packages brings it")
@pytest.mark.parametrize("product", PRODUCTS, ids=lambda one: str(one.short))
def test_the_formatter_finds_no_fault(product: Product, tmp_path: Path) -> None:
    for name, text in manual.pages(program_of(product), FRAME).items():
        tmp_path.joinpath(name).write_text(text)
    files = sorted(map(str, tmp_path.iterdir()))
    command = [str(MANDOC), "-T", "lint", "-W", "warning", *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)

    assert (done.stdout, done.returncode) == ("", 0)


def completed(*words: str) -> list[str]:
    """Ask bash what the agent's script offers for the last word."""
    script = completion.knowing(program_of(AGENT))["bash"]
    ask = 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _saltern_agent; echo "${COMPREPLY[@]}"'
    command = ["/bin/bash", "--norc", "-c", f"{script}\n{ask}", "-", "saltern-agent", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("pl",), ["plan"]),
        (("--root", "/x", "pl"), ["plan"]),
        (("--ro",), ["--root"]),
        (("plan", "--d"), ["--diff"]),
        (("plan", "-o", ""), ["text", "json"]),
        (("plan", "--output", "j"), ["json"]),
        (("plan", ""), []),
        (("plan", "--blobs", "-"), []),
        (("join", "--a"), ["--again"]),
    ],
)
def test_bash_offers_what_the_parser_takes(words: tuple[str, ...], offered: list[str]) -> None:
    assert completed(*words) == offered


def test_every_command_is_offered() -> None:
    program = program_of(AGENT)

    assert set(completed("")) == {one.name for one in program.commands} | set(
        completion.options(program)
    )


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda one: str(one.short))
@pytest.mark.parametrize("shell", completion.SHELLS)
def test_the_shell_reads_its_script(shell: str, product: Product, tmp_path: Path) -> None:
    if not Path(COMMANDS[shell][0]).exists():
        pytest.skip(f"there is no {shell} here; make packages brings it")
    program = program_of(product)
    scripts = completion.asking("saltern") if product is MASTER else completion.knowing(program)
    path = tmp_path / "script"
    path.write_text(scripts[shell])
    done = subprocess.run([*COMMANDS[shell], path], capture_output=True, text=True, timeout=30)

    assert (done.returncode, done.stderr) == (0, "")


def test_what_a_text_says_cannot_end_its_quotes() -> None:
    odd = Term(("--x",), "--x", "it's [a] 'q': $(id) `id`", takes=False)
    program = Command(("saltern-agent",), "", "", (), "", (odd,), ())
    scripts = completion.knowing(program)

    assert "'--x[it'\\''s \\[a\\] '\\''q'\\''\\: $(id) `id`]'" in scripts["zsh"]
    assert "-l x -d 'it'\\''s [a] '\\''q'\\'': $(id) `id`'" in scripts["fish"]


@pytest.mark.skipif(not ZSH.exists(), reason="there is no zsh here; make packages brings it")
def test_zsh_is_answered_at_the_first_call_of_what_it_loads(tmp_path: Path) -> None:
    tmp_path.joinpath("_saltern").write_text(completion.asking("saltern")["zsh"])
    ask = (
        "fpath=($1 $fpath); autoload -Uz _saltern; compdef() { :; }; "
        '_arguments() { print -r -- "$@"; }; words=(saltern not); CURRENT=2; _saltern'
    )
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    command = [str(ZSH), "-f", "-c", ask, "-", str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={"PATH": path, "HOME": "/"}
    )

    assert "notify" in done.stdout, done.stderr
    assert "rollout" not in done.stdout
