"""What the doctor sees: files of a tree made for it, and this very machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from saltern_agent.doctor.declared import declared
from saltern_agent.doctor.examine import examine
from saltern_agent.doctor.look import (
    _endings,
    _forwarded,
    _kubelet_driver,
    _without_login,
    look,
)
from saltern_agent.host import processes, traces
from saltern_agent.host.facts import read_facts
from saltern_states import iptables_text
from saltern_states.body import Body

NOW = datetime.now(UTC).timestamp()
STATUS = """\
Package: bash
Status: install ok installed
Version: 5

Package: docker.io
Status: install ok half-configured
Version: 20

Package: man-db
Status: deinstall ok config-files
"""
POD = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {}\n"


def put(root: Path, name: str, text: str = "") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def certificate(days: int) -> str:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "w1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(300))
        .not_valid_after(now + timedelta(days))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize(
    ("match", "taken"),
    [
        ("[Match]\nName=*\n", True),
        ("[Match]\nName=en* cbr0\n", True),
        ("[Match]\nName=veth*\n[Network]\nDHCP=yes\n", True),
        ("[Match]\nName=en*\n", False),
        ("[Match]\nName=!cbr0\n", False),
        ("[Match]\nName=*\nDriver=virtio_net\n", False),
        ("[Match]\nName=cbr0\n[Link]\nUnmanaged=yes\n", False),
        ("no such thing", False),
    ],
)
def test_who_else_configures_the_bridge(tmp_path: Path, match: str, taken: bool) -> None:
    put(tmp_path, "etc/systemd/network/10-all.network", match)
    found = ("/etc/systemd/network/10-all.network",) if taken else ()
    assert traces.claimants(tmp_path, networkd=True) == found
    assert traces.claimants(tmp_path, networkd=False) == ()


def test_settings_of_others(tmp_path: Path) -> None:
    manager = "etc/NetworkManager/system-connections/bridge.nmconnection"
    put(tmp_path, manager, "[connection]\ninterface-name=cbr0\n")
    put(tmp_path, "etc/network/interfaces", "auto lo\niface lo inet loopback\niface cbr0 inet x\n")
    put(tmp_path, "etc/network/interfaces.d/other", "iface eth0 inet dhcp\n")
    assert traces.claimants(tmp_path, networkd=False) == (
        f"/{manager}",
        "/etc/network/interfaces",
    )


def test_what_a_kubelet_would_run(tmp_path: Path) -> None:
    put(tmp_path, "etcd.yaml", POD.format("etcd"))
    put(tmp_path, "etcd.yaml.bak", POD.format("etcd"))
    put(tmp_path, ".hidden.yaml", POD.format("etcd"))
    put(tmp_path, "notes.txt", "remember the milk")
    put(tmp_path, "json", '{"kind": "Pod"}')
    put(tmp_path, "sub/in.yaml", POD.format("in"))
    assert traces.manifests(tmp_path) == (
        ("etcd.yaml", "etcd"),
        ("etcd.yaml.bak", "etcd"),
        ("json", ""),
        ("notes.txt", ""),
    )
    assert traces.manifests(tmp_path / "none") == ()


def test_what_dpkg_has_not_done_with(tmp_path: Path) -> None:
    assert traces.half_installed(tmp_path) == ()
    put(tmp_path, "var/lib/dpkg/status", STATUS)
    assert traces.half_installed(tmp_path) == ("docker.io is half-configured",)
    put(tmp_path, "var/lib/dpkg/updates/0003")
    assert traces.half_installed(tmp_path) == (
        "docker.io is half-configured",
        "it was interrupted",
    )


def test_who_is_at_dpkg_just_now_is_waited_for(tmp_path: Path) -> None:
    put(tmp_path, "var/lib/dpkg/status", STATUS)
    put(tmp_path, "var/lib/dpkg/lock")
    with (tmp_path / "var/lib/dpkg/lock").open("r+") as lock:
        pid = os.fork()
        if pid == 0:
            os.lockf(lock.fileno(), os.F_LOCK, 0)
            os.kill(os.getpid(), 19)
            os._exit(0)
        os.waitpid(pid, os.WUNTRACED)
        try:
            assert traces.half_installed(tmp_path) is None
        finally:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
    assert traces.half_installed(tmp_path) == ("docker.io is half-configured",)


LOCKED = """
import fcntl, sys
with open(sys.argv[1], "r+") as lock:
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("locked")
"""


def test_a_look_takes_no_lock_from_its_own_process(tmp_path: Path) -> None:
    """The agent holds dpkg's lock while it installs, and its doctor looks meanwhile."""
    put(tmp_path, "var/lib/dpkg/status", STATUS)
    put(tmp_path, "var/lib/dpkg/lock-frontend")
    path = tmp_path / "var/lib/dpkg/lock-frontend"
    with path.open("r+") as lock:
        os.lockf(lock.fileno(), os.F_TLOCK, 0)
        assert traces.half_installed(tmp_path) is None
        done = subprocess.run(
            [sys.executable, "-c", LOCKED, str(path)], capture_output=True, check=True, timeout=30
        )
    assert done.stdout == b"locked\n"


@pytest.mark.timeout(10)
def test_nobody_who_writes_to_a_pipe_is_waited_for(tmp_path: Path) -> None:
    put(tmp_path, "etc/kubernetes/pki/apiserver.crt", certificate(12))
    os.mkfifo(tmp_path / "etc/kubernetes/pki/other.crt")
    os.mkfifo(tmp_path / "word")

    assert traces.word(tmp_path / "word") == ""
    assert [path for path, pem in traces.certificates(tmp_path) if pem] == [
        "/etc/kubernetes/pki/apiserver.crt"
    ]


@pytest.mark.parametrize(
    ("proxy", "told"),
    [
        ("http://ann:secret@proxy:3128", "http://proxy:3128"),
        ("ann:se@cret@proxy:3128", "proxy:3128"),
        ("http://proxy:3128/", "http://proxy:3128/"),
    ],
)
def test_of_a_proxy_no_login_is_told(proxy: str, told: str) -> None:
    assert _without_login(proxy) == told


def test_when_certificates_end(tmp_path: Path) -> None:
    put(tmp_path, "etc/kubernetes/pki/apiserver.crt", certificate(12))
    put(tmp_path, "etc/kubernetes/pki/etcd/peer.crt", certificate(300))
    put(tmp_path, "var/lib/kubelet/pki/kubelet-client-current.pem", certificate(-1))
    put(tmp_path, "etc/kubernetes/pki/odd.crt", "no certificate")
    found = {one.path: round((one.until - NOW) / 86400) for one in _endings(tmp_path)}
    assert found == {
        "/etc/kubernetes/pki/apiserver.crt": 12,
        "/etc/kubernetes/pki/etcd/peer.crt": 300,
        "/var/lib/kubelet/pki/kubelet-client-current.pem": -1,
    }


def test_the_kubelets_cgroup_driver(tmp_path: Path) -> None:
    assert _kubelet_driver(tmp_path) == ""
    put(tmp_path, "var/lib/kubelet/config.yaml", "kind: KubeletConfiguration\n")
    assert _kubelet_driver(tmp_path) == "cgroupfs"
    put(tmp_path, "var/lib/kubelet/config.yaml", "a: 1\ncgroupDriver: systemd\n")
    assert _kubelet_driver(tmp_path) == "systemd"
    put(tmp_path, "etc/systemd/system/kubelet.service.d/9.conf", "X=--cgroup-driver=cgroupfs\n")
    assert _kubelet_driver(tmp_path) == "cgroupfs"


@pytest.mark.parametrize(
    ("rules", "accepts", "blocks"),
    [
        ((), [], []),
        (("-A FORWARD -j ACCEPT",), ["-s", "-d"], []),
        (("-A FORWARD -s 10.10.0.0/16 -j ACCEPT",), ["-s 10.10.0.0/16"], []),
        (("-A FORWARD -j OURS", "-A OURS -d 10.0.0.0/8 -j ACCEPT"), ["-d 10.0.0.0/8"], []),
        (("-A FORWARD -i eth1 -j DROP",), [], []),
        (("-A FORWARD -j DROP", "-A FORWARD -j ACCEPT"), ["-s", "-d"], ["-A FORWARD -j DROP"]),
        (
            ("-A FORWARD -s 10.10.0.0/16 -j ACCEPT", "-A FORWARD -j REJECT --reject-with icmp-x"),
            ["-s 10.10.0.0/16"],
            [],
        ),
    ],
)
def test_what_forward_lets_through(
    rules: tuple[str, ...], accepts: list[str], blocks: list[str]
) -> None:
    lines = [":FORWARD DROP [0:0]", ":OURS - [0:0]", *rules]
    table = iptables_text.parse("filter", iptables_text.join("filter", lines))
    assert _forwarded(table, table.rules.get("FORWARD", ())) == (accepts, blocks)


def test_who_listens_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = processes.listening({port}, time.monotonic)
        assert found is not None
        (one,), _ = found
        assert (one.port, one.pid) == (port, os.getpid())
        assert one.name
        assert one.cgroup
    again = processes.listening({port}, time.monotonic)
    assert again is not None
    assert again[0] == ()


def test_a_pass_that_takes_too_long_tells_nothing() -> None:
    ticks = iter(range(0, 100_000, 10))
    assert processes.listening({1}, lambda: float(next(ticks))) is None


def test_this_machine_is_looked_at_without_an_error() -> None:
    seen = look(declared(None), NOW)
    assert seen.links
    assert seen.kernel is not None
    assert seen.rooms
    found = examine(None, NOW)
    assert all(one.what and one.remedy for one in found)
    assert isinstance(examine(Body(), NOW), tuple)


def test_another_root_has_no_doctor(tmp_path: Path) -> None:
    assert examine(None, NOW, tmp_path) == ()


def test_ids_are_told_as_digests() -> None:
    facts = read_facts()
    kept = Path("/etc/machine-id")
    if kept.exists():
        assert kept.read_text().strip() not in msgspec.json.encode(facts).decode()
        assert len(facts.machine_id) == 32
