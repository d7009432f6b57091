"""A bare node becomes what a signed document says; said again, nothing happens."""

from __future__ import annotations

import json
import re

import pytest

from tests.lab.held import Held, changes
from tests.lab.snapshot import difference

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

OPTIONS = {
    "bridge": "cbr0",
    "iptables": False,
    "ip-masq": False,
    "live-restore": True,
    "mtu": 1500,
    "exec-opts": ["native.cgroupdriver=cgroupfs"],
    "log-driver": "json-file",
    "log-opts": {"max-file": "3", "max-size": "10m"},
}


def test_a_plan_changes_nothing(held: Held) -> None:
    assert len(changes(held.plan_of_all)) > 30
    assert difference(held.bare, held.after_plan) == {}


def test_what_was_planned_was_done(held: Held) -> None:
    assert changes(held.plan_of_all) == changes(held.apply_of_all)
    assert held.apply_of_all[-1]["bad"] == 0


def test_docker_runs_on_cbr0_with_the_options_of_the_guide(held: Held) -> None:
    told = json.loads(held.must("cat", "/etc/docker/daemon.json"))
    assert told == OPTIONS
    running = json.loads(held.must("docker", "info", "--format", "{{json .}}"))
    assert running["LiveRestoreEnabled"] is True
    assert running["CgroupDriver"] == "cgroupfs"
    bridge = json.loads(held.must("docker", "network", "inspect", "bridge"))[0]
    assert bridge["Options"]["com.docker.network.bridge.name"] == "cbr0"
    assert bridge["IPAM"]["Config"][0]["Subnet"] == "10.10.0.0/24"
    asked = ("--property=LimitNOFILE", "--value", "docker")
    assert held.must("systemctl", "show", *asked).strip() == "1000000"
    assert held.converged["link cbr0"] == "bridge 1500  ['UP']"
    assert held.converged["address cbr0 10.10.0.1/24"] == "there"
    assert not any("docker0" in name or "DOCKER" in name for name in held.converged)


def test_the_kubelet_runs_a_pod_that_answers_on_its_address_of_cbr0(held: Held) -> None:
    assert held.must("kubelet", "--version").strip() == "Kubernetes v1.20.2"
    assert held.converged["unit kubelet.service"].startswith("active ")
    assert held.converged["unit-file kubelet.service"] == "enabled"
    assert re.match(r"10\.10\.0\.[0-9]+ .*hello", held.pod_says(), re.DOTALL)


def test_packets_are_let_through_and_leave_under_the_nodes_address(held: Held) -> None:
    seen = held.converged
    assert "FORWARD -j SALTERN-FORWARD" in seen["chain filter FORWARD"]
    assert seen["chain nat POSTROUTING"].endswith("POSTROUTING -j SALTERN-POST")
    assert seen["chain nat SALTERN-POST"].splitlines()[1:] == [
        "SALTERN-POST -s 10.10.0.0/24 ! -d 10.10.0.0/16 -m addrtype ! --dst-type LOCAL"
        " -j MASQUERADE"
    ]
    assert seen["sysctl net.ipv4.ip_forward"] == "1"
    assert seen["sysctl net.core.somaxconn"] == "4096"
    assert held.bare["sysctl net.ipv4.ip_forward"] == "0"


def test_applied_twice_nothing_changes_and_nothing_restarts(held: Held) -> None:
    before = held.snapshot()
    path = held.offer()
    for _ in range(2):
        told = held.apply(path)
        assert changes(told) == []
        assert {line["outcome"] for line in told[:-1]} == {"as declared"}
    assert difference(before, held.snapshot()) == {}
    running = [
        name for name, told in before.items() if name.startswith("container ") and "running" in told
    ]
    assert len(running) == 2
