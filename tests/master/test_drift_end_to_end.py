"""A real master, a real agent in a directory, and the command line: drift from damage to its end.

The master is killed while a drift is open, and knows it still when it is back.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from saltern_master.cli import app
from typer.testing import CliRunner
from typer.testing import Result as Ran

from tests.master.homes import made_home
from tests.master.test_core_process import running, wait
from tests.master.test_plan_end_to_end import NAMES, agent, cluster_file, ended


def saltern(home: Path, *words: str) -> Ran:
    return CliRunner(env={"SALTERN_HOME": str(home), "TZ": "UTC"}).invoke(app, list(words))


def told(home: Path, *words: str) -> list[dict[str, Any]]:
    done = saltern(home, "drift", *words, "--output", "json")
    return list(json.loads(done.stdout)) if done.stdout else []


def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


@pytest.mark.timeout(120)
def test_a_drift_is_read_from_its_damage_to_its_end(tmp_path: Path) -> None:
    home, root, name = made_home(tmp_path), tmp_path / "node", NAMES[0]
    ports = free_ports()
    with running(home, ports) as master, agent(master.client, name, root) as file:
        client = master.client
        wait("it is here", lambda: any(one.connected for one in client.status().nodes))
        assert ended(client, client.apply(cluster_file("one").encode()))[name] == "changed"
        assert saltern(home.path, "drift").exit_code == 0

        file.write_text("somebody's own\n")
        wait("it is told", lambda: any(one["hindrance"] for one in told(home.path)))
        (opened,) = told(home.path, "--target", f"name={name}", "--kind", "file")
        shown = saltern(home.path, "drift", name)
        assert (shown.exit_code, opened["id"] in shown.stdout) == (1, True)
        assert opened["since"] <= opened["recorded"] <= opened["stored"]

        master.process.kill()
        master.process.wait()
        with running(home, ports) as again:
            assert told(home.path) == [opened]
            wait("it is back", lambda: again.client.node(name).connected)
            page = saltern(home.path, "drift", "explain", opened["id"])
            assert page.exit_code == 0, page.stderr
            print(page.stdout, shown.stdout)
            for line in ("daemon  (file/1): open", "report: it is told, and not set right"):
                assert line in page.stdout
            file.write_text("one\n")
            wait("it is over", lambda: not told(home.path))
            (healed,) = told(home.path, "history", "--resource", "daemon")
            assert (healed["id"], healed["stored"]) == (opened["id"], opened["stored"])
            assert healed["since"] < healed["healed"]
