"""A bare machine becomes a node by ssh, leaves clean, and becomes one again: with real parts.

sshd, sudo, apt and systemd on a booted Debian 12 and 13 without any registry.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest
from saltern_master.bench.crowd.body import FILES
from saltern_master.joining.ssh import OpenSsh
from saltern_master.lab import Lab, network
from saltern_master.lab.fleet import wait_for

from tests.contracts.ssh_laws import *  # noqa: F403  # each of its tests is one of ours
from tests.packages.ssh_stand import PACKAGES, Stand, stand_of

pytestmark = [pytest.mark.packages, pytest.mark.timeout(600)]
LINK, NOTHING = 6555, 6554
ENTERED = "InactiveEnterTimestampMonotonic"  # microseconds
RESTARTS = 3.0  # seconds within which systemd surely would have


@pytest.fixture(scope="module", params=sorted(PACKAGES))
def stand(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stand]:
    free = network.free(network.links(), network.used_subnets(), first=os.getpid())
    lab = Lab(f"t{os.getpid()}-{secrets.token_hex(2)}", free, suite=request.param)
    made: Stand | None = None
    try:
        (machine,) = lab.up(("w1",))
        made = stand_of(lab, machine, tmp_path_factory.mktemp("ssh"))
        yield made
    finally:
        if made is not None:
            made.fleet.stop_master()
        lab.down()


class NodeGround:
    """The booted node, before it is one of ours."""

    host, stranger, port, shut = "w1", "stranger", LINK, NOTHING

    def __init__(self, stand: Stand) -> None:
        self.ssh: OpenSsh = stand.ssh
        self.address = str(stand.fleet.lab.network.host)
        self._stand = stand

    def leavings(self) -> list[str]:
        return self._stand.say("sh", "-c", "ls -d /var/tmp/saltern-add.* 2>/dev/null").split()


@pytest.fixture
def ground(stand: Stand) -> NodeGround:
    assert not stand.node("w1"), "the laws are for a machine that is no node"
    return NodeGround(stand)


@pytest.fixture
def hanging() -> str:
    return "w1"


@pytest.fixture
def bare(stand: Stand) -> Iterator[Stand]:
    """The machine as it was: no node, and without the agent."""
    yield stand
    if stand.node("w1"):
        stand.saltern("node", "remove", "w1", "--yes", "--forget")
    stand.say("apt-get", "-q", "-y", "purge", "saltern-agent")
    stand.must("rm", "-rf", "/etc/saltern", "/var/lib/saltern", "/run/saltern")


def test_a_bare_machine_becomes_a_node_by_sudo(bare: Stand) -> None:
    (added,) = bare.add("w1=ann@w1")

    assert (added["result"], added["why"]) == ("added", "")
    assert added["package"] == bare.package.name
    node = bare.node("w1")
    assert (node["state"], node["connected"]) == ("joined", True)
    assert bare.must("systemctl", "is-active", "saltern-agent").strip() == "active"
    assert bare.must("systemctl", "is-enabled", "saltern-agent").strip() == "enabled"
    assert bare.say("sh", "-c", "ls -d /var/tmp/saltern-add.* 2>/dev/null") == ""
    assert bare.must("stat", "-c", "%a %U", "/etc/saltern/identity").strip() == "600 root"
    logged = bare.must("journalctl", "--no-pager", "_COMM=sudo")
    assert "COMMAND=/usr/bin/saltern-agent join" in logged
    assert "saltern1-" not in logged
    print(f"added in {added['seconds']} s")

    (again,) = bare.add("w1")
    assert (again["result"], again["package"]) == ("already", "")
    assert bare.node("w1")["incarnation"] == node["incarnation"]
    assert json_result(bare, "w9=w1") == "failed", "it is another node already"


def json_result(stand: Stand, word: str) -> str:
    (one,) = stand.add(word)
    assert one["why"]
    return str(one["result"])


def test_a_node_leaves_clean_and_becomes_one_again(bare: Stand) -> None:
    before = bare.must("find", "/srv")
    (added,) = bare.add("w1")
    assert added["result"] == "added", added
    done = bare.saltern("apply", str(bare.fleet.cluster))
    assert done.returncode == 0, done.stdout + done.stderr
    assert bare.must("cat", FILES[0])

    removed = bare.saltern("node", "remove", "w1", "--clean", "--yes")

    assert removed.returncode == 0, removed.stderr
    assert not bare.node("w1")

    def is_at_rest() -> bool:
        shown = bare.say("systemctl", "show", "saltern-agent", "--property=ActiveState,SubState")
        return sorted(shown.split()) == ["ActiveState=inactive", "SubState=dead"]

    wait_for("the agent to end", is_at_rest, 60)
    ended = bare.must("systemctl", "show", "saltern-agent", "--property=InvocationID,NRestarts")
    assert bare.say("ls", "/etc/saltern/identity", "/etc/saltern/master") == ""
    assert bare.say("sh", "-c", f"ls {' '.join(FILES)} 2>/dev/null") == ""
    assert bare.must("find", "/srv") == before
    assert bare.say("systemctl", "list-units", "--failed", "--no-legend", "saltern*") == ""

    def has_rested() -> bool:  # a restart, which must not come, would come after a second
        since = bare.must("systemctl", "show", "saltern-agent", f"--property={ENTERED}")
        up = float(bare.must("cat", "/proc/uptime").split()[0])
        return up - int(since.strip().partition("=")[2]) / 1e6 > RESTARTS

    wait_for("the agent to have rested", has_rested, 60)
    assert is_at_rest()
    shown = bare.must("systemctl", "show", "saltern-agent", "--property=InvocationID,NRestarts")
    assert shown == ended

    (again,) = bare.add("w1")
    assert (again["result"], again["package"]) == ("added", ""), again
    wait_for("its document", lambda: bare.say("cat", FILES[0]) != "", 60)


def test_who_cannot_get_in_or_reach_the_master_is_told(bare: Stand) -> None:
    stranger = bare.add("w1=stranger")
    bare.must("iptables", "-A", "OUTPUT", "-p", "tcp", "--dport", str(LINK), "-j", "REJECT")
    cut = bare.add("w1")
    bare.must("iptables", "-D", "OUTPUT", "-p", "tcp", "--dport", str(LINK), "-j", "REJECT")

    assert (stranger[0]["result"], cut[0]["result"]) == ("unreached", "failed")
    assert "does not know its host key" in stranger[0]["why"]
    assert f"port {LINK}" in cut[0]["why"]
    assert bare.say("ls", "/usr/bin/saltern-agent") == "", "nothing was installed"
