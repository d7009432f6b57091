"""A running cluster under test, and what the tests ask of it again and again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from saltern_master.lab.fleet import Fleet, wait_for

T = TypeVar("T")
Json = dict[str, Any]
SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """Three nodes, their master, and the API server that came of them."""

    fleet: Fleet

    def settle(self) -> None:
        """Wait until every node is connected, as declared, and Ready."""
        wait_for("all nodes to be as declared", self._is_well, SECONDS)
        wait_for("all nodes to be Ready", lambda: len(self.ready()) == 3, SECONDS)

    def _is_well(self) -> bool:
        done = self.fleet.try_saltern("status", "--output", "json")
        if done.returncode == 1 or not done.stdout:
            return False
        nodes = json.loads(done.stdout)["nodes"]
        return all(one["connected"] and one["health"] == "converged" for one in nodes)

    def status(self) -> dict[str, Json]:
        """Give what the master says of each node."""
        return {one["name"]: one for one in self.fleet.ask("status")["nodes"]}

    def ready(self) -> list[str]:
        """Name the nodes that Kubernetes calls Ready."""
        found = []
        for node in self.objects("nodes"):
            conditions = node["status"].get("conditions", ())
            if any(one["type"] == "Ready" and one["status"] == "True" for one in conditions):
                found.append(str(node["metadata"]["name"]))
        return found

    def objects(self, *what: str) -> list[Json]:
        """List objects; none while the API server does not answer."""
        done = self.fleet.kubectl("get", *what, "--output", "json")
        return list(json.loads(done.stdout)["items"]) if done.returncode == 0 else []

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl, which has to succeed."""
        done = self.fleet.kubectl(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def drift(self) -> list[Json]:
        """Give all drift that the master stores, newest first."""
        done = self.fleet.try_saltern("drift", "--most", "1000", "--output", "json")
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout))

    def apply(self, *options: str) -> Json:
        """Apply the cluster file; give the turn's end."""
        arguments = ("apply", str(self.fleet.cluster), "--output", "json", *options)
        done = self.fleet.try_saltern(*arguments)
        lines = done.stdout.splitlines()
        assert lines, done.stderr
        return dict(json.loads(lines[-1]))

    def wait(self, what: str, ask: Callable[[], T | None]) -> T:
        """Ask until there is an answer."""
        return wait_for(what, ask, SECONDS)
