"""Why a target means a node or not, as a table: a column for each term. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from saltern_protocol.errors import printable

from saltern_master.api.service import NodeView, TermView
from saltern_master.cli.listing import columns

NOBODY = "no node is meant; see why: --explain"


def explained_lines(nodes: Sequence[NodeView]) -> list[str]:
    """Give each node, whether it is meant, and what each term finds there."""
    terms = [printable(term.term) for term in nodes[0].terms] if nodes else []
    rows = ([one.name, _yes(is_meant(one)), *map(_cell, one.terms)] for one in nodes)
    return columns(("node", "meant", *terms), rows)


def is_meant(node: NodeView) -> bool:
    """Tell whether all that was asked holds."""
    return all(term.holds for term in node.terms)


def _cell(term: TermView) -> str:
    return f"{_yes(term.holds)} ({term.found or 'nothing known'})"


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"
