"""What the lab makes of a machine: cgroup trees, capabilities, and the way that follows."""

from pathlib import Path

import pytest
from saltern_master.lab import LabError, cgroups, host
from saltern_master.lab.cgroups import Hierarchy

SPLIT = """\
23 1 254:0 / / rw,relatime - ext4 /dev/vda rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
HYBRID = """\
31 23 0:28 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
32 31 0:29 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw,nsdelegate
33 31 0:30 / /sys/fs/cgroup/systemd rw shared:11 - cgroup cgroup rw,xattr,name=systemd
34 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw shared:12 - cgroup cgroup rw,cpu,cpuacct
"""
UNIFIED = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
NEITHER = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"

TOP = Path("/sys/fs/cgroup")


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        pytest.param(SPLIT, ["systemd", "cpuset", "unified"], id="a tree per controller"),
        pytest.param(
            HYBRID, ["systemd", "unified", "cpu,cpuacct"], id="trees with two controllers"
        ),
    ],
)
def test_version_1_gives_a_group_in_each_tree_and_systemds_first(
    text: str, groups: list[str]
) -> None:
    plan = cgroups.plan(cgroups.parse_mountinfo(text), "demo", "w1")
    assert plan == tuple(TOP / group / "saltern-lab/demo/w1" for group in groups)


def test_version_2_gives_one_group() -> None:
    plan = cgroups.plan(cgroups.parse_mountinfo(UNIFIED), "demo", "w1")
    assert plan == (TOP / "saltern-lab/demo/w1",)


@pytest.mark.parametrize(
    ("text", "systemd", "way"),
    [
        (SPLIT, False, "v1"),
        (HYBRID, True, "v1"),
        (UNIFIED, False, "v2"),
        (UNIFIED, True, "systemd"),
    ],
)
def test_the_way(text: str, systemd: bool, way: str) -> None:
    assert host.choose_way(cgroups.parse_mountinfo(text), systemd=systemd) == way


def test_a_machine_without_cgroups_is_refused() -> None:
    with pytest.raises(LabError, match="cannot boot a node: /sys/fs/cgroup has neither"):
        host.choose_way(cgroups.parse_mountinfo(NEITHER), systemd=False)


def test_mount_options_are_no_controllers_and_names_are() -> None:
    trees = cgroups.parse_mountinfo(HYBRID)
    assert Hierarchy(TOP / "systemd", 1, frozenset({"name=systemd"})) in trees
    assert Hierarchy(TOP / "cpu,cpuacct", 1, frozenset({"cpu", "cpuacct"})) in trees


def test_a_mounts_own_name_is_read_back_from_its_escapes() -> None:
    line = UNIFIED.replace("/sys/fs/cgroup", r"/sys/a\040b")
    assert cgroups.parse_mountinfo(line)[0].mount == Path("/sys/a b")


def test_the_groups_of_a_process() -> None:
    trees = cgroups.parse_mountinfo(HYBRID)
    text = "5:cpuacct,cpu:/n/w1\n1:name=systemd:/n/w1/init.scope\n3:misc:/\n0::/n\n"
    assert cgroups.of_process(trees, text) == (
        TOP / "cpu,cpuacct/n/w1",
        TOP / "systemd/n/w1/init.scope",
        TOP / "unified/n",
    )


@pytest.mark.parametrize(
    ("bounding", "has"),
    [("000001fffeffffff", False), ("000001ffffffffff", True), ("0000000001000000", True)],
)
def test_the_capability_to_lower_oom_scores(bounding: str, has: bool) -> None:
    status = f"Name:\tx\nCapEff:\t0000000000000000\nCapBnd:\t{bounding}\n"
    assert host.has_capability(status, 24) is has
