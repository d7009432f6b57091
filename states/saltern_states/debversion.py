"""Debian package versions, compared as dpkg does (Debian Policy 5.6.12).

[epoch:]upstream[-revision]: the epoch is a number; the other two are compared in turns, a
run of non-digits, then a run of digits. Among non-digits "~" sorts before the end of the
run, and letters before all other signs. What is missing counts as 0.
"""

from __future__ import annotations

import re
from itertools import zip_longest

_RUNS = re.compile(r"([^0-9]*)([0-9]*)")

Turn = tuple[tuple[int, ...], int]
_END: Turn = ((0,), 0)


def compare(one: str, other: str) -> int:
    """Give -1 where `one` is the older, 0 where they are one version, 1 where it is the newer."""
    pairs = zip(_parts(one), _parts(other), strict=True)
    orders = (_order_of(first, second) for first, second in pairs)
    return next((order for order in orders if order), 0)


def _parts(version: str) -> tuple[str, str, str]:
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "", version
    upstream, hyphen, revision = rest.rpartition("-")
    return (epoch, upstream, revision) if hyphen else (epoch, rest, "")


def _order_of(one: str, other: str) -> int:
    for first, second in zip_longest(_turns(one), _turns(other), fillvalue=_END):
        if first != second:
            return -1 if first < second else 1
    return 0


def _turns(part: str) -> list[Turn]:
    return [(_signs(signs), int(digits or "0")) for signs, digits in _RUNS.findall(part)]


def _signs(run: str) -> tuple[int, ...]:
    return (*(_order(sign) for sign in run), 0)  # 0: the end, after "~" and before all else


def _order(sign: str) -> int:
    if sign == "~":
        return -1
    return ord(sign) if sign.isalpha() else ord(sign) + 256
