"""`make bench`: boots a node, has the agent hold it, measures, prints, and writes it down.

The lab is called "bench", on a network that nobody has; it is taken down at the end. The page
is docs/measured/DATE-agent.md. Exit code 1: it could not be measured, or a goal was missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from saltern_master.bench.figures import Figures, rows
from saltern_master.bench.measure import WARM_UP, Amount, ground_of, measure
from saltern_master.bench.page import lines, page
from saltern_master.errors import MasterError
from saltern_master.lab import network
from saltern_master.lab.agent_package import checkout
from saltern_master.lab.errors import LabError
from saltern_master.lab.lab import Lab
from saltern_master.lab.trial import Show, Trial

NODE = "w1"
SETTLING = 60.0  # seconds


def main() -> None:
    """Measure and tell."""
    arguments = _arguments()
    if os.geteuid() != 0:
        sys.exit("the bench boots a node, which needs root: sudo make bench")
    began = time.monotonic()

    def show(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:7.1f}  {line}\n")

    amount = Amount(arguments.looks, arguments.runs, arguments.slow_runs, arguments.starts)
    try:
        figures = _measure(amount, show, arguments.keep)
    except MasterError as error:
        sys.exit(f"cannot measure: {error}")
    _tell(figures, arguments.output)
    if not arguments.no_page:
        show(f"written: {_write(figures)}")
    sys.exit(0 if all(row.met for row in rows(figures)) else 1)


def _arguments() -> argparse.Namespace:
    usual = Amount()
    parser = argparse.ArgumentParser(prog="make bench", description="Measures the agent.")
    parser.add_argument("--output", "-o", choices=("text", "json"), default="text")
    parser.add_argument("--looks", type=int, default=usual.looks, help="%(default)s")
    parser.add_argument("--runs", type=int, default=usual.runs, help="of a damage: %(default)s")
    parser.add_argument(
        "--slow-runs", type=int, default=usual.slow_runs, help="of what takes long: %(default)s"
    )
    parser.add_argument("--starts", type=int, default=usual.starts, help="%(default)s")
    parser.add_argument("--keep", action="store_true", help="leave the lab up")
    parser.add_argument("--no-page", action="store_true", help="write no page")
    return parser.parse_args()


def _measure(amount: Amount, show: Show, keep: bool) -> Figures:
    Lab("bench").down()
    lab = Lab("bench", network.free(network.links(), network.used_subnets(), first=os.getpid()))
    with tempfile.TemporaryDirectory(prefix="saltern-bench-") as folder:
        try:
            trial = _held(lab, Path(folder), show)
            today = datetime.now(UTC).date().isoformat()
            ground = ground_of(trial, today, "make bench")
            return measure(trial, amount, ground, show)
        finally:
            if not keep:
                lab.down()


def _held(lab: Lab, folder: Path, show: Show) -> Trial:
    """Bring up a node that the agent holds to the bench's cluster file."""
    (machine,) = lab.up((NODE,), show)
    template = Path(__file__).with_name("cluster.yaml").read_text()
    cluster = folder / "cluster.yaml"
    cluster.write_text(template.replace("ADDRESS", str(machine.node.address)))
    trial = Trial(lab, NODE, folder / "home", cluster, show)
    for step in (trial.stock, trial.install, trial.learn, trial.sign, trial.pin):
        step()
    if not trial.apply_json()["ok"]:
        raise LabError(f"cannot converge {NODE}: see `saltern lab shell --lab bench`")
    trial.must("/usr/bin/systemctl", "enable", "--now", "saltern-agent")
    deadline = time.monotonic() + SETTLING
    while time.monotonic() < deadline:
        if trial.run("/usr/bin/saltern-agent", "look").returncode == 0:
            return trial
        time.sleep(0.2)
    raise LabError(f"cannot go on: {NODE} was not at rest after {SETTLING:.0f} s")


def _tell(figures: Figures, output: str) -> None:
    if output == "json":
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(figures)).decode() + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines(figures))


def _write(figures: Figures) -> Path:
    written = checkout() / "docs/measured" / f"{figures.ground.date}-agent.md"
    written.parent.mkdir(exist_ok=True)
    written.write_text(page(figures, WARM_UP))
    return written


if __name__ == "__main__":
    main()
