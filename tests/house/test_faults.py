"""The harness of the fault tests: a fault cannot pass by trying nothing, or by saying nothing."""

from __future__ import annotations

import re

import pytest

from tests.faults.__main__ import command
from tests.faults.contract import Fault, Figure, Result, Seen, Trial
from tests.faults.run import Form, every_fault, run_one


def seen(tried: int, *figures: Figure) -> Seen:
    return Seen(tried, figures)


def broken(_: Trial) -> Seen:
    raise ValueError("out of order")


KEPT, BROKEN = Figure("lost", 0), Figure("lost", 1)


@pytest.mark.parametrize(
    ("found", "passed"),
    [
        (seen(3, KEPT), True),
        (seen(4, KEPT, Figure("longest", 1.5, 2, "s")), True),
        (seen(2, KEPT), False),  # too few were tried
        (seen(3), False),  # nothing was found out
        (seen(3, KEPT, BROKEN), False),
        (seen(3, Figure("longest", float("nan"), 2, "s")), False),  # never measured
    ],
)
def test_a_verdict(found: Seen, passed: bool) -> None:
    fault = Fault(99, "a fault", short=3, full=30, run=lambda _: found)
    result = run_one(fault, Form.SHORT, 1)
    assert result.passed is passed
    assert ("pass" if passed else "FAIL") in result.line()


def test_a_fault_that_breaks_down_has_not_passed() -> None:
    result = run_one(Fault(99, "a fault", short=0, full=1, run=broken), Form.SHORT, 1)
    assert not result.passed
    assert "ValueError: out of order" in result.line()


def test_a_line_says_number_fault_tried_figure_and_bar() -> None:
    fault = Fault(7, "read-only file system", short=3, full=30, run=lambda _: seen(3, BROKEN))
    line = Result(fault, 3, seen(3, BROKEN), "", 1.0).line()
    assert re.match(r" 7  read-only file system: tried 3 of 3; lost 1 \(at most 0\) - FAIL", line)


def test_faults_are_numbered_and_each_file_says_its_number() -> None:
    for fault in every_fault():
        assert fault.run.__module__.startswith(f"tests.faults.fault_{fault.number:02}")
        assert 0 < fault.short <= fault.full


@pytest.mark.parametrize(
    ("form", "numbers", "said"),
    [
        (Form.FULL, (), "make faults-all"),
        (Form.FULL, (26,), "python -m tests.faults --full 26"),
        (Form.SHORT, (), "python -m tests.faults"),
        (Form.SHORT, (2, 9), "python -m tests.faults 2 9"),
    ],
)
def test_a_page_names_the_command_that_does_the_same_again(
    form: Form, numbers: tuple[int, ...], said: str
) -> None:
    assert command(form, numbers) == said
