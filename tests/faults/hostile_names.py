"""Names that somebody else chose, drawn from a seed: traversal, links, pipes, controls, options.

What a name aims at is there: hostile_ground.py lays the links, the pipes and the canaries that
the names below lead to.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

TRAPS = ("up", "out", "abs", "loop", "pipe", "hard", "dead", "etc", "etc/own", "deep/a/b", "sock")
CLIMBS = ("..", "../..", "../" * 40, "./..", "etc/../..", "%2e%2e", "..%2f", "．．", "..\\", "…")
AIMS = ("outside/canary", "outside", "etc/shadow", "proc/self/environ", "dev/zero", "canary")
CONTROLS = "".join(map(chr, (*range(32), 0x7F, *range(0x80, 0xA0)))) + "\u202e\u2028\u200b\ufeff"
LETTERS = "abcz09._-/ ~*?[]{}$`'\"|&;<>()\\%#@:=+,!^\u0430\u00e9e\u0301\u212a\u017f\U0001f600\udcff"
WHOLE = (
    "up/outside/canary", "out/canary", "out", "abs", "abs/canary", "etc/up/outside/canary", "pipe",
    "hard", "loop/x", "deep/a/pipe", "../outside/canary", "etc/../../outside/canary",
    "", ".", "..", "/", "//", "-", "--", "-rf", "--root=/", "~", "~root", "$(id)", "`id`",
    "a\0b", "\0", "con", "x" * 255, "x" * 256, "x" * 5000, "a/" * 2500, "\udcff", "w1/../w2",
    "w1\n", "w1\r\n", "\x1b]0;owned\x07", "\x9b31m", "a.service/../b.service", "ab" * 32,
    "ab" * 31 + "/.", "AB" * 32, "sysctl..key", "net/ipv4", "net..ipv4", "kernel.core_pattern",
    "out.canary", "out.pipe",
    "saltern/../echo:1", "docker.io/", "SALTERN-1.", "SALTERN-1.AAAA", "SALTERN-1.AAAA.AAAA",
    "/proc/self/root/etc/shadow", "/proc/self/fd/0", "/proc/self/cwd/canary", "/dev/stdin",
    ".saltern-0123456789abcdef", ".saltern-tree", "file:///etc/shadow", "\\\\host\\share",
)  # fmt: skip


def hostile_names(seed: int, count: int) -> Iterator[str]:
    """Give so many names, the fixed ones first."""
    yield from WHOLE[:count]
    chance = random.Random(seed)
    for _ in range(count - len(WHOLE)):
        yield drawn(chance)


def drawn(chance: random.Random) -> str:
    """Draw one name: some parts, joined as a path or as they come, and bent at a place."""
    parts = [_part(chance) for _ in range(chance.randint(1, 5))]
    name = chance.choice(("/", "/", "/", "//", "", "\0", ":", ".")).join(parts)
    if chance.random() < 0.3:
        at = chance.randint(0, len(name))
        name = name[:at] + chance.choice(CONTROLS) + name[at:]
    return chance.choice(("", "", "/", "-", "~", "./")) + name


def _part(chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.3:
        return chance.choice(CLIMBS)
    if kind < 0.55:
        return chance.choice(TRAPS)
    if kind < 0.75:
        return chance.choice(AIMS)
    return "".join(chance.choices(LETTERS + CONTROLS, k=chance.randint(0, 12)))
