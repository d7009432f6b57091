"""A machine of an image joins at its first boot with the token that was left for it, once."""

from __future__ import annotations

import pytest

from tests.packages.booting import Booted, booted_with_tokens
from tests.packages.life import AGENT, JOIN, MASTER
from tests.packages.machine import Administered, lines

pytestmark = [pytest.mark.packages, pytest.mark.timeout(900, func_only=False)]

REFUSED = "3"
STOP, ANSWER = 19, 60.0


@pytest.fixture(scope="module")
def booted(imaged: Administered) -> Booted:
    """All boots of one machine."""
    return booted_with_tokens(imaged)


def test_a_token_that_is_none_fails_at_once_and_says_why(booted: Booted) -> None:
    boot = booted.boots["mistyped"]

    assert (boot.units[JOIN].state, boot.units[JOIN].said["Result"]) == ("failed", "exit-code")
    assert boot.units[JOIN].said["NRestarts"] == "0"
    assert boot.system == f"degraded: {JOIN}"
    assert lines(boot.journal, "mistyped or cut")
    assert boot.token
    assert boot.units[AGENT].state == "inactive"


def test_where_the_master_is_away_it_is_tried_again_and_the_boot_goes_on(booted: Booted) -> None:
    boot = booted.boots["master away"]

    assert boot.units[JOIN].state == "activating"
    assert lines(boot.journal, "cannot join within 60 s", "nothing answers at")
    assert boot.system == "running"
    assert boot.token
    assert boot.units[AGENT].state == "inactive"


def test_when_the_master_is_back_it_joins_and_the_token_is_gone(booted: Booted) -> None:
    boot = booted.boots["master back"]

    assert lines(boot.journal, "this is now node w1 of cluster demo")
    assert lines(boot.journal, "its agent is started")
    assert not boot.token
    assert (boot.units[AGENT].state, boot.units[JOIN].said["Result"]) == ("active", "success")


def test_at_the_next_boot_there_is_nothing_to_join(booted: Booted) -> None:
    boot = booted.boots["afterwards"]

    assert boot.system == "running"
    assert (boot.units[AGENT].state, boot.units[MASTER].state) == ("active", "active")
    assert boot.units[JOIN].state == "inactive"
    assert len(lines(boot.journal, "this is now node w1")) == 1


def test_no_secret_is_in_the_journal(booted: Booted) -> None:
    node = booted.node
    keys = node.must("cat", "/etc/saltern/link.key", "/etc/saltern/sealing.key").split()
    told = node.must("journalctl", "--no-pager", "--output=cat", "--unit=saltern-*")

    assert lines(told, "saltern1-") == []
    assert [key for key in keys if key in told] == []


@pytest.mark.parametrize("unit", [AGENT, MASTER])
def test_a_wedged_process_is_ended_by_the_watchdog_and_started_again(
    booted: Booted, unit: str
) -> None:
    """Its minute is made two seconds. What is stopped is silent, as what is wedged is."""
    node, drop_in = booted.node, f"/run/systemd/system/{unit}.d/quick.conf"
    node.must(
        "install", "-D", "--mode=644", "/dev/stdin", drop_in, given="[Service]\nWatchdogSec=2\n"
    )
    node.must("systemctl", "daemon-reload")
    node.must("systemctl", "restart", unit)
    wedged = node.unit(unit).pid
    node.must("kill", f"-{STOP}", str(wedged))
    after = node.waited("another process", lambda: started_again(node, unit, wedged), ANSWER)
    told = node.journal(unit)
    node.must("rm", "--", drop_in)
    node.must("systemctl", "daemon-reload")

    assert after != wedged
    assert lines(told, "Watchdog timeout")
    assert lines(told, "Fatal Python error: Aborted")
    assert lines(told, "File ", "line ")
    assert node.unit(unit).state == "active"


def started_again(node: Administered, unit: str, before: int) -> int | None:
    found = node.unit(unit)
    return found.pid if found.state == "active" and found.pid not in (0, before) else None
