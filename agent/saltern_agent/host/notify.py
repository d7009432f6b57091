"""Tells systemd how it goes (sd_notify(3)): one datagram to $NOTIFY_SOCKET, nothing without it.

A word that systemd does not take is lost and ends nothing: it may be starting itself anew.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress

SECONDS = 1.0  # that a full queue of systemd's may keep us


def notify(environment: Mapping[str, str], state: str) -> None:
    """Send a state such as "READY=1"."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(SECONDS)
        sender.connect(address.replace("@", "\0", 1) if address[0] == "@" else address)
        sender.send(state.encode())
