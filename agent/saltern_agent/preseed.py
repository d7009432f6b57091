"""The token that an image or cloud-init left for the first boot: joined with once, then removed.

    /etc/saltern/join.token    saltern-agent-join.service runs this where it is there

* The file goes, durably, once this machine is the node that it names. Cut off before that, the next
  boot does the rest; where the machine is that node already, it asks nobody.
* A token that is refused stays: a person is to see it, and what the journal says of it.
* One that others could read is used all the same, and that is told: it opens nothing afterwards,
  and a machine that waits for somebody to mend a mode is what nobody wants of an image.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from saltern_agent.durable import NotDurableError
from saltern_agent.enrolling import join_master, read_token
from saltern_agent.host.own import read_own, sync_names
from saltern_agent.join import JoinError
from saltern_agent.places import Places, SettingsError, read_identity

TOKEN: Final = "join.token"
OTHERS: Final = 0o077


def join_preseeded(
    places: Places,
    patience: float,
    monotonic: Callable[[], float],
    say: Callable[[str], None],
    tell: Callable[[str], None],
) -> None:
    """Become the node that the token in its file names, in at most `patience` seconds.

    JoinError: another try comes to the same, but for NoAnswerError; other SettingsErrors may not.
    """
    path = places.config / TOKEN
    text = _read(path, tell)
    if _is_node_of(places, text):
        say("this machine is the node already that its token names")
    else:
        node, news = join_master(places, text, patience, False, monotonic, say, tell)
        say(f"this {news} node {node.node} of cluster {node.cluster}, as {node.node_class}")
    _remove(path)
    say(f"{path} was used, and is removed")


def _read(path: Path, tell: Callable[[str], None]) -> str:
    try:
        shared = path.stat(follow_symlinks=False).st_mode & OTHERS
        text = read_own(path).decode(errors="replace").strip()
    except FileNotFoundError:
        raise JoinError(
            f"cannot join: there is no token in {path}; saltern node token NAME makes one"
        ) from None
    except OSError as error:
        raise JoinError(f"cannot read the token in {path}: {error.strerror}") from error
    if shared:
        tell(f"others could read {path}: write it with mode 0600; once used it opens nothing")
    return text


def _is_node_of(places: Places, text: str) -> bool:
    """Tell whether this machine is a token's node; JoinError: it is another one."""
    token = read_token(text)
    if not places.identity.exists():
        return False
    found = read_identity(places)
    if (found.cluster, found.node) == (token.cluster, token.node):
        return True
    raise JoinError(
        f'cannot join as "{token.node}" of cluster "{token.cluster}": this machine is node '
        f'"{found.node}" of "{found.cluster}" already; an image is made of a machine that is none '
        "yet. Remove the token, or say so: saltern-agent join --again"
    )


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
        sync_names(path.parent)
    except (OSError, NotDurableError) as error:
        raise SettingsError(
            f"cannot remove {path}: {error}; this machine has joined, and the token opens "
            "nothing any more: see that the disk can be written, and remove it"
        ) from error
