"""The ports of a machine, on a node that is only a directory of one (`saltern-agent --root`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from saltern_states.ports import HostError


class Absent:
    """A port of a machine, on a node that is a directory of one: whatever is asked is refused.

    It must not reach the machine instead: many such nodes may share one.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def __getattr__(self, asked: str) -> Callable[..., NoReturn]:
        def refuse(*_: object, **__: object) -> NoReturn:
            raise HostError(
                f"cannot {asked.replace('_', ' ')}: this node is the directory {self._root}, where "
                "only files and trees are held; run the agent without --root"
            )

        return refuse
