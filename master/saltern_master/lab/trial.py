"""A trial: one lab node under Saltern, set up by the very commands that a person would type.

The demo, the lab tests and the benchmarks all stand on this. `show` hears of each command
before it is run. What is expensive (root file system, packages, binaries) is cached; a trial's
own HOME is made anew each time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from saltern_master import cache
from saltern_master.lab import rootfs
from saltern_master.lab.errors import LabError
from saltern_master.lab.install import install
from saltern_master.lab.lab import Lab

PACKAGES = ("docker.io", "conntrack", "ebtables", "ethtool", "socat")
INCOMING = "/root/saltern"
"""Where a node finds what was signed for it; a person would carry it there by hand."""

Show = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Trial:
    """One node of a lab, the master's HOME beside it, and the cluster file between them."""

    lab: Lab
    node: str
    home: Path
    cluster: Path
    show: Show

    def stock(self) -> None:
        """Make a HOME and fill its library: keys, images, packages, the kubelet."""
        if self.home.exists():
            shutil.rmtree(self.home)
        base = rootfs.ready(self.show).status
        self.saltern("init", "--cluster", "demo")
        self.saltern("images", "add")
        self.saltern("packages", "add", *PACKAGES, "--base", str(base))
        self._stock_kubelet()

    def _stock_kubelet(self) -> None:
        """From the official release; where that is not reached, built from Debian's source."""
        add = ("binaries", "add", "1.20.2", "--component", "kubelet")
        built = cache.root() / "kubernetes/1.20.2/bin/kubelet"
        if not built.exists():
            try:
                self.saltern(*add)
            except LabError:
                self.show(
                    "the release is not reached from here, so it is built: a few minutes, once"
                )
            else:
                return
        self.saltern(*add, "--build")

    def install(self) -> None:
        """Put the agent on the node, as its package will."""
        install(self.lab, self.node, self.show)

    def learn(self) -> None:
        """Keep the node's facts where compile looks for them."""
        facts = self.home / "facts"
        facts.mkdir(exist_ok=True)
        (facts / f"{self.node}.json").write_text(self.must("saltern-agent", "facts"))

    def sign(self, cluster: Path | None = None) -> Path:
        """Compile and sign, and carry the result to the node; gives where it lies on the host."""
        out = self.home / "out"
        self.saltern("sign", str(cluster or self.cluster), "--out", str(out))
        for name in (f"{self.node}.identity", f"{self.node}.statement"):
            self.lab.copy_in(self.node, out / name, f"{INCOMING}/{name}")
        self.lab.copy_in(self.node, out / "blobs", f"{INCOMING}/blobs")
        return out

    def pin(self) -> None:
        """Tell the node who it is."""
        self.show(f"{self.node}$ saltern-agent pin {self.node}.identity")
        self.show(self.must("saltern-agent", "pin", f"{INCOMING}/{self.node}.identity").rstrip())

    def apply(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Have the node take what was signed last; gives what the agent printed."""
        statement = f"{INCOMING}/{self.node}.statement"
        return self.run(
            "saltern-agent", "apply", statement, "--blobs", f"{INCOMING}/blobs", *options
        )

    def apply_json(self) -> dict[str, object]:
        """The same; gives the last line: ok, changes, bad, milliseconds."""
        done = self.apply("--output", "json")
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        if not lines:
            raise LabError(f"cannot apply on {self.node}: {done.stderr.strip()}")
        return dict(lines[-1]) | {"lines": lines}

    def status(self) -> dict[str, object]:
        """Ask the running agent how things stand."""
        done = self.run("saltern-agent", "status", "--output", "json")
        return dict(json.loads(done.stdout)) if done.stdout else {}

    def drift(self, most: int = 100) -> list[dict[str, object]]:
        """Ask the running agent what drifted, newest first."""
        told = self.must("saltern-agent", "drift", "--most", str(most), "--output", "json")
        return [json.loads(line) for line in told.splitlines()]

    def run(self, *argv: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run a program in the node."""
        return self.lab.exec(self.node, argv, timeout=timeout)

    def stream(self, *argv: str) -> None:
        """Run a program in the node that has to succeed, its output shown as it comes."""
        saltern = str(Path(sys.executable).with_name("saltern"))
        for line in _lines([saltern, "lab", "exec", "--lab", self.lab.name, self.node, *argv], {}):
            self.show(line)

    def must(self, *argv: str, timeout: float = 600) -> str:
        """Run a program in the node that has to succeed; gives what it printed."""
        done = self.run(*argv, timeout=timeout)
        if done.returncode:
            raise LabError(
                f"cannot run {' '.join(argv)} on {self.node}: exit code {done.returncode}\n"
                f"{done.stdout}{done.stderr}"
            )
        return done.stdout

    def saltern(self, *arguments: str) -> None:
        """Run a command of the master, its output shown as it comes."""
        program = Path(sys.executable).with_name("saltern")
        self.show(f"$ saltern {' '.join(arguments)}")
        for line in _lines([str(program), *arguments], {"SALTERN_HOME": str(self.home)}):
            self.show(line)


def _lines(argv: list[str], more: dict[str, str]) -> Iterator[str]:
    environment = dict(os.environ) | more
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            yield line.rstrip("\n")
    if running.returncode:
        raise LabError(f"cannot go on: {' '.join(argv)} ended with {running.returncode}")
