"""Finds the faults, and tries one after the other."""

from __future__ import annotations

import enum
import importlib
import pkgutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable
from pathlib import Path

from tests import faults
from tests.faults.contract import Fault, Result, Seen, Trial


class Form(enum.Enum):
    """How much is tried."""

    SHORT = "short"
    FULL = "full"


def every_fault() -> tuple[Fault, ...]:
    """Give all faults by their numbers; one number may have several, each in a file of its own."""
    names = (one.name for one in pkgutil.iter_modules(faults.__path__))
    modules = (
        importlib.import_module(f"tests.faults.{name}")
        for name in sorted(names)
        if name.startswith("fault_")
    )
    return tuple(sorted((module.FAULT for module in modules), key=lambda fault: fault.number))


def run_all(chosen: Iterable[Fault], form: Form, seed: int) -> list[Result]:
    """Try each fault and print its line; a fault that breaks down has not passed."""
    print(f"seed {seed}, {form.value} form", flush=True)
    results = []
    for fault in chosen:
        result = run_one(fault, form, seed)
        print(result.line(), flush=True)
        results.append(result)
    return results


def run_one(fault: Fault, form: Form, seed: int) -> Result:
    """Try one fault."""
    rounds = fault.full if form is Form.FULL else fault.short
    seen: Seen | None = None
    error = ""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"saltern-fault-{fault.number}-") as directory:
        trial = Trial(rounds, seed, fault.seeds, Path(directory), _say)
        try:
            seen = fault.run(trial)
        except Exception as broken:  # noqa: BLE001  the others are to be tried all the same
            traceback.print_exc()
            error = f"{type(broken).__name__}: {broken}"
    return Result(fault, rounds, seen, error, time.monotonic() - began)


def _say(text: str) -> None:
    print(f"    {text}", file=sys.stderr, flush=True)
