"""The units: systemd takes every line, each is kept in as far as its page says, and what they
name is what the programs know.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from saltern_master.cli import app
from saltern_master.cli.places import DEFAULT_HOME
from typer.testing import CliRunner

from tests.house.tree import ROOT

UNITS = sorted((ROOT / "packaging/systemd").glob("*.service"))
PAGE = ROOT / "docs/reference/units.md"
ANALYZE = Path("/usr/bin/systemd-analyze")
ROW = re.compile(r"^\| `(saltern-[a-z-]+\.service)` \| ([0-9.]+) ([A-Z]+) \|", re.MULTILINE)
FIGURE = re.compile(r"exposure level for (\S+): ([0-9.]+) ([A-Z]+)")
MEASURED_BY = "systemd 252"
NEEDS_ANALYZE = pytest.mark.skipif(not ANALYZE.exists(), reason="there is no systemd-analyze here")


def unit(name: str) -> Path:
    return ROOT / f"packaging/systemd/saltern-{name}.service"


def settings(path: Path) -> dict[str, str]:
    """Give each setting; one that stands twice is joined, as systemd does with lists."""
    found: dict[str, str] = {}
    for line in path.read_text().splitlines():
        name, given, value = line.partition("=")
        if given and not line.startswith("#"):
            found[name] = f"{found[name]} {value}" if name in found else value
    return found


def analyzed(*words: str) -> str:
    done = subprocess.run(
        [str(ANALYZE), *words],
        capture_output=True,
        text=True,
        timeout=50,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "SYSTEMD_PAGER": "cat"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@NEEDS_ANALYZE
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_systemd_takes_every_line(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / path.name
    starts = re.compile(r"^ExecStart=/usr/bin/saltern\S* .*$", re.MULTILINE)
    copy.write_text(starts.sub("ExecStart=/bin/true", path.read_text()))
    said = analyzed("verify", "--man=no", "--recursive-errors=no", str(copy))

    assert [line for line in said.splitlines() if path.name in line] == []


@NEEDS_ANALYZE
def test_the_page_has_the_figures_that_systemd_gives() -> None:
    if MEASURED_BY not in analyzed("--version"):
        pytest.skip(f"the page's figures are those of {MEASURED_BY}")
    found = set()
    for path in UNITS:
        said = analyzed("security", "--offline=yes", "--no-pager", str(path))
        found |= {one.groups() for one in FIGURE.finditer(said)}

    assert set(ROW.findall(PAGE.read_text())) == found
    assert len(found) == len(UNITS)


def test_what_a_boot_takes_is_brought_back_before_docker_starts() -> None:
    agent = settings(unit("agent"))

    assert {"docker.service", "kubelet.service"} <= set(agent["Before"].split())
    assert agent["Type"] == "notify"


def test_what_units_were_started_with_outlives_the_agent() -> None:
    agent = settings(unit("agent"))

    assert (agent["RuntimeDirectory"], agent["RuntimeDirectoryPreserve"]) == ("saltern", "yes")


def test_stopping_the_agent_stops_nothing_else() -> None:
    assert settings(unit("agent"))["KillMode"] == "process"


def test_the_agent_stays_among_the_hosts_own_mounts() -> None:
    apart = {"PrivateTmp", "ProtectSystem", "ProtectHome", "PrivateMounts", "ReadOnlyPaths"}

    assert not apart & set(settings(unit("agent")))


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_each_has_ceilings_and_dumps_no_core(path: Path) -> None:
    found = settings(path)

    assert {"MemoryMax", "TasksMax", "CPUQuota"} <= set(found)
    assert found["LimitCORE"] == "0"


@pytest.mark.parametrize("name", ["agent", "master"])
def test_what_runs_without_end_is_watched_and_never_given_up(name: str) -> None:
    found = settings(unit(name))

    assert (found["Type"], found["NotifyAccess"]) == ("notify", "main")
    assert int(found["WatchdogSec"]) >= 60
    assert (found["Restart"], found["StartLimitIntervalSec"]) == ("always", "0")


def test_a_preseeded_join_is_tried_with_an_end() -> None:
    found = settings(unit("agent-join"))

    assert found["Type"] == "oneshot"
    assert found["ConditionPathExists"] == "/etc/saltern/join.token"
    assert found["StartLimitIntervalSec"] == "12h"
    assert int(found["StartLimitBurst"]) > 0


def test_neither_core_nor_front_is_ever_root_or_can_become_it() -> None:
    found = settings(unit("master"))

    assert found["User"] == found["Group"] == "saltern"
    assert found["CapabilityBoundingSet"] == found["AmbientCapabilities"] == ""
    assert found["NoNewPrivileges"] == found["PrivateUsers"] == "yes"
    assert "@privileged" in found["SystemCallFilter"].split("~")[1]


def test_all_that_packaging_says_of_the_masters_home_is_what_the_program_takes() -> None:
    found = settings(unit("master"))

    assert Path("/var/lib", found["StateDirectory"]) == DEFAULT_HOME
    assert found["ConditionPathExists"] == f"{DEFAULT_HOME}/keys"
    for place in ("tmpfiles.d/saltern-master.conf", "sysusers.d/saltern-master.conf",
                  "debian/master.postrm"):  # fmt: skip
        named = set(re.findall(r"/var/lib/saltern[a-z-]*", _packaged(place)))
        assert named == {str(DEFAULT_HOME)}, place


def test_rpm_makes_the_same_user() -> None:
    (line,) = [one for one in _packaged("sysusers.d/saltern-master.conf").splitlines()
               if one.startswith("u ")]  # fmt: skip

    assert line in _packaged("rpm/master.pre").splitlines()


def test_the_options_in_etc_are_those_that_the_program_reads() -> None:
    text = _packaged("etc/master.env")
    told = CliRunner(env={"COLUMNS": "300"}).invoke(app, ["master", "run", "--help"]).stdout
    read = set(re.findall(r"env var: (SALTERN_[A-Z_]+)", " ".join(told.split())))
    read -= {"SALTERN_HOME"}  # the unit's own directories are for the usual one

    assert set(re.findall(r"^#(SALTERN_[A-Z_]+)=", text, re.MULTILINE)) == read
    assert [line for line in text.splitlines() if line and not line.startswith("#")] == []


@pytest.mark.parametrize("name", ["agent", "master"])
@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm"])
def test_a_shell_reads_every_maintainer_script(name: str, script: str) -> None:
    path = ROOT / f"packaging/debian/{name}.{script}"
    done = subprocess.run(["/bin/sh", "-n", str(path)], capture_output=True, text=True, timeout=10)

    assert (done.returncode, done.stderr) == (0, "")
    assert "\nset -e\n" in path.read_text()


def test_a_purge_of_the_agent_names_only_what_is_the_agents_own() -> None:
    text = re.sub(r"(?m)^\s*#.*$", "", _packaged("debian/agent.postrm"))
    named = set(re.findall(r"(?<![\w.])/(?:etc|var|run|usr)/[\w/.$-]+", text))

    assert named <= {
        "/etc/saltern/$name",
        "/etc/saltern/.saltern-",
        "/var/lib/saltern",
        "/var/lib/saltern/keys",
        "/run/saltern",
        "/run/systemd/system",
        "/usr/bin/deb-systemd-helper",
    }


def _packaged(place: str) -> str:
    return (ROOT / "packaging" / place).read_text()
