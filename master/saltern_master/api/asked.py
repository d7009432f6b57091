"""What was asked, read and checked: the values in the path, in the query and in the body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, of the types that its route names."""

    place: Any = None
    query: Any = None
    body: Any = None


"""Any: the row of the table says which type, and its call knows it."""
