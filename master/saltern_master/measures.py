"""How one value of a node is compared with one that a person wrote. Pure.

* A glob has `*` for any run of characters, as in a cluster file's `match`.
* A version is compared as far as the person wrote it: 6.1.0-13-amd64 is 6.1, so it is neither
  less nor greater; 6.1-rc2 comes before 6.1. Of <, = and > exactly one holds.
* An amount has Kubernetes' units: k, M, G, T are powers of 1000, Ki, Mi, Gi, Ti of 1024.
* What cannot be compared is neither less nor equal nor greater.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

from saltern_protocol.policy import matches

ORDERS: Final[Mapping[str, Callable[[int], bool]]] = MappingProxyType(
    {
        "=": lambda order: order == 0,
        "<": lambda order: order < 0,
        "<=": lambda order: order <= 0,
        ">": lambda order: order > 0,
        ">=": lambda order: order >= 0,
    }
)
UNITS: Final[Mapping[str, int]] = MappingProxyType(
    {
        **{unit: 1000**power for power, unit in enumerate("kMGT", 1)},
        **{f"{unit}i": 1024**power for power, unit in enumerate("KMGT", 1)},
    }
)
_NUMBERS: Final = re.compile(r"[vV]?([0-9]{1,15}(?:[.+~_-][0-9]{1,15})*)(?![0-9])(.*)\Z", re.DOTALL)
_BEFORE: Final = re.compile(r"[.+~_-]?(alpha|beta|dev|pre|rc|a|b)\.?([0-9]{0,15})(?![a-z])")
_AMOUNT: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)([kMGT]|[KMGT]i)?\Z")


class Measure(Protocol):
    """What a word's values are."""

    def wrong(self, operator: str, value: str) -> str:
        """Say what is wrong with what a person wrote; "": nothing."""
        ...

    def holds(self, operator: str, found: str, value: str) -> bool:
        """Compare; `operator` is one of ORDERS."""
        ...


@dataclass(frozen=True, slots=True)
class Words:
    """Text that has no order; `known`: all that there can be, if that is settled."""

    known: tuple[str, ...] = ()

    def wrong(self, operator: str, value: str) -> str:
        """Refuse an order, and what cannot be."""
        if operator != "=":
            return "it has no order; use = or !="
        if not value:
            return "the value is missing"
        if self.known and not any(matches(one, value) for one in self.known):
            return f"it is one of {', '.join(self.known)}"
        return ""

    def holds(self, operator: str, found: str, value: str) -> bool:
        """Match a glob."""
        return matches(found, value)


@dataclass(frozen=True, slots=True)
class Versions:
    """Versions and plain numbers."""

    def wrong(self, operator: str, value: str) -> str:
        """Refuse what is no version; a glob can stand after = alone."""
        if "*" in value:
            return "" if operator == "=" else "* can stand after = and != alone"
        if _NUMBERS.match(value) is None:
            return "compare it with a version such as 6, 6.1 or 6.1.0-13"
        return ""

    def holds(self, operator: str, found: str, value: str) -> bool:
        """Compare as far as `value` goes, or match a glob."""
        if "*" in value:
            return matches(found, value)
        order = compared(found, value)
        return order is not None and ORDERS[operator](order)


@dataclass(frozen=True, slots=True)
class Labels:
    """Text that a person gave a node: equal as text, in order as versions and numbers are."""

    def wrong(self, operator: str, value: str) -> str:
        """Refuse an order of what is no number."""
        return "" if operator == "=" else Versions().wrong(operator, value)

    def holds(self, operator: str, found: str, value: str) -> bool:
        """Compare."""
        if operator == "=":
            return matches(found, value)
        return Versions().holds(operator, found, value)


@dataclass(frozen=True, slots=True)
class Amounts:
    """Numbers of bytes."""

    def wrong(self, operator: str, value: str) -> str:
        """Refuse what is no amount, or has no unit."""
        found = _AMOUNT.match(value)
        if found is None or not found[2]:
            return "compare it with an amount such as 512Mi, 16G or 16Gi"
        return ""

    def holds(self, operator: str, found: str, value: str) -> bool:
        """Compare in bytes."""
        have, want = amount(found), amount(value)
        if have is None or want is None:
            return False
        return ORDERS[operator]((have > want) - (have < want))


def amount(text: str) -> float | None:
    """Read an amount, in bytes; without a unit it is bytes already."""
    found = _AMOUNT.match(text)
    return None if found is None else float(found[1]) * UNITS.get(found[2] or "", 1)


def compared(found: str, value: str) -> int | None:
    """Give -1, 0 or 1 as `found` is before `value`, is it, or after; None: no such thing."""
    have, want = _NUMBERS.match(found), _NUMBERS.match(value)
    if have is None or want is None:
        return None
    mine, theirs = _numbers(have[1]), _numbers(want[1])
    length = len(theirs)
    cut = (*mine[:length], *(0,) * (length - len(mine)))
    if cut != theirs:
        return 1 if cut > theirs else -1
    last = _FINAL if any(mine[length:]) else _before(have[2])
    other = _before(want[2])
    return 0 if last == other else 1 if last > other else -1


_FINAL: Final = ("~", 0)
"""After every word that stands for "before the release"."""


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.split(r"[.+~_-]", text)))


def _before(rest: str) -> tuple[str, int]:
    """Give which release before the release it is: rc 2; _FINAL where it is the release."""
    found = _BEFORE.match(rest)
    return (found[1], int(found[2] or 0)) if found else _FINAL
