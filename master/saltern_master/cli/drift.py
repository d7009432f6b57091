"""saltern drift: what is not as declared; without a further word, what is open now.

The table says where each of its commands is. A first word that is none of them is taken for what
`now` takes: `saltern drift w1` is `saltern drift now w1`.
"""

from __future__ import annotations

from typing import Any, Final

import typer

from saltern_master.cli.lazy import Commands, Row, group_of

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


class DriftGroup(group_of(COMMANDS)):  # type: ignore[misc] # a class that a function gives
    """A group that has a command for when no command is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - click's context
        """Read the arguments; those that name no command belong to `now`."""
        named = args[0] in {*WORDS, "--help"} if args else ctx.resilient_parsing
        rest: list[str] = super().parse_args(ctx, args if named else [WITHOUT_A_WORD, *args])
        return rest

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
