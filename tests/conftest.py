"""What this machine cannot run is left out and named, never passed over in silence."""

from __future__ import annotations

import os
import signal
from typing import Any

import hypothesis
import pytest

from tests.sides import Sides

NEEDS_ROOT = ("system", "lab", "cluster", "packages")
CHANCE = "SALTERN_CHANCE"
LEFT_OUT = pytest.StashKey[dict[str, int]]()


def pytest_configure() -> None:
    """Have interrupts answered also where a shell ran the tests in its background.

    It starts them with SIGINT ignored, and what they start would inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # How fast examples are made says how busy the machine is: tests run side by side. A commit is
    # judged by the same examples each time; `make test-laws` looks for others.
    hypothesis.settings.register_profile(
        "any machine",
        deadline=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
        derandomize=CHANCE not in os.environ,
    )
    hypothesis.settings.load_profile("any machine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out: dict[str, int] = {}
    kept, gone = [], []
    for item in items:
        mark = next((name for name in NEEDS_ROOT if item.get_closest_marker(name)), None)
        if mark is None or os.geteuid() == 0:
            kept.append(item)
        else:
            left_out[mark] = left_out.get(mark, 0) + 1
            gone.append(item)
    items[:] = kept
    config.stash[LEFT_OUT] = left_out
    if hasattr(config, "workeroutput"):  # of pytest-xdist: who tells people has collected nothing
        config.workeroutput["left out"] = left_out
    if gone:
        config.hook.pytest_deselected(items=gone)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Sides | None:  # noqa: ANN401  # pytest-xdist's own, untyped
    """Have --dist loadfile keep the cluster's tests together."""
    return Sides(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401  # pytest-xdist's own, untyped
    """Take over what a worker has left out: each of them has collected all."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left out", {})


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """That all was left out is no failure: it is told below."""
    if session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and session.config.stash.get(
        LEFT_OUT, {}
    ):
        session.exitstatus = pytest.ExitCode.OK


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for mark, count in terminalreporter.config.stash.get(LEFT_OUT, {}).items():
        terminalreporter.write_line(f"left out: {count} {mark} tests, which need root", yellow=True)
