"""The front put together, from what core said first: everything that needs rights comes before
the front is kept in, everything that speaks with anybody after it.
"""

from __future__ import annotations

import zmq
from zmq.utils import z85

from saltern_master.front import blobs, confine, gate, sockets, turnstile
from saltern_master.front.cutoff import Cutoff
from saltern_master.front.frames import Setup, ToFront
from saltern_master.front.guard import Guard
from saltern_master.front.link import Counts, Link
from saltern_master.front.log import Log
from saltern_master.front.loop import Front, OrderError, Parts
from saltern_master.front.probe import Probe
from saltern_master.front.process import Process
from saltern_master.front.upstream import Upstream
from saltern_master.front.usher import Usher


def serve(upstream: Upstream, first: list[ToFront], log: Log, decide: gate.Decide) -> None:
    """Serve until core is gone. `decide`: who may in."""
    setup, *rest = first
    if not isinstance(setup, Setup):
        raise OrderError(f"cannot begin with {type(setup).__name__}: core has to say Setup first")
    directory, process = blobs.open_blobs(setup.blobs), Process()
    bounds = turnstile.bounds_of(descriptors := confine.raise_descriptors())
    link = sockets.bind(setup.bind, setup.link_port, bounds.backlog)
    door = sockets.bind(setup.bind, setup.door_port, bounds.backlog)
    confine.drop_root()
    usher = Usher(process, link, door, bounds, log)
    readable = (directory, process.directory)
    _kept = confine.enclose(readable, link.port, setup.confinement, log.say)
    context = sockets.new_context()
    counts = Counts()
    gatekeeper = gate.Gate(context, log, decide)
    link_socket = sockets.listen(context, setup.secret, gate.LINK, link)
    parts = Parts(
        upstream=upstream,
        link_socket=link_socket,
        door_socket=sockets.listen(context, setup.secret, gate.DOOR, door),
        link=Link(
            link_socket,
            lambda blob, offset: blobs.read_part(directory, blob, offset),
            upstream.tell,
            counts,
            log,
        ),
        gate=gatekeeper,
        probe=Probe(context, _our_link(setup, link), zmq.curve_public(z85.encode(setup.secret))),
        process=process,
        guard=Guard(process, frozenset({link.port, door.port})),
        usher=usher,
        cutoff=Cutoff(),
        counts=counts,
        log=log,
        descriptors=descriptors,
    )
    Front(parts).run(rest)


def _our_link(setup: Setup, link: sockets.Listener) -> str:
    address = "127.0.0.1" if setup.bind == "0.0.0.0" else setup.bind
    return f"tcp://{address}:{link.port}"
