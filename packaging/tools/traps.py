"""Writes docs/reference/traps.md: every trap that the doctors know, by the code's docstrings.

* Equal code gives equal bytes. Who wants a better line writes a better docstring.
* `--check` writes nothing and ends with 1 where the page is not what would be written.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from saltern_agent.doctor.traps import TRAPS as ON_A_NODE
from saltern_master.doctor.between import BETWEEN
from saltern_master.doctor.file import TRAPS as IN_A_FILE

PAGE = Path(__file__).resolve().parents[2] / "docs/reference/traps.md"
HEAD = """\
# Traps

<!-- Written by `make docs` from the doctors' own docstrings; what is changed here is lost. -->

What is known from the field to bite, and can be seen before it does. `saltern-agent doctor` looks
at the machine that it runs on, also before that is a node; a running agent looks when it starts,
every five minutes and after each apply, and tells its master. `saltern doctor` shows what all
nodes told last, what only two of them show together, and what is in the cluster file that was
applied last (`-f FILE`: in this one, also without a master). Each finding names what was found
and what to do.

A trap is what the node's document does not hold, or what hinders it. What the document holds and
is otherwise just now is [drift](drift.md): it is told and set right there. Before a machine has a
document, what Saltern will set right by itself is a note (`~`), and so is what works today and is
known to bite later; the rest is a trap (`!`). Exit status: 0 no trap, also where there are notes;
1 traps; of `saltern doctor` also 2 for what is wrong in a file or on the command line, and 3 where
no trap was found and some node could not be asked.
"""


def main() -> int:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description="Write docs/reference/traps.md from the doctors.")
    parser.add_argument("--check", action="store_true", help="write nothing; 1: it is stale")
    wanted = page()
    stale = not PAGE.exists() or PAGE.read_text() != wanted
    if parser.parse_args().check:
        sys.stdout.write("docs/reference/traps.md is stale\n" if stale else "")
        return int(stale)
    PAGE.write_text(wanted)
    return 0


def page() -> str:
    """Give the page's text."""
    return "\n".join(
        (
            HEAD,
            *_table("On a node", [(one.name, one.find) for one in ON_A_NODE]),
            *_table("In a cluster file", IN_A_FILE.items()),
            *_table("Between nodes", BETWEEN.items()),
        )
    )


def _table(title: str, rows: Iterable[tuple[str, Callable[..., object]]]) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    yield "| trap | what it is | from |"
    yield "| --- | --- | --- |"
    for name, find in rows:
        text, _, sources = (inspect.getdoc(find) or "").partition("Sources:")
        names = ", ".join(f"`{one}`" for one in name.split(", "))
        yield f"| {names} | {_line(text)} | {_line(sources)} |"
    yield ""


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
