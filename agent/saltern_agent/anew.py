"""Being a node anew: when a machine that is one may ask for it, and what becomes of what was.

* Nobody is asked, and no token is used up, before it is clear that the answer can be taken.
* Unless the operator says so (`--again`), only the same node may, and only where nothing is held
  any more: no document, or an empty one, and all taken back. So it is after a removal.
* The agent must not run meanwhile: it would speak as the old node with the new one's key.
* The old journal is put aside under the name of its incarnation, never deleted; the new identity
  comes after it. What was cut off between the two is mended by the same command.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from saltern_protocol.documents import Identity, decode_statement
from saltern_protocol.errors import ProtocolError
from saltern_protocol.token import JoinToken
from saltern_states.body import BodyError, read_body

from saltern_agent.join import JoinError
from saltern_agent.journal import Journal, JournalError
from saltern_agent.places import Lock, Places, SettingsError, read_identity

FILES = ("", "-wal", "-shm")  # a journal that was not closed lies in all three


@contextmanager
def held_still(places: Places, token: JoinToken, again: bool) -> Iterator[Identity | None]:
    """Give the node that this machine is, if it may become a token's; JoinError if it may not.

    Its agent cannot be started within. None: it is no node yet.
    """
    if not places.identity.exists():
        yield None
        return
    old = read_identity(places)
    if not again:
        _refuse_other(old, token)
    try:
        lock = Lock(places)
    except SettingsError as error:
        if not again:
            _refuse_holding(places, old)  # the better reason: it is not to be stopped
        raise JoinError(
            f"cannot join: {_is_node(old)}, and its agent may not run while that changes; run "
            f"systemctl stop saltern-agent, then the same command again ({error})"
        ) from error
    try:
        if not again:
            _refuse_holding(places, old)
        yield old
    finally:
        lock.release()


def put_aside(places: Places, old: Identity) -> Path | None:
    """Put the journal of a node that was away; give where, or None: there is none. JoinError."""
    if not places.journal.exists():
        return None
    aside = _free(Path(f"{places.journal}.{old.incarnation}"))
    try:
        for end in FILES:
            source = Path(f"{places.journal}{end}")
            if source.exists():
                source.rename(f"{aside}{end}")
    except OSError as error:
        raise JoinError(
            f"cannot put {places.journal} aside: {error.strerror}; be root, and see that "
            f"{places.state} can be written; the same command goes on where this one ended"
        ) from error
    return aside


def _free(path: Path) -> Path:
    """Give a name that nothing has."""
    if not path.exists():
        return path
    return next(one for one in (Path(f"{path}.{n}") for n in count(2)) if not one.exists())


def _refuse_other(old: Identity, token: JoinToken) -> None:
    if (old.cluster, old.node) != (token.cluster, token.node):
        raise JoinError(
            f'cannot join as "{token.node}" of cluster "{token.cluster}": {_is_node(old)}; where '
            "that node was removed, or its cluster is no more, say so with --again"
        )


def _refuse_holding(places: Places, old: Identity) -> None:
    held = _held(places)
    if held:
        raise JoinError(
            f"cannot join: {_is_node(old)}, and holds {held} resources for it. To take them back "
            f"first: saltern node remove {old.node}. Where its master has removed or revoked it "
            "without that, or is no more: --again; what stands here is left, and is only taken "
            "over where the new document names it"
        )


def _held(places: Places) -> int:
    """Count what is owned here, or shall be."""
    if not places.journal.exists():
        return 0
    try:
        journal = Journal(places.journal)
        try:
            owned, accepted = journal.owned(), journal.accepted()
        finally:
            journal.close()
        wanted = read_body(decode_statement(accepted.statement).body).resources if accepted else ()
    except (JournalError, ProtocolError, BodyError) as error:
        raise JoinError(
            f"cannot tell what this machine holds: {error}; to join whatever it is: --again"
        ) from error
    return len({*owned, *(one.id for one in wanted)})


def _is_node(old: Identity) -> str:
    return f'this machine is node "{old.node}" of "{old.cluster}" already'
