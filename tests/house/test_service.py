"""The agent's unit file: systemd takes every line of it, and its order is what a boot needs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.house.tree import ROOT

UNIT = ROOT / "packaging/systemd/saltern-agent.service"
ANALYZE = Path("/usr/bin/systemd-analyze")


def settings() -> dict[str, str]:
    """Give each setting; one that stands twice is joined, as systemd does with lists."""
    found: dict[str, str] = {}
    for line in UNIT.read_text().splitlines():
        name, given, value = line.partition("=")
        if given and not line.startswith("#"):
            found[name] = f"{found[name]} {value}" if name in found else value
    return found


@pytest.mark.skipif(not ANALYZE.exists(), reason="there is no systemd-analyze here")
def test_systemd_takes_every_line(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/bin/saltern-agent run", "/bin/true"))
    command = [str(ANALYZE), "verify", "--man=no", "--recursive-errors=no", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)

    assert (done.returncode, [line for line in done.stderr.splitlines() if UNIT.name in line]) == (
        0,
        [],
    )


def test_what_a_boot_takes_is_brought_back_before_docker_starts() -> None:
    assert {"docker.service", "kubelet.service"} <= set(settings()["Before"].split())
    assert settings()["Type"] == "notify"


def test_what_units_were_started_with_outlives_the_agent() -> None:
    assert settings()["RuntimeDirectory"] == "saltern"
    assert settings()["RuntimeDirectoryPreserve"] == "yes"


def test_stopping_the_agent_stops_nothing_else() -> None:
    assert settings()["KillMode"] == "process"


def test_the_agent_stays_among_the_hosts_own_mounts() -> None:
    apart = {"PrivateTmp", "ProtectSystem", "ProtectHome", "PrivateMounts", "ReadOnlyPaths"}

    assert not apart & set(settings())
