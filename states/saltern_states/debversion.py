"""Debian package versions, compared as dpkg does (Debian Policy 5.6.12).

[epoch:]upstream[-revision]: the epoch is a number; the other two are compared in turns, a
run of non-digits, then a run of digits. Among non-digits "~" sorts before the end of the
run, and letters before all other signs. What is missing counts as 0.
"""

from __future__ import annotations

import re

_RUNS = re.compile(r"([^0-9]*)([0-9]*)")

Turn = tuple[tuple[int, ...], int]
_END: Turn = ((0,), 0)


def compare(one: str, other: str) -> int:
    """Give -1 where `one` is the older, 0 where they are one version, 1 where it is the newer."""
    first, second = _key(one), _key(other)
    return (first > second) - (first < second)


def _key(version: str) -> tuple[int, tuple[Turn, ...], tuple[Turn, ...]]:
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, hyphen, revision = rest.rpartition("-")
    if not hyphen:
        upstream, revision = rest, ""
    return int(epoch) if epoch.isdecimal() else 0, _turns(upstream), _turns(revision)


def _turns(part: str) -> tuple[Turn, ...]:
    turns = [(_signs(signs), int(digits or "0")) for signs, digits in _RUNS.findall(part)]
    while turns and turns[-1] == _END:
        turns.pop()
    return (*turns, _END)


def _signs(run: str) -> tuple[int, ...]:
    return (*(_order(sign) for sign in run), 0)  # 0: the end, after "~" and before all else


def _order(sign: str) -> int:
    if sign == "~":
        return -1
    return ord(sign) if sign.isalpha() else ord(sign) + 256
