"""Leaving: when a node that its master has removed is a node no more, and how it ceases to be one.

* Only where nothing stands any more: a signed document without resources was gone through to its
  end, or there never was a document. The master's word that the node is removed is signed by
  nobody; on a node that holds something it changes nothing.
* The journal is put aside, as when a node joins anew (anew.py), then the identity goes. Wherever
  that is cut off, `saltern-agent join` does the rest.
* The agent ends with NO_NODE. systemd does not look at a unit's conditions again before it starts
  a service anew (unit_start() in its src/core/unit.c), so the code is what keeps it at rest.
* The keys stay: the master has freed them, and who joins again may be known by the same ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from saltern_protocol.documents import Identity

from saltern_agent.keeper import Keeper
from saltern_agent.places import Places, unpin

NO_NODE: Final = 4
"""The exit code of an agent that has no node to hold: its unit does not start it again."""


class RemovedError(Exception):
    """The master has removed this node, and nothing of the cluster stands on it."""


def left_here(keeper: Keeper) -> str:
    """Say why this machine is still a node; "" where nothing is left of that. JournalError."""
    if keeper.trying.trial.open or keeper.journal.is_unfinished():
        return "what is under way here has yet to end"
    stand = {*keeper.journal.owned(), *(one.id for one in keeper.body.resources)}
    if not stand:
        return ""
    return (
        f"holds it no more; {len(stand)} resources stand here and are held as they were. To join "
        "anew and leave them: systemctl stop saltern-agent, saltern-agent join --again TOKEN"
    )


def let_go(places: Places, identity: Identity) -> Path | None:
    """Be a node no more; give where the journal was put aside. Its lock is held. SettingsError."""
    # Imported here: a node that holds what it has needs no enrolment, nor its memory.
    from saltern_agent.anew import put_aside

    aside = put_aside(places, identity)
    unpin(places)
    return aside
