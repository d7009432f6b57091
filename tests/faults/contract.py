"""What a fault test is: so many trials of one fault, and figures that have to keep to their bars.

A fault lives in a file of its own, `fault_NN_what.py`, as FAULT. Its trials are drawn from a seed;
seeds that once failed stand in the fault itself and are tried before all others, in both forms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that was seen, and the most that it may be."""

    what: str
    found: float
    most: float = 0
    unit: str = ""

    @property
    def good(self) -> bool:
        """Whether it keeps to its bar."""
        return self.found <= self.most

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.what} {self.found:.4g}{unit} (at most {self.most:g}{unit})"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the trials came to."""

    tried: int
    figures: tuple[Figure, ...]
    how: str = ""  # what stood in for what this kernel lacks; "" where nothing did


@dataclass(frozen=True, slots=True)
class Trial:
    """What a fault is given to work with."""

    rounds: int  # to try, at least
    seed: int
    seeds: tuple[int, ...]  # that once failed, to be tried first
    directory: Path  # its own, empty; taken away afterwards
    say: Callable[[str], None]  # progress, for a person


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: its number in the list of fault tests, and how it is tried."""

    number: int
    what: str
    short: int  # trials in CI
    full: int  # trials in the full form
    run: Callable[[Trial], Seen]
    seeds: tuple[int, ...] = ()
    alone: bool = False  # its bars are seconds or shares of a processor: nothing runs beside it


@dataclass(frozen=True, slots=True)
class Result:
    """A fault's line."""

    fault: Fault
    required: int
    seen: Seen | None
    error: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether enough was tried and every figure keeps to its bar; without figures nothing."""
        seen = self.seen
        if self.error or seen is None or not seen.figures or seen.tried < self.required:
            return False
        return all(figure.good for figure in seen.figures)

    def line(self) -> str:
        """Give number, fault, tried of required, figures with their bars, and the verdict."""
        seen, fault = self.seen, self.fault
        tried = seen.tried if seen else 0
        told = self.error or "; ".join(str(figure) for figure in (seen.figures if seen else ()))
        how = f" [{seen.how}]" if seen and seen.how else ""
        verdict = "pass" if self.passed else "FAIL"
        return (
            f"{fault.number:>2}  {fault.what}{how}: tried {tried} of {self.required}; {told}"
            f" - {verdict} ({self.seconds:.1f} s)"
        )
