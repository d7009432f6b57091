"""The shell of `saltern-agent join`: keys, the master's door, and what is written in the end.

* Nothing is asked of anybody on a machine that may not become the token's node (anew.py).
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
from saltern_agent.anew import held_still, put_aside
from saltern_agent.host.door import ANSWER_SECONDS, CurveDoor
from saltern_agent.host.facts import read_facts
from saltern_agent.host.link_keys import NodeKeys
from saltern_agent.join import JoinError, Surroundings, join
from saltern_agent.places import (
    Master,
    Places,
    keep_master,
    pin,
    pin_anew,
    refuse_another,
    refuse_shared,
)


def join_master(
    places: Places,
    text: str,
    patience: float,
    again: bool,
    monotonic: Callable[[], float],
    say: Callable[[str], None],
    tell: Callable[[str], None],
) -> tuple[Identity, str]:
    """Become the node that a token names, in at most `patience` seconds; SettingsError if not.

    `again`: whatever this machine is and holds already. `say` hears the key's fingerprint at once,
    `tell` what is waited for. Gives also what happened.
    """
    token = read_token(text)
    refuse_shared(places)
    with held_still(places, token, again) as old:
        keys = NodeKeys.make(places.config, secrets.token_bytes)
        say(f"this machine's key: {fingerprint(keys.link_public)}")
        around = Surroundings(monotonic, time.sleep, random.random, tell)
        seconds = min(ANSWER_SECONDS, patience)
        with CurveDoor(zmq.Context(), token, keys.link, monotonic, seconds) as door:
            granted = join(token, enrol(token, keys), door, around, patience)
        master = Master(addresses=token.addresses, link_port=token.link_port, server=token.server)
        if old is None or old == granted.identity:
            known = refuse_another(places, granted.data)
            keep_master(places, master)
            return pin(places, granted.data), "was already" if known else "is now"
        aside = put_aside(places, old)
        if aside is not None:
            tell(f"what this machine knew as the node that it was is put aside: {aside}")
        keep_master(places, master)
        return pin_anew(places, granted.data), "is now"


def read_token(text: str) -> JoinToken:
    """Read a token; JoinError says what is wrong with it, and never quotes it."""
    try:
        return JoinToken.parse(text)
    except ProtocolError as error:
        raise JoinError(str(error)) from None


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
