"""The agent's own unit, as joining needs it: started once this machine is a node.

* Only where it is enabled, as its package leaves it. An administrator who disabled it starts it
  by hand, and who copied the program without a package has no unit.
* Nobody waits for it: what it brings back, and that it answers, `saltern-agent status` tells.
* Program, names and words are fixed here: nothing that was received stands in them.

Outside facts: systemctl(1).
"""

from __future__ import annotations

from typing import Final

from saltern_states.ports import HostError

from saltern_agent.host.revert_timer import run

UNIT: Final = "saltern-agent.service"
ENABLED: Final = ("/usr/bin/systemctl", "is-enabled", "--quiet", UNIT)
START: Final = ("/usr/bin/systemctl", "start", "--no-block", UNIT)


def start_if_enabled() -> bool:
    """Have systemd start the agent; say whether it is to run here. HostError: it cannot."""
    if run(ENABLED).returncode:
        return False
    done = run(START)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise HostError(f"cannot start {UNIT}: {said}; see: systemctl status {UNIT}")
    return True
