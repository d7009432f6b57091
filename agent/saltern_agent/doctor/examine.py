"""examine(): what traps stand open on this machine, now.

It may be called in any thread, every few minutes; it opens what it asks with and closes it again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from saltern_protocol.condition import Finding
from saltern_states.body import Body

from saltern_agent.doctor.declared import declared
from saltern_agent.doctor.look import look
from saltern_agent.doctor.traps import findings

MACHINE: Final = Path("/")
MAX_WORDS: Final = 1024


def examine(body: Body | None, now: float, root: Path = MACHINE) -> tuple[Finding, ...]:
    """Give the traps that stand open, the bad ones first; () for a root that is not the machine's.

    `body`: the accepted one, None where there is none. `now`: seconds since 1970. Never raises:
    a fault of the doctor's own is a finding too.
    """
    if root != MACHINE:
        return ()
    try:
        return findings(look(declared(body), now))
    except Exception as error:  # noqa: BLE001  # who holds the node must not end for its doctor
        what = f"the doctor failed: {type(error).__name__}: {error}"[:MAX_WORDS]
        remedy = "saltern-agent doctor on the node shows it again; it is a fault of Saltern's"
        return (Finding(trap="cannot-tell", what=what, remedy=remedy, bad=False),)
