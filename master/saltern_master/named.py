"""Nodes by their names: one wording where some are named that are not there. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from saltern_protocol.errors import printable

LISTED: Final = 20
"""Names in one text; of more it is told how many."""


def no_such_node(strange: Iterable[str], known: Iterable[str]) -> str:
    """Say that there are no nodes of these names, and which there are."""
    return f"{printable(some(strange))}: no such node; {there_are(known)}"


def there_are(known: Iterable[str]) -> str:
    """Say which nodes there are."""
    names = sorted(known)
    return f"there are: {some(names)}" if names else "there are none yet"


def some(names: Iterable[str]) -> str:
    """Give names with commas, LISTED of them."""
    every = tuple(names)
    more = f" and {len(every) - LISTED} more" if len(every) > LISTED else ""
    return f"{', '.join(every[:LISTED])}{more}"
