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

from saltern_protocol.errors import ProtocolError

from saltern_master.errors import MasterError
from saltern_master.front import confine
from saltern_master.front.frames import ToFront
from saltern_master.front.gate import Decide, decide
from saltern_master.front.log import Log
from saltern_master.front.serve import serve
from saltern_master.front.upstream import Upstream


def main(arguments: list[str], decide: Decide) -> int:
    """Run the front until core is gone. `decide`: who may in."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's goes to core, which decides
    log = Log(sys.stderr, time.monotonic)
    descriptor = int(arguments[0])
    os.set_inheritable(descriptor, False)
    confine.gain_nothing()
    upstream = Upstream(socket.socket(fileno=descriptor))
    try:
        first = _first(upstream)
        if first:
            serve(upstream, first, log, decide)
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


if __name__ == "__main__":
    sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    os._exit(main(sys.argv[1:], decide))  # without waiting for libzmq: its peers come again anyway
