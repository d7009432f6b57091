"""Sysctls, modules and swaps: in memory, and on this kernel.

The real parameters are read here and written in tests/system, in a network namespace.
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from saltern_agent.host.kernel import KernelModules, KernelSwaps, ProcSysctls
from saltern_states.ports import HostError, Modules, MovedError, Swaps, Sysctls
from saltern_states.testing.kernel import FakeModules, FakeSwaps, FakeSysctls

PID_MAX = "kernel.pid_max"


@pytest.fixture(params=["fake", "kernel"])
def sysctls(request: pytest.FixtureRequest) -> Sysctls:
    if request.param == "fake":
        return FakeSysctls({PID_MAX: "4194304", "net.ipv4.tcp_rmem": "4096\t131072\t6291456"})
    return ProcSysctls()


def test_a_value_comes_without_its_newline(sysctls: Sysctls) -> None:
    value = sysctls.read(PID_MAX)
    row = sysctls.read("net.ipv4.tcp_rmem")

    assert value is not None
    assert value.isdecimal()
    assert row is not None
    assert len(row.split("\t")) == 3


def test_a_parameter_that_is_not_there_is_none(sysctls: Sysctls) -> None:
    assert sysctls.read("net.ipv4.no_such_parameter") is None
    with pytest.raises(HostError, match=r"cannot set net.*no such parameter"):
        sysctls.write("net.ipv4.no_such_parameter", "0", "1")


def test_a_value_that_moved_is_left_alone(sysctls: Sysctls) -> None:
    value = sysctls.read(PID_MAX)

    with pytest.raises(MovedError, match="plan again"):
        sysctls.write(PID_MAX, f"{value}0", "65536")

    assert sysctls.read(PID_MAX) == value


@pytest.mark.parametrize("key", ["../../etc/passwd", "net/ipv4", "net..ipv4", "net", "net.ipv4\n"])
def test_a_key_that_is_no_name_is_refused(key: str) -> None:
    with pytest.raises(HostError, match="cannot name a parameter"):
        ProcSysctls().read(key)


def test_a_group_of_parameters_is_no_parameter() -> None:
    with pytest.raises(HostError, match=r"cannot read net\.ipv4: that is a group"):
        ProcSysctls().read("net.ipv4")


def modules_below(directory: Path) -> KernelModules:
    """A kernel as the files of a directory describe it; its modprobe is a program of ours."""
    for name in ("br_netfilter", "vxlan"):
        (directory / "sys" / name).mkdir(parents=True)
    (directory / "sys/br_netfilter/initstate").write_text("live\n")
    (directory / "sys/half").mkdir()
    (directory / "sys/half/initstate").write_text("coming\n")
    release = directory / "lib" / os.uname().release
    release.mkdir(parents=True)
    (release / "modules.builtin").write_text("kernel/fs/overlay-fs/over-lay.ko\n")
    modprobe = directory / "modprobe"
    modprobe.write_text(
        "#!/bin/sh\n"
        f'[ "$1 $2" = "-- ip_vs" ] || {{ echo "FATAL: Module $2 not found" >&2; exit 1; }}\n'
        f"/bin/mkdir {directory}/sys/ip_vs && echo live > {directory}/sys/ip_vs/initstate\n"
    )
    modprobe.chmod(0o755)
    return KernelModules(directory / "sys", directory / "lib", directory / "config.gz", (modprobe,))


@pytest.fixture(params=["fake", "files"])
def modules(request: pytest.FixtureRequest, tmp_path: Path) -> Modules:
    if request.param == "fake":
        return FakeModules(
            built_in=("vxlan", "over-lay"), loaded=("br_netfilter",), loadable=("ip_vs",)
        )
    return modules_below(tmp_path)


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("br_netfilter", "loaded"),
        ("br-netfilter", "loaded"),
        ("vxlan", "built-in"),
        ("over_lay", "built-in"),
        ("ip_vs", "absent"),
        ("half", "absent"),
    ],
)
def test_state(modules: Modules, name: str, state: str) -> None:
    assert modules.state(name) == state


def test_a_module_is_loaded_or_the_reason_is_told(modules: Modules) -> None:
    modules.load("ip-vs")
    assert modules.state("ip_vs") == "loaded"
    with pytest.raises(HostError, match=r"cannot load module no-such: .*not found.*install"):
        modules.load("no-such")


def test_without_a_list_of_modules_the_options_tell(tmp_path: Path) -> None:
    options = b"CONFIG_BRIDGE_NETFILTER=y\n# CONFIG_IP_VS is not set\nCONFIG_VXLAN=m\n"
    (tmp_path / "config.gz").write_bytes(gzip.compress(options))
    modules = KernelModules(tmp_path, tmp_path, tmp_path / "config.gz", ())

    states = [modules.state(name) for name in ("br_netfilter", "ip_vs", "vxlan")]

    assert states == ["built-in", "absent", "absent"]
    with pytest.raises(HostError, match="cannot load module vxlan: there is no modprobe"):
        modules.load("vxlan")


@pytest.mark.parametrize("name", ["../a", "-r", "a b", "", "a\n"])
def test_a_module_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(HostError, match="cannot name a module"):
        KernelModules().state(name)


@pytest.fixture(params=["fake", "files"])
def swaps(request: pytest.FixtureRequest, tmp_path: Path) -> Swaps:
    if request.param == "fake":
        return FakeSwaps(("/swap\\040file", "/dev/no-such-b"))
    table = tmp_path / "swaps"
    table.write_text(
        "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
        "/swap\\040file                           file\t\t8\t\t0\t\t-2\n"
        "/dev/no-such-b                          partition\t8\t\t0\t\t-3\n"
    )
    return KernelSwaps(table)


def test_areas_are_told_sorted_and_one_that_is_not_in_use_is_not_stopped(swaps: Swaps) -> None:
    assert swaps.active() == ("/dev/no-such-b", "/swap\\040file")
    with pytest.raises(MovedError, match="cannot stop swapping on /dev/other"):
        swaps.off("/dev/other")


def test_a_kernel_without_swap_has_no_area(tmp_path: Path) -> None:
    assert KernelSwaps(tmp_path / "none").active() == ()
