"""How the agent behaves while it works: it answers, makes way, ends soon, and can be read.

A unit whose start waits for a word over a pipe holds an apply for as long as a test wants.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.lab.cases import FILE, own, wish
from tests.lab.held import BASE, Held, Wish, changes, wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

GATE = "/etc/systemd/system/gate.service"
PIPE = "/run/gate"
SERVICE = f"""[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/cat {PIPE}
[Install]
WantedBy=multi-user.target
"""
BEHIND = own("f", "file", path=FILE, text="behind the gate\n")
GATED = wish(
    own("gate-file", "file", path=GATE, text=SERVICE),
    own("gate", "unit", after=("gate-file",), unit="gate.service"),
    BEHIND | {"after": ["probe/gate"]},
)


@pytest.fixture
def gate(held: Held) -> Iterator[Held]:
    """The node with a shut gate; opened at the end, so that nothing hangs."""
    held.must("mkfifo", PIPE)
    yield held
    if held.machine.exec(["systemctl", "is-active", "gate"]).stdout.strip() == "activating":
        open_gate(held)
    held.must("rm", PIPE)


def open_gate(held: Held) -> None:
    held.must("sh", "-c", f"echo open > {PIPE}")


def at_the_gate(held: Held) -> None:
    def is_there() -> bool:
        asked = ("systemctl", "is-active", "gate.service")
        return held.machine.exec(asked).stdout.strip() == "activating"

    wait_until(is_there, "an apply that waits at the gate")


def test_it_answers_while_it_applies(gate: Held) -> None:
    path = gate.offer(GATED)
    with ThreadPoolExecutor(1) as other:
        applying = other.submit(gate.apply, path)
        at_the_gate(gate)
        assert gate.status()["working"] is True
        assert "working; before: " in gate.machine.exec(["saltern-agent", "status"]).stdout
        assert [one for one in gate.drift() if one["healed"] is None] == []
        open_gate(gate)
        told = applying.result(30)
    assert len(changes(told)) >= 3
    assert gate.must("cat", FILE) == "behind the gate\n"


def test_a_second_apply_makes_the_first_give_way(gate: Held) -> None:
    first, second = gate.offer(GATED), "/root/saltern/second.statement"
    gate.bring(gate.sign(Wish(sysctls={"net.core.somaxconn": "3000"})).read_bytes(), second[14:])
    with ThreadPoolExecutor(2) as other:
        applying = other.submit(gate.agent, "apply", first)
        at_the_gate(gate)
        then = other.submit(gate.agent, "apply", second)
        wait_until(lambda: clients(gate) == 2, "a second client")
        open_gate(gate)
        interrupted, done = applying.result(30), then.result(60)
    assert interrupted[-1]["ok"] is False
    assert "probe/f" not in [line.get("resource") for line in interrupted]
    assert done[-1]["ok"] is True
    assert gate.state() == "converged"
    assert gate.must("sysctl", "-n", "net.core.somaxconn").strip() == "3000"
    assert gate.machine.exec(["test", "-e", FILE]).returncode == 1


def clients(held: Held) -> int:
    """Count who is connected to the agent."""
    table = held.must("cat", "/proc/net/unix").splitlines()
    return sum("/run/saltern/agent.sock" in line for line in table) - 1


def test_told_to_end_it_ends_after_the_resource_in_hand_and_goes_on_later(gate: Held) -> None:
    path = gate.offer(GATED)
    with ThreadPoolExecutor(1) as other:
        applying = other.submit(gate.agent, "apply", path)
        at_the_gate(gate)
        gate.must("systemctl", "stop", "--no-block", "saltern-agent")
        open_gate(gate)
        wait_until(lambda: not running(gate), "an agent that has ended", 5)
        assert applying.result(30)[-1]["ok"] is False
    assert gate.machine.exec(["test", "-e", FILE]).returncode == 1
    gate.must("systemctl", "start", "saltern-agent")
    wait_until(lambda: gate.state() == "converged", "converged")
    assert gate.must("cat", FILE) == "behind the gate\n"


def running(held: Held) -> bool:
    asked = ("systemctl", "show", "--property=MainPID", "--value", "saltern-agent")
    return held.must(*asked).strip() != "0"


def test_where_no_agent_runs_apply_does_the_work_and_only_one_at_a_time(gate: Held) -> None:
    path = gate.offer(GATED)
    gate.must("systemctl", "stop", "saltern-agent")
    with ThreadPoolExecutor(1) as other:
        applying = other.submit(gate.apply, path)
        at_the_gate(gate)
        second = gate.machine.exec(["saltern-agent", "apply", path])
        assert second.returncode == 1
        assert "another saltern-agent does" in second.stderr
        asked = gate.machine.exec(["saltern-agent", "status"])
        assert asked.returncode == 1
        assert "systemctl start saltern-agent" in asked.stderr
        open_gate(gate)
        assert len(changes(applying.result(30))) >= 3
    assert changes(gate.apply(path)) == []
    gate.must("systemctl", "start", "saltern-agent")
    assert wait_until(gate.state, "an agent that answers") == "converged"


def test_its_log_can_be_read(held: Held) -> None:
    since = held.must("date", "+%Y-%m-%d %H:%M:%S").strip()
    held.apply(held.offer(wish(own("f", "file", path=FILE, text="x\n"))))
    held.apply(held.offer(BASE))
    read = ("journalctl", "--unit=saltern-agent", f"--since={since}", "--output=json")

    def lines() -> list[dict[str, str]]:
        return [json.loads(line) for line in held.must(*read).splitlines()]

    said = [f"probe/f: changed: create {FILE} (2 bytes, 0644 root:root)"]
    said.append(f"probe/f: changed: remove: remove {FILE}")
    wait_until(lambda: set(said) <= {one["MESSAGE"] for one in lines()}, f"{said} in {lines()}")
    assert {one["PRIORITY"] for one in lines() if one["MESSAGE"] in said} == {"5"}
