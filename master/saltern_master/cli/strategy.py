"""What a person wrote of a strategy, on the command line and in a file -> Strategy, or all faults.

A file has the fields of the API (`maxUnavailable`, `onSpent`), with times as on the command line.
An option counts more than the file; of `maxUnavailable` each group by itself. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args, get_type_hints

from saltern_protocol.errors import printable

from saltern_master.cli.moments import UNITS
from saltern_master.errors import MasterError
from saltern_master.rollouts.strategy import Probe, Strategy
from saltern_master.rollouts.strategy import faults as faults_of

SHARE: Final = re.compile(r"([0-9]{1,6}|([0-9]|[1-9][0-9]|100)%)\Z")
SECONDS: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([smhd]?)\Z")
LONGEST: Final = 7 * 24 * 3600
PROBE: Final = re.compile(r"([0-9]{1,5})((?:/[!-~]{0,1000})?)\Z")
GROUP: Final = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?\Z")


class WordError(MasterError):
    """A word that is no value of its field."""


@dataclass(frozen=True, slots=True)
class Word:
    """What was written, and where. `value`: of a word that is more than text, and read already."""

    where: str
    text: str
    value: object = None


Words = Mapping[str, tuple[Word, ...]]
"""By the field of Strategy: one for most, several for waves, max_unavailable and probes."""


def made(words: Words) -> tuple[Strategy, tuple[str, ...]]:
    """Give the strategy that the good words make, and what is wrong with the others."""
    values: dict[str, Any] = {}
    faults: list[str] = []
    for name, said in words.items():
        read = READERS[name]
        good = []
        for word in said:
            try:
                good.append(read(word.text) if word.value is None else word.value)
            except WordError as error:
                faults.append(printable(f"{word.where}: {error}"))
        if len(good) == len(said):
            values[name] = _of_field(name, good)
    strategy = Strategy(**values)
    return strategy, (*faults, *(f"strategy: {one}" for one in faults_of(strategy)))


def together(file: Words, options: Words) -> dict[str, tuple[Word, ...]]:
    """Give what counts of both: an option in place of the file's word, but beside other groups."""
    both = {**file, **options}
    if "max_unavailable" in file and "max_unavailable" in options:
        both["max_unavailable"] = (*file["max_unavailable"], *options["max_unavailable"])
    return both


def of_options(
    given: Mapping[str, str], waves: str, unavailable: Iterable[str], probes: Iterable[str]
) -> Words:
    """Give the words of a command line; an empty one was not given."""
    words: dict[str, tuple[Word, ...]] = {
        name: (Word(f"--{name.replace('_', '-')}", text),) for name, text in given.items() if text
    }
    if waves:
        words["waves"] = tuple(Word("--waves", one.strip()) for one in waves.split(","))
    if groups := tuple(Word("--max-unavailable", one) for one in unavailable):
        words["max_unavailable"] = groups
    if looks := tuple(Word("--probe", one) for one in probes):
        words["probes"] = looks
    return words


def _of_field(name: str, good: list[Any]) -> object:
    if name in ("waves", "probes"):
        return tuple(good)
    return dict(good) if name == "max_unavailable" else good[0]


def _share(text: str) -> str:
    if SHARE.match(text) is None:
        raise WordError(f"{text!r} is no number of nodes; write such as 2 or 10%")
    return text


def _group(text: str) -> tuple[str, str]:
    name, equals, share = text.partition("=")
    if not equals or GROUP.match(name) is None or SHARE.match(share) is None:
        raise WordError(f"{text!r} is not GROUP=NUMBER; write such as worker=2 or worker=10%")
    return name, share


def _probe(text: str) -> Probe:
    found = PROBE.match(text)
    if found is None or not 1 <= int(found[1]) <= 65535:
        raise WordError(f"{text!r} is no PORT or PORT/PATH; write such as 10250 or 8080/healthz")
    return Probe(port=int(found[1]), path=found[2])


def _seconds(text: str) -> float:
    found = SECONDS.match(text)
    if found is None:
        raise WordError(f"{text!r} is no span of time; write such as 90s, 15m, 1h or 0")
    seconds = float(found[1]) * UNITS[found[2] or "s"]
    if seconds > LONGEST:
        raise WordError(f"{text!r} is longer than 7 days")
    return seconds


def _one_of(name: str) -> Callable[[str], str]:
    choices = get_args(get_type_hints(Strategy)[name])

    def read(text: str) -> str:
        if text not in choices:
            raise WordError(f"{text!r} is none of {', '.join(choices)}")
        return text

    return read


READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "canary": _share,
    "waves": _share,
    "max_unavailable": _group,
    "soak": _seconds,
    "budget": _share,
    "on_spent": _one_of("on_spent"),
    "hold": _seconds,
    "patience": _seconds,
    "absence": _seconds,
    "drain": _seconds,
    "on_drain_timeout": _one_of("on_drain_timeout"),
    "probes": _probe,
}
"""How each field of Strategy is read."""
