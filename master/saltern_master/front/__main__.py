"""python -m saltern_master.front FD: the front process; FD is its end of core's socket pair.

The first frame says what it is to be (frames.Setup). It ends with 0 when core's end is closed, and
with 1 and a line on standard error when it cannot go on; core starts another one.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time

import zmq
from saltern_protocol.errors import ProtocolError
from zmq.utils import z85

from saltern_master.errors import MasterError
from saltern_master.front import blobs, confine, gate, sockets
from saltern_master.front.frames import Setup, ToFront
from saltern_master.front.guard import Guard
from saltern_master.front.link import Counts, Link
from saltern_master.front.log import Log
from saltern_master.front.loop import Front, OrderError, Parts
from saltern_master.front.probe import Probe
from saltern_master.front.upstream import Upstream


def main(arguments: list[str]) -> int:
    """Run the front until core is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's goes to core, which decides
    log = Log(sys.stderr, time.monotonic)
    descriptor = int(arguments[0])
    os.set_inheritable(descriptor, False)
    confine.gain_nothing()
    upstream = Upstream(socket.socket(fileno=descriptor))
    try:
        first = _first(upstream)
        if first:
            _serve(upstream, first, log)
    except (MasterError, ProtocolError, ValueError, OSError) as error:
        log.say(str(error))
        return 1
    return 0


def _first(upstream: Upstream) -> list[ToFront]:
    """Wait for the first frames; none: core went before it said anything."""
    frames: list[ToFront] = []
    while not frames and not upstream.gone:
        select.select([upstream.fileno()], [], [])
        frames = upstream.read()
    return frames


def _serve(upstream: Upstream, first: list[ToFront], log: Log) -> None:
    setup, *rest = first
    if not isinstance(setup, Setup):
        raise OrderError(f"cannot begin with {type(setup).__name__}: core has to say Setup first")
    directory = blobs.open_blobs(setup.blobs)
    descriptors = confine.raise_descriptors()
    context: sockets.Context = zmq.Context()
    gatekeeper = gate.Gate(context, log, gate.decide)
    link = sockets.listen(context, setup.secret, gate.LINK, setup.bind, setup.link_port)
    door = sockets.listen(context, setup.secret, gate.DOOR, setup.bind, setup.door_port)
    confine.drop_root()
    counts = Counts()
    parts = Parts(
        upstream=upstream,
        link_socket=link,
        door_socket=door,
        link=Link(
            link,
            lambda blob, offset: blobs.read_part(directory, blob, offset),
            upstream.tell,
            counts,
            log,
        ),
        gate=gatekeeper,
        probe=Probe(context, _our_link(setup, link), zmq.curve_public(z85.encode(setup.secret))),
        guard=Guard(frozenset({sockets.port_of(link), sockets.port_of(door)})),
        counts=counts,
        log=log,
        descriptors=descriptors,
    )
    Front(parts).run(rest)


def _our_link(setup: Setup, link: sockets.Router) -> str:
    address = "127.0.0.1" if setup.bind == "0.0.0.0" else setup.bind
    return f"tcp://{address}:{sockets.port_of(link)}"


if __name__ == "__main__":
    sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    os._exit(main(sys.argv[1:]))  # without waiting for libzmq: its peers come again anyway
