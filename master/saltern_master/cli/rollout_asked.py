"""What `rollout start` was asked for -> what the master is asked, or every fault at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from saltern_master.api.rollouts import RolloutAsk
from saltern_master.cli.moments import SpanError, span
from saltern_master.cli.refusals import FileError, UsageError, read_bytes
from saltern_master.cli.rollout_following import FOREVER
from saltern_master.cli.strategy import made, of_options, together

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """The words of the command line. An empty one was not given."""

    file: Path | None
    target: str
    strategy_file: Path | None
    options: Mapping[str, str]  # by the field of Strategy
    waves: str
    unavailable: tuple[str, ...]
    probes: tuple[str, ...]
    timeout: str
    queue: bool
    by: str


def read(asked: Asked) -> tuple[RolloutAsk, float]:
    """Give what the master is asked, and for how many seconds to follow; UsageError, all faults."""
    faults: list[str] = []

    def tried(what: Callable[[], T], otherwise: T) -> T:
        try:
            return what()
        except (FileError, SpanError) as error:
            faults.append(str(error))
            return otherwise

    text = tried(lambda: _text(asked.file), "")
    seconds = tried(lambda: float(span(asked.timeout)), 0.0) if asked.timeout else FOREVER
    words = of_options(asked.options, asked.waves, asked.unavailable, asked.probes)
    if asked.strategy_file is not None:
        from saltern_master.cli.strategy_file import words_of

        path = asked.strategy_file
        data = tried(lambda: read_bytes(path), None)
        in_file, found = words_of(data, path.name) if data is not None else ({}, ())
        words = together(in_file, words)
        faults.extend(found)
    strategy, wrong = made(words)
    faults.extend(wrong)
    if faults:
        count = f"{len(faults)} fault{'s' if len(faults) > 1 else ''}"
        raise UsageError("\n  ".join([f"cannot begin a rollout: {count}", *faults]))
    return (
        RolloutAsk(
            file=text, target=asked.target, strategy=strategy, queue=asked.queue, by=asked.by
        ),
        seconds,
    )


def _text(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise FileError(f"cannot read {path}: byte {error.start} is not UTF-8") from error
