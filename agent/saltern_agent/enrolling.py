"""The shell of `saltern-agent join`: keys, the master's door, and what is written in the end.

* Nothing is asked of anybody on a machine that is somebody else already.
* Keys first, then the master's place, the identity last: a machine is a node from then on, and
  whatever was cut off before that is mended by the same command with the same token.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable

import msgspec
import zmq
from saltern_protocol.documents import Identity
from saltern_protocol.errors import ProtocolError
from saltern_protocol.keys import fingerprint
from saltern_protocol.messages import PROTOCOL, Enrol, encode
from saltern_protocol.token import JoinToken
from saltern_states.kinds import KINDS

from saltern_agent import __version__
from saltern_agent.host.door import ANSWER_SECONDS, CurveDoor
from saltern_agent.host.facts import read_facts
from saltern_agent.host.link_keys import NodeKeys
from saltern_agent.join import JoinError, Surroundings, join
from saltern_agent.places import (
    Master,
    Places,
    keep_master,
    pin,
    read_identity,
    refuse_another,
)


def join_master(
    places: Places,
    text: str,
    patience: float,
    monotonic: Callable[[], float],
    say: Callable[[str], None],
    tell: Callable[[str], None],
) -> tuple[Identity, str]:
    """Become the node that a token names, in at most `patience` seconds; SettingsError if not.

    `say` hears the key's fingerprint at once, `tell` what is waited for. Gives also what happened.
    """
    token = read_token(text)
    refuse_other_node(places, token)
    keys = NodeKeys.make(places.config, secrets.token_bytes)
    say(f"this machine's key: {fingerprint(keys.link_public)}")
    around = Surroundings(monotonic, time.sleep, random.random, tell)
    seconds = min(ANSWER_SECONDS, patience)
    with CurveDoor(zmq.Context(), token, keys.link, monotonic, seconds) as door:
        granted = join(token, enrol(token, keys), door, around, patience)
    known = refuse_another(places, granted.data)
    keep_master(
        places,
        Master(addresses=token.addresses, link_port=token.link_port, server=token.server),
    )
    return pin(places, granted.data), "was already" if known else "is now"


def read_token(text: str) -> JoinToken:
    """Read a token; JoinError says what is wrong with it, and never quotes it."""
    try:
        return JoinToken.parse(text)
    except ProtocolError as error:
        raise JoinError(str(error)) from None


def refuse_other_node(places: Places, token: JoinToken) -> None:
    """Raise JoinError on a machine that is another node than the token's."""
    if not places.identity.exists():
        return
    have = read_identity(places)
    if (have.cluster, have.node) != (token.cluster, token.node):
        raise JoinError(
            f'cannot join as "{token.node}" of cluster "{token.cluster}": this machine is node '
            f'"{have.node}" of "{have.cluster}" already; a machine that is to be somebody else '
            f"starts anew: stop the agent, then remove {places.config} and {places.state}"
        )


def enrol(token: JoinToken, keys: NodeKeys) -> bytes:
    """Give the frame that asks to be let in, with what the master has to know of this machine."""
    return encode(
        Enrol(
            protocol=PROTOCOL,
            secret=token.secret,
            node=token.node,
            sealing=keys.sealing_public,
            kinds=tuple(sorted(kind.name for kind in KINDS)),
            release=__version__,
            facts=msgspec.json.encode(read_facts()),
        )
    )
