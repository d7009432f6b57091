"""A byte mutator: golden bytes, changed in places, without end and the same for the same seed.

What it does to one input, one to four times over: flip a bit; set a byte to one that msgpack, JSON
or DER means something by; change what may be a length; cut a piece out, or the end off; put a
piece in, repeat one, or put one of another golden in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final

TELLING: Final = (
    b'\x00\x01\x1f\x20\x7f\x80\x90\xa0\xc0\xc1\xc4\xc6\xca\xcf\xd4\xd9\xdc\xdf\xff"{}[]\\:\n'
)
LENGTHS: Final = (0, 1, 127, 128, 255, 256, 32_767, 65_535, 2**31 - 1, 2**32 - 1)
LONGEST: Final = 4096
"""Inputs grow by repetition; beyond this the rest is cut: size bounds have tests of their own."""
SEEDLING: Final = 64 * 1024
"""Goldens longer than this are not mutated, only spliced from."""

Step = Callable[[bytearray, int, Random, Sequence[bytes]], None]


def mutants(goldens: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """Give inputs without end; the same goldens and seed give the same ones."""
    chance = Random(seed)
    seeds = [one for one in goldens if len(one) <= SEEDLING]
    while True:
        data = bytearray(chance.choice(seeds))
        for _ in range(1 + chance.randrange(4)):
            step = STEPS[int(chance.random() * len(STEPS))]
            step(data, int(chance.random() * (len(data) + 1)), chance, goldens)
        most = max(LONGEST, len(data) // 2) if len(data) > LONGEST else LONGEST
        yield bytes(data[:most] if chance.random() < 0.9 else data)


def _flip(data: bytearray, at: int, chance: Random, _: Sequence[bytes]) -> None:
    if at < len(data):
        data[at] ^= 1 << chance.randrange(8)


def _set(data: bytearray, at: int, chance: Random, _: Sequence[bytes]) -> None:
    if at < len(data):
        data[at] = chance.choice(TELLING)


def _length(data: bytearray, at: int, chance: Random, _: Sequence[bytes]) -> None:
    size = chance.choice((1, 2, 4))
    data[at : at + size] = (chance.choice(LENGTHS) % 256**size).to_bytes(size, "big")


def _cut(data: bytearray, at: int, chance: Random, _: Sequence[bytes]) -> None:
    del data[at : at + chance.randrange(1, 9)]


def _end(data: bytearray, at: int, _chance: Random, _: Sequence[bytes]) -> None:
    del data[at:]


def _insert(data: bytearray, at: int, chance: Random, _: Sequence[bytes]) -> None:
    data[at:at] = chance.randbytes(chance.randrange(1, 9))


def _repeat(data: bytearray, at: int, chance: Random, _: Sequence[bytes]) -> None:
    piece = bytes(data[at : at + chance.randrange(1, 17)])
    data[at:at] = piece * min(chance.choice((1, 2, 16, 300)), LONGEST // max(1, len(piece)))


def _splice(data: bytearray, at: int, chance: Random, goldens: Sequence[bytes]) -> None:
    other = chance.choice(goldens)
    start = chance.randrange(len(other) + 1)
    data[at : at + chance.randrange(40)] = other[start : start + chance.randrange(1, 200)]


STEPS: Final[tuple[Step, ...]] = (
    _flip, _flip, _set, _set, _length, _cut, _end, _insert, _repeat, _splice,
)  # fmt: skip
