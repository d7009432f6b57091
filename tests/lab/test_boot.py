"""What a node is booted with, and what is put into it first."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from saltern_master.lab import Network, Node, dress, nspawn
from saltern_master.lab.host import Host, Way
from saltern_master.lab.layout import Place

PLACE = Place("demo", "w1", Path("/s"))
NET = Network("saltern7", IPv4Network("10.9.7.0/24"))
NODE = Node("w1", IPv4Address("10.9.7.21"))


def a_host(way: Way = "v1", may_lower_oom: bool = True, modules: bool = False) -> Host:
    return Host(way=way, trees=(), may_lower_oom=may_lower_oom, modules=modules)


def test_the_whole_command_line() -> None:
    assert nspawn.arguments(PLACE, NET, a_host(modules=True)) == (
        "/usr/bin/systemd-nspawn",
        "--quiet",
        "--directory=/s/demo/nodes/w1/root",
        "--machine=saltern-demo-w1",
        "--hostname=w1",
        "--register=no",
        "--keep-unit",
        "--settings=no",
        "--link-journal=no",
        "--resolv-conf=off",
        "--timezone=off",
        "--console=pipe",
        "--capability=all",
        "--system-call-filter=@keyring bpf landlock_create_ruleset landlock_add_rule "
        "landlock_restrict_self",
        "--network-bridge=saltern7",
        "--bind=/dev/kmsg",
        "--bind=/s/demo/nodes/w1/data/docker:/var/lib/docker",
        "--bind=/s/demo/nodes/w1/data/containerd:/var/lib/containerd",
        "--bind-ro=/lib/modules",
        "--boot",
    )


def test_modules_are_bound_where_the_machine_has_some() -> None:
    assert "--bind-ro=/lib/modules" not in nspawn.arguments(PLACE, NET, a_host())


@pytest.mark.parametrize(("way", "unified"), [("v1", "0"), ("v2", "1"), ("systemd", "1")])
def test_the_node_gets_the_machines_kind_of_cgroups(way: Way, unified: str) -> None:
    environment = nspawn.environment(a_host(way))
    assert environment["SYSTEMD_NSPAWN_UNIFIED_HIERARCHY"] == unified


def test_as_a_service_the_boot_is_delegated_and_comes_back_on_reboot() -> None:
    line = nspawn.as_service(PLACE, ["/boot", "it"], {"A": "1"})
    assert line[0] == "/usr/bin/systemd-run"
    assert line[-3:] == ("--", "/boot", "it")
    for word in (
        "--unit=saltern-demo-w1.service",
        "--property=Delegate=yes",
        "--property=RestartForceExitStatus=133",
        "--setenv=A=1",
    ):
        assert line.count(word) == 1


def test_a_new_node_knows_its_name_and_its_wire(tmp_path: Path) -> None:
    dress.write(tmp_path / "upper", dress.files(NODE, NET, a_host(), "0" * 32))
    boot = (tmp_path / "upper/usr/local/lib/saltern-lab/boot").read_text()
    assert "ip address replace 10.9.7.21/24 dev host0\n" in boot
    assert "ip route replace default via 10.9.7.1 dev host0\n" in boot
    assert (tmp_path / "upper/etc/hostname").read_text() == "w1\n"
    assert (tmp_path / "upper/etc/hosts").read_text().endswith("10.9.7.21 w1\n")
    wants = tmp_path / "upper/etc/systemd/system/sysinit.target.wants/saltern-lab.service"
    assert wants.resolve() == tmp_path / "upper/etc/systemd/system/saltern-lab.service"
    assert (tmp_path / "upper/etc").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(("way", "remounts"), [("v1", True), ("v2", False), ("systemd", False)])
def test_cgroups_are_made_writable_on_version_1(way: Way, remounts: bool) -> None:
    files = dress.files(NODE, NET, a_host(way), "0" * 32)
    text = files["usr/local/lib/saltern-lab/boot"][1]
    assert ("mount -o remount,bind,rw" in text) is remounts


@pytest.mark.parametrize("may", [True, False])
def test_the_wrapper_for_runc_is_there_only_where_it_must(may: bool) -> None:
    files = dress.files(NODE, NET, a_host(may_lower_oom=may), "0" * 32)
    assert ("usr/local/sbin/runc" in files) is not may
