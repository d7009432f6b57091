"""sysctl against a real kernel, in a network namespace of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltern_states.ports import HostError
from saltern_states.sysctl import KIND, Sysctl

from tests.system.disk_node import converge, differences, node_below, snapshot, take_back
from tests.system.event_namespaces import network_namespace, run

pytestmark = pytest.mark.system


def parameters() -> dict[str, str]:
    """What /proc/sys/net has, without the few that change by themselves or refuse to be read."""
    found: dict[str, str] = {}
    for path in Path("/proc/sys/net").rglob("*"):
        if path.is_file() and path.stat().st_mode & 0o400:
            try:
                found[str(path)] = path.read_text()
            except OSError:
                found[str(path)] = "unreadable"
    return found


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


@pytest.mark.parametrize(
    ("key", "value", "printed"),
    [
        ("net.ipv4.tcp_rmem", "4096 87380 6291455", "4096\t87380\t6291455\n"),
        ("net.ipv4.ip_local_port_range", "30000 40000", "30000\t40000\n"),
        ("net.ipv4.tcp_syncookies", "0", "0\n"),
    ],
)
def test_it_is_set_kept_and_taken_back(tmp_path: Path, key: str, value: str, printed: str) -> None:
    top = tmp_path / "root"
    (top / "etc/sysctl.d").mkdir(parents=True)
    node, bare = node_below(top, tmp_path / "blobs"), snapshot(top)
    want = Sysctl(key=key, value=value)
    with network_namespace():
        before = parameters()

        assert len(converge(KIND, node, want)) == 2

        live = Path("/proc/sys", *key.split("."))
        assert live.read_text() == printed
        assert changed(before, parameters()) == {str(live)}
        saved = f"etc/sysctl.d/90-saltern-{key}.conf"
        assert differences(bare, snapshot(top)) == {saved}
        assert (top / saved).read_text() == f"{key} = {value}\n"
        live.write_text(before[str(live)])
        assert len(converge(KIND, node, want)) == 1
        assert len(take_back(KIND, node, want)) == 1
        assert live.read_text() == printed
    assert snapshot(top) == bare


def test_a_value_that_the_kernel_refuses_is_told(tmp_path: Path) -> None:
    node = node_below(tmp_path, tmp_path / "blobs")
    want = Sysctl(key="net.ipv4.ip_local_port_range", value="9 8", persist=False)
    with network_namespace():
        (change,) = KIND.plan(node, want)
        with pytest.raises(HostError, match=r"cannot set net\..* the kernel refuses this value"):
            KIND.apply(node, change)  # type: ignore[arg-type]


def test_a_parameter_comes_with_what_brings_it(tmp_path: Path) -> None:
    """Not there, then there: the plan says what will be done, and then it is."""
    node = node_below(tmp_path, tmp_path / "blobs")
    want = Sysctl(key="net.ipv4.conf.dummy7.rp_filter", value="2", persist=False)
    with network_namespace():
        (blocked,) = KIND.plan(node, want)
        assert str(blocked).startswith("blocked: no net.ipv4.conf.dummy7.rp_filter")
        run("/usr/sbin/ip", "link", "add", "dummy7", "type", "bridge")
        assert converge(KIND, node, want) == [f"set {want.key} = 2 (was 0)"]
