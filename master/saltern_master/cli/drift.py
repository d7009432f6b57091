"""saltern drift: what is not as declared; without a further word, what is open now.

The table says where each of its commands is. A first word that is none of them is taken for what
`now` takes: `saltern drift w1` is `saltern drift now w1`. Where that is wrong and the word is
nearly a command, it is asked whether that was meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, Final

import typer

from saltern_master.cli.lazy import USAGE, Commands, Row, group_of

HERE: Final = "saltern_master.cli"
WITHOUT_A_WORD: Final = "now"
COMMANDS: Final = (
    Row(WITHOUT_A_WORD, f"{HERE}.drift_now", "now"),
    Row("history", f"{HERE}.drift_history", "history"),
    Row("watch", f"{HERE}.drift_watch", "watch"),
    Row("explain", f"{HERE}.drift_explain", "explain"),
    Row("hold", f"{HERE}.holding", "hold"),
    Row("release", f"{HERE}.holding", "release"),
    Row("holds", f"{HERE}.holding", "holds"),
)
WORDS: Final = frozenset(row.name for row in COMMANDS)
FIRST: Final = f"{__name__}.first"
"""Where click's context has the first word, which names no command."""


def meant(word: str) -> str:
    """Ask whether a command was meant; nothing where none is near."""
    near = get_close_matches(word, sorted(WORDS), n=1)
    return f"; did you mean {near[0]}?" if near else ""


@contextmanager
def commands_meant(nodes: list[str]) -> Iterator[None]:
    """Ask whether a command was meant where the first of these is no node."""
    # Imported here: completion and --help need it not.
    from saltern_master.api.service import ServiceError

    try:
        yield
    except ServiceError as error:
        word = nodes[0] if nodes else ""
        faults = (
            f"{one}{meant(word)}" if one.startswith("node: ") and word in one else one
            for one in error.faults
        )
        raise ServiceError(error.code, str(error), tuple(faults)) from error


class DriftGroup(group_of(COMMANDS)):  # type: ignore[misc] # a class that a function gives
    """A group that has a command for when no command is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - click's context
        """Read the arguments; those that name no command belong to `now`."""
        named = args[0] in {*WORDS, "--help"} if args else ctx.resilient_parsing
        if args and not named:
            ctx.meta[FIRST] = args[0]
        rest: list[str] = super().parse_args(ctx, args if named else [WITHOUT_A_WORD, *args])
        return rest

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - click's own
        """Run the command; what it does not take may be another one's."""
        try:
            return super().invoke(ctx)
        except USAGE as error:
            error.message += meant(ctx.meta.get(FIRST, ""))  # type: ignore[attr-defined] # click's
            raise

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:  # noqa: ANN401 - click's own
        """Offer the commands, and what `now` takes."""
        now = Commands(COMMANDS)[WITHOUT_A_WORD]
        inner = now.make_context(WITHOUT_A_WORD, [], parent=ctx, resilient_parsing=True)
        param = next((one for one in now.params if one.name == "node"), None)
        nodes = param.shell_complete(inner, incomplete) if param is not None else []
        own = now.shell_complete(inner, incomplete)
        return [*super().shell_complete(ctx, incomplete), *own, *nodes]


app = typer.Typer(
    cls=DriftGroup,
    help="Show what is not as declared: what is open now, without a further word.",
    epilog="`saltern drift NODE --kind file` is `saltern drift now NODE --kind file`.",
)


@app.callback()
def group() -> None:
    """Have commands; without one, show what is open now."""
