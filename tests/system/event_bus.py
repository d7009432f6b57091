"""A real message bus of the test's own, and on it a manager that speaks as systemd's does.

The manager answers what the agent asks (Subscribe, ListUnitsByPatterns) and sends the
signals that a test tells it to. What the real one sends, and when, is tried in tests/lab.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from jeepney import (
    DBusAddress,
    HeaderFields,
    Message,
    MessageType,
    message_bus,
    new_error,
    new_method_return,
    new_signal,
)
from jeepney.io.blocking import DBusConnection, open_dbus_connection

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>
</busconfig>
"""
SYSTEMD = "org.freedesktop.systemd1"
MANAGER = DBusAddress("/org/freedesktop/systemd1", interface=f"{SYSTEMD}.Manager")
STARTING_SECONDS = 10.0


class RunningBus:
    """A dbus-daemon; it can be ended and started again at the same path."""

    def __init__(self, directory: Path) -> None:
        self.path = str(directory / "bus")
        self._config = directory / "bus.conf"
        self._config.write_text(CONFIG.format(socket=self.path))
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it listens."""
        Path(self.path).unlink(missing_ok=True)
        self._daemon = subprocess.Popen(
            ["/usr/bin/dbus-daemon", f"--config-file={self._config}", "--nofork", "--nopidfile"]
        )
        deadline = time.monotonic() + STARTING_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError):
                self.connect().close()
                return
            self._daemon.poll()
            threading.Event().wait(0.01)
        raise AssertionError("the bus did not start")

    def connect(self) -> DBusConnection:
        """Open a connection to it."""
        return open_dbus_connection(f"unix:path={self.path}")

    def stop(self) -> None:
        """End it."""
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait(10)
            self._daemon = None


@contextmanager
def running_bus(directory: Path) -> Iterator[RunningBus]:
    """Give a bus that listens, and is ended after its use."""
    bus = RunningBus(directory)
    try:
        bus.start()
        yield bus
    finally:
        bus.stop()


class Manager:
    """What owns systemd's name on a bus."""

    def __init__(self, bus: RunningBus) -> None:
        self.active: dict[str, str] = {}  # the loaded units' ActiveState
        self.asked: list[str] = []
        self.subscribed = False
        self._connection = bus.connect()
        self._connection.send_and_get_reply(message_bus.RequestName(SYSTEMD), timeout=10)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def signal(self, member: str, signature: str, body: tuple[Any, ...]) -> None:
        """Send a signal of the manager."""
        self._connection.send(new_signal(MANAGER, member, signature, body))

    def send(self, message: Message) -> None:
        """Send any message in its name."""
        self._connection.send(message)

    def change(self, unit_path: str) -> None:
        """Send PropertiesChanged of a unit."""
        unit = DBusAddress(unit_path, interface="org.freedesktop.DBus.Properties")
        body = (f"{SYSTEMD}.Unit", {"ActiveState": ("s", "failed")}, ["Conditions"])
        self._connection.send(new_signal(unit, "PropertiesChanged", "sa{sv}as", body))

    def leave(self) -> None:
        """Go from the bus."""
        self._ends.set()
        self._thread.join(10)
        self._connection.close()

    def _serve(self) -> None:
        while not self._ends.is_set():
            with suppress(TimeoutError, ConnectionResetError):
                message = self._connection.receive(timeout=0.05)
                if message.header.message_type is MessageType.method_call:
                    self._connection.send(self._answer(message))

    def _answer(self, call: Message) -> Message:
        member = call.header.fields[HeaderFields.member]
        self.asked.append(member)
        if member == "Subscribe" and not self.subscribed:
            self.subscribed = True
            return new_method_return(call)
        if member == "ListUnitsByPatterns":
            rows = [
                (name, "", "loaded", self.active[name], "", "", "/", 0, "", "/")
                for name in call.body[1]
                if name in self.active
            ]
            return new_method_return(call, "a(ssssssouso)", (rows,))
        return new_error(call, f"{SYSTEMD}.AlreadySubscribed")
