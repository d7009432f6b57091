"""The body that this node accepted last, out of its journal: for a doctor beside the agent."""

from __future__ import annotations

from saltern_protocol.documents import decode_statement
from saltern_protocol.errors import ProtocolError
from saltern_states.body import Body, BodyError, read_body

from saltern_agent.journal import Journal
from saltern_agent.places import Places


def accepted_body(places: Places) -> Body | None:
    """Read the body that this node accepted last; None where there is none, or none is readable."""
    if not places.journal.exists():
        return None
    journal = Journal(places.journal)
    try:
        accepted = journal.accepted()
        return read_body(decode_statement(accepted.statement).body) if accepted else None
    except (ProtocolError, BodyError):
        return None
    finally:
        journal.close()
