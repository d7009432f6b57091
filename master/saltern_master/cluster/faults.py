"""What is wrong in a cluster file: the path, the line, and what to do about it.

* Faults are collected, not raised one by one; a reader gets all of them, by line.
* What a person wrote is shown escaped: it may come from anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from saltern_protocol.errors import printable

from saltern_master.errors import MasterError

Path = tuple[str | int, ...]
"""Where a value stands: ("nodes", 1, "address")."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. `line` counts from 1; 0 where no one line is to blame."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        line = f"line {self.line}: " if self.line else ""
        return printable(f"{show(self.path)}: {line}{self.text}")


class ClusterFileError(MasterError):
    """A file of a person's that cannot be taken; `faults` are all that were found, by line."""

    def __init__(self, faults: Iterable[Fault], what: str = "the cluster file") -> None:
        self.faults = tuple(sorted(set(faults), key=lambda one: (one.line, show(one.path))))
        count = len(self.faults)
        head = f"cannot take {what}: {count} fault{'s' if count > 1 else ''}"
        super().__init__("\n".join([head, *(f"  {fault}" for fault in self.faults)]))


def show(path: Path) -> str:
    """Give a path as people write it: "nodes[1].address"; "$" is the file itself."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.replace("_", "a").replace("-", "a").isalnum():
            text += f".{step}"
        else:
            text += f"[{json.dumps(step)}]"
    return text.removeprefix(".") or "$"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Give "; did you mean X?" where one of the known words is near, else what is known."""
    words = sorted(known)
    lower = {one.lower(): one for one in words}
    near = get_close_matches(word.lower(), lower, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {lower[near[0]]}?"
    return f"; known here: {', '.join(words)}" if len(words) <= 12 else ""
