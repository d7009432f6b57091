"""Wires the link of a node that has joined a master."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
from saltern_protocol.documents import Identity
from saltern_protocol.messages import INSTANCE_BYTES, NONCE_BYTES, SURVEYS, Condition
from saltern_states.kinds import KINDS

from saltern_agent import __version__
from saltern_agent.host.blobs import DiskBlobs
from saltern_agent.host.facts import read_facts
from saltern_agent.host.hashes import Hashes
from saltern_agent.host.kept_hashes import ReadHashes
from saltern_agent.host.link_keys import NodeKeys
from saltern_agent.host.link_socket import Credentials, LinkSocket
from saltern_agent.host.vitals import read_vitals
from saltern_agent.journal import Journal
from saltern_agent.link.deeds import AgentDeeds
from saltern_agent.link.link import MasterLink
from saltern_agent.link.needs import Chance
from saltern_agent.link.stock import Stock
from saltern_agent.link.words import About
from saltern_agent.loop import Agent
from saltern_agent.outbox import TableOutbox
from saltern_agent.places import Master, Places
from saltern_agent.worker import Worker

BOOT = Path("/proc/sys/kernel/random/boot_id")


def master_link(
    places: Places,
    identity: Identity,
    master: Master,
    agent: Agent,
    condition: Callable[[], Condition | None],
) -> MasterLink:
    """Make the link of a joined node. SettingsError: its keys cannot be used."""
    keys, clocks = NodeKeys.read(places.config), agent.clocks
    about = About(
        identity=identity,
        instance=secrets.token_bytes(INSTANCE_BYTES),
        boot=BOOT.read_text().strip(),
        kinds=tuple(sorted((*(kind.name for kind in KINDS), SURVEYS))),
        release=__version__,
        facts=msgspec.json.encode(read_facts()),
    )

    def stock() -> Stock:
        outbox = TableOutbox(lambda: link.changed(), clock=clocks.wall)
        journal = Journal(places.journal, outbox)
        blobs = DiskBlobs(places.blobs, hashes=Hashes(kept=ReadHashes(places.hashes)))
        return Stock(journal, blobs, identity, clocks.wall)

    link = MasterLink(
        master,
        about,
        LinkSocket(Credentials(master.server, keys.link_public, keys.link)),
        Worker(stock),
        AgentDeeds(agent, partial(read_vitals, places.state), condition),
        Chance(
            random.SystemRandom().random,
            partial(secrets.token_bytes, NONCE_BYTES),
            clocks.monotonic,
            clocks.wall,
        ),
    )
    return link
