"""A real node: it boots, does what it is told, survives power cuts, and is like a bare server."""

import hashlib
import os
from pathlib import Path

import pytest
from saltern_master.lab import Lab, LabError, Machine

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]


def out(node: Machine, *argv: str) -> str:
    done = node.exec(argv)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_runs_without_a_failed_unit(node: Machine) -> None:
    assert node.wait(30) == "running"
    assert node.failed_units() == ()
    assert out(node, "uname", "-n") == "w1"
    assert out(node, "cat", "/proc/1/comm") == "systemd"


def test_it_is_bare(node: Machine) -> None:
    assert node.exec(["which", "docker", "runc.real", "kubelet", "conntrack"]).stdout == ""
    assert out(node, "python3", "-c", "import sys; print(sys.version_info[:2])") == "(3, 11)"


def test_it_has_its_address_and_a_default_route(node: Machine) -> None:
    assert f"inet {node.node.address}/24" in out(
        node, "ip", "-4", "address", "show", "dev", "host0"
    )
    assert out(node, "ip", "route", "show", "default").startswith(
        f"default via {node.network.host} dev host0"
    )


def test_kernel_parameters_and_cgroups_can_be_written(node: Machine) -> None:
    assert node.exec(["sysctl", "-w", "net.ipv4.ip_forward=1"]).returncode == 0
    for group in out(node, "find", "/sys/fs/cgroup", "-maxdepth", "1", "-type", "d").splitlines():
        if node.exec(["test", "-e", f"{group}/cgroup.procs"]).returncode == 0:
            assert node.exec(["mkdir", f"{group}/saltern-probe"]).returncode == 0, group
            assert node.exec(["rmdir", f"{group}/saltern-probe"]).returncode == 0, group


def test_a_program_gets_input_and_gives_output_and_status(node: Machine) -> None:
    done = node.exec(["sh", "-c", "cat; echo wrong >&2; exit 7"], input="schön\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, "schön\n", "wrong\n")
    assert done.args == ["sh", "-c", "cat; echo wrong >&2; exit 7"]


def test_a_program_gets_nothing_of_the_callers_environment(node: Machine) -> None:
    names = {line.partition("=")[0] for line in out(node, "env").splitlines()}
    assert names == {"PATH", "HOME", "LANG", "container"}


def test_a_program_is_in_the_nodes_groups(node: Machine) -> None:
    assert out(node, "cat", "/proc/self/cgroup") == out(node, "cat", "/proc/1/cgroup")


def test_a_program_that_hangs_is_killed_and_quoted(node: Machine) -> None:
    with pytest.raises(LabError, match=r"cannot wait longer than 1 s .* it said: here"):
        node.exec(["sh", "-c", "echo here; sleep 1234"], timeout=1)
    assert node.exec(["pgrep", "-f", "sleep 1234"]).stdout == ""


def test_what_it_starts_in_the_background_stays(node: Machine) -> None:
    node.exec(["sh", "-c", "sleep 4321 >/dev/null 2>&1 &"])
    assert node.exec(["pkill", "-f", "sleep 4321"]).returncode == 0


def test_a_tree_is_copied_whole(node: Machine, tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/run").write_bytes(b"#!/bin/sh\necho ran\n")
    (tmp_path / "a/b/run").chmod(0o750)
    (tmp_path / "link").symlink_to("a/b/run")
    os.chown(tmp_path / "a/b/run", 1234, 1234)
    node.copy_in(tmp_path, "/usr/lib/copied/deep")
    assert out(node, "/usr/lib/copied/deep/link") == "ran"
    assert out(node, "stat", "-c", "%a %u %g", "/usr/lib/copied/deep/a/b/run") == "750 0 0"
    assert (node.place.root / "usr/lib/copied/deep/link").is_symlink(), "seen from the host"


def test_a_file_is_copied_also_to_where_only_the_node_sees(node: Machine, tmp_path: Path) -> None:
    source = tmp_path / "file"
    source.write_bytes(os.urandom(100_000))
    node.copy_in(source, "/run/new/name")
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert out(node, "sha256sum", "/run/new/name").split()[0] == digest


def test_no_link_in_the_node_leads_a_copy_to_the_host(node: Machine, tmp_path: Path) -> None:
    victim, source = tmp_path / "victim", tmp_path / "source"
    victim.write_text("host")
    source.write_text("node")
    node.exec(["mkdir", "-p", str(tmp_path)])
    node.exec(["ln", "-s", str(victim), "/etc/leads-out"])
    node.copy_in(source, "/etc/leads-out")
    assert victim.read_text() == "host"


def test_a_copy_that_cannot_be_is_told(node: Machine, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot mkdir -p -- /proc/none"):
        node.copy_in(tmp_path, "/proc/none")


def test_a_power_cut_keeps_the_disk_and_nothing_else(lab: Lab, node: Machine) -> None:
    node.exec(["sh", "-c", "echo disk >/etc/kept; echo memory >/run/lost; sync"])
    node.exec(["sh", "-c", "echo real >/var/lib/docker/kept"])
    node.exec(["ip", "link", "add", "cbr0", "type", "bridge"])
    first = node.first_process()
    assert lab.kill_power("w1") == "running"
    assert node.first_process() not in (first, None)
    assert out(node, "cat", "/etc/kept", "/var/lib/docker/kept") == "disk\nreal"
    assert node.exec(["test", "-e", "/run/lost"]).returncode == 1
    assert node.exec(["ip", "link", "show", "cbr0"]).returncode == 1


def test_it_comes_back_from_a_reboot_of_its_own(lab: Lab, node: Machine) -> None:
    node.exec(["sh", "-c", "echo disk >/etc/rebooted; echo memory >/run/lost"])
    assert lab.reboot("w1") == "running"
    assert out(node, "cat", "/etc/rebooted") == "disk"
    assert node.exec(["test", "-e", "/run/lost"]).returncode == 1
    assert lab.reboot("w1") == "running", "and once more"


def test_off_is_off_until_it_is_brought_up(lab: Lab, node: Machine) -> None:
    node.exec(["sh", "-c", "echo disk >/etc/off"])
    node.kill()
    try:
        with pytest.raises(LabError, match="cannot enter w1: it is off"):
            node.exec(["true"])
        assert {found.name: found.state for found in lab.status().nodes}["w1"] == "off"
    finally:
        lab.up(("w1",))
    assert out(node, "cat", "/etc/off") == "disk"


def test_two_nodes_reach_each_other_and_the_host(lab: Lab, node: Machine) -> None:
    before = node.first_process()
    machines = {machine.node.name: machine for machine in lab.up(("w2",))}
    assert node.first_process() == before, "a node that runs is left alone"
    other = machines["w2"]
    for address in (other.node.address, node.network.host):
        assert node.exec(["ping", "-c", "1", "-W", "5", str(address)]).returncode == 0
    assert other.exec(["ping", "-c", "1", "-W", "5", str(node.node.address)]).returncode == 0
    assert out(other, "uname", "-n") == "w2"
    assert out(other, "cat", "/etc/machine-id") != out(node, "cat", "/etc/machine-id")
    assert [(n.name, n.state) for n in lab.status().nodes] == [("w1", "running"), ("w2", "running")]


def test_a_node_that_is_not_there_is_told(lab: Lab, node: Machine) -> None:
    with pytest.raises(LabError, match=r"cannot find the node w9: the lab .* has w1"):
        lab.exec("w9", ["true"])
