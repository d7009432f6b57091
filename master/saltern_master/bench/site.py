"""Where and of what something is measured: what stands at the head of every page."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import msgspec

from saltern_master.bench.measure import commit, machine
from saltern_master.lab.agent_package import checkout


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """The machine, as it was before the measuring, and the commit."""

    date: str
    machine: str
    load: str
    kernel: str
    commit: str
    command: str


def site_of(command: str) -> Site:
    """Look at this machine."""
    return Site(
        date=datetime.now(UTC).date().isoformat(),
        machine=machine(),
        load=" ".join(f"{one:.2f}" for one in os.getloadavg()),
        kernel=" ".join((os.uname().sysname, os.uname().release, os.uname().machine)),
        commit=commit(checkout()),
        command=command,
    )
