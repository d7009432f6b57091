"""Finds the faults, and tries them: side by side first, then one by one who are to be alone."""

from __future__ import annotations

import enum
import importlib
import multiprocessing
import os
import pkgutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
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
    faults = tuple(chosen)
    found = []
    for result in _every(faults, form, seed):
        print(result.line(), flush=True)
        found.append(result)
    order = [(one.number, one.what) for one in faults]
    return sorted(found, key=lambda one: order.index((one.fault.number, one.fault.what)))


def _every(faults: tuple[Fault, ...], form: Form, seed: int) -> Iterator[Result]:
    """Give results as they come; each trial beside others has a process of its own, and ends it."""
    beside = [fault for fault in faults if not fault.alone]
    heavy_first = sorted(beside, key=lambda fault: -fault.number)  # the longest have high numbers
    with ProcessPoolExecutor(
        max_workers=os.cpu_count(),
        mp_context=multiprocessing.get_context("spawn"),
        max_tasks_per_child=1,
    ) as pool:
        begun = [pool.submit(run_one, fault, form, seed) for fault in heavy_first]
        yield from (one.result() for one in as_completed(begun))
    yield from (run_one(fault, form, seed) for fault in faults if fault.alone)


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
