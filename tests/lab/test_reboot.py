"""A node that booted again, in order or after a power cut, is what it was."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from tests.lab.held import Held, changes, wait_until
from tests.lab.snapshot import difference

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

NEW = ("unit *", "container *", "link veth*")
"""What a boot makes anew. The units' own state is asked for beside this."""


@pytest.mark.parametrize("way", ["reboot", "kill_power"])
def test_the_same_state_comes_back(held: Held, way: str) -> None:
    base, before, drift = held.offer(), held.snapshot(), held.drift()
    again = held.trial.lab.reboot if way == "reboot" else held.trial.lab.kill_power
    assert again("w1") == "running"

    status = wait_until(held.status, "an agent that answers")["status"]
    restored = status["restored"]
    wait_until(held.pod_says, "a pod that answers", 60)
    after = held.snapshot()
    moved = {
        name: sign
        for name, sign in difference(before, after).items()
        if not any(fnmatchcase(name, pattern) for pattern in NEW)
    }
    assert moved == {}
    for unit in ("docker", "kubelet", "saltern-agent"):
        assert after[f"unit {unit}.service"].startswith("active ")

    told = held.apply(base)
    assert changes(told) == []
    assert held.state() == "converged"
    recorded = [one for one in held.drift() if one not in drift]
    assert not recorded, f"what a boot takes is restored, and is no drift: {recorded}"
    assert restored == 3, "the bridge and two chains"
