"""WatchUnit, heard by systemd's signals on the system bus.

* PropertiesChanged of a unit, Reloading's end, UnitFilesChanged (enable, mask), and a
  systemd that comes back are reasons to look.
* UnitNew is none by itself: systemd loads a unit because somebody *asks* about it, we too,
  and a look that causes the event that causes the look would never end. It is asked of the
  loaded units whether the unit does anything; that question loads nothing. UnitRemoved is
  not listened to: a unit is unloaded only when idle, and PropertiesChanged has told of that.
* A unit is known by its own name; an alias is told of by the agent's regular look only.
* Where there is no bus, or no systemd on it, trouble() says so. A bus that is gone is tried
  again after a while, and after a longer one each time; what went by meanwhile is lost.
"""

from __future__ import annotations

import re
import select
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from jeepney import DBusAddress, HeaderFields, Message, MessageFlag, MessageType, new_method_call
from saltern_states.contract import Watch, WatchUnit

from saltern_agent.host.events.dbus import Bus, BusLostError, sender
from saltern_agent.host.events.timer import Timer
from saltern_agent.sources import Events

SYSTEM_BUS: Final = "/run/dbus/system_bus_socket"
BUS_NAME: Final = "org.freedesktop.DBus"
SYSTEMD: Final = "org.freedesktop.systemd1"
MANAGER: Final = "org.freedesktop.systemd1.Manager"
MANAGER_PATH: Final = "/org/freedesktop/systemd1"
UNITS_PATH: Final = "/org/freedesktop/systemd1/unit/"
ALREADY_SUBSCRIBED: Final = "org.freedesktop.systemd1.AlreadySubscribed"  # it was re-executed
ACTIVE_STATE: Final = 3  # in a row of ListUnitsByPatterns, a(ssssssouso)

ANSWER_SECONDS: Final = 10.0  # it takes some milliseconds; a bus that hangs takes for ever
RETRY_SECONDS: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)

FROM_SYSTEMD: Final = f"type='signal',sender='{SYSTEMD}',"
STANDING_RULES: Final = (
    f"type='signal',sender='{BUS_NAME}',member='NameOwnerChanged',arg0='{SYSTEMD}'",
    f"{FROM_SYSTEMD}interface='{MANAGER}',member='Reloading'",
    f"{FROM_SYSTEMD}interface='{MANAGER}',member='UnitFilesChanged'",
)


@dataclass(frozen=True, slots=True)
class Call:
    """A method call whose answer is to come."""

    verb: Literal["listen", "stop-listening", "owner", "subscribe", "loaded"]
    unit: str = ""


def unit_path(unit: str) -> str:
    """Give the unit's object path: all but letters, and digits after the first place, in hex."""
    escaped = re.sub(rb"[^a-zA-Z0-9]|^[0-9]", lambda m: b"_%02x" % m[0][0], unit.encode())
    return UNITS_PATH + escaped.decode()


def rules(unit: str) -> tuple[str, str]:
    """Give the match rules for one unit."""
    return (
        f"{FROM_SYSTEMD}interface='org.freedesktop.DBus.Properties',"
        f"member='PropertiesChanged',path='{unit_path(unit)}'",
        f"{FROM_SYSTEMD}interface='{MANAGER}',member='UnitNew',arg0='{unit}'",
    )


class UnitSource:
    """Tells when a unit may have changed."""

    def __init__(
        self,
        bus_path: str = SYSTEM_BUS,
        retry_seconds: Sequence[float] = RETRY_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._bus_path = bus_path
        self._retry_seconds = retry_seconds
        self._answer_seconds = answer_seconds
        self._epoll = select.epoll()  # the descriptor stays the same from bus to bus
        self._timer = Timer()  # to the next try; while there is a bus, to its answer's being late
        self._epoll.register(self._timer.fileno(), select.EPOLLIN)
        self._bus: Bus | None = None
        self._systemd = ""  # its unique name on this bus
        self._calls: dict[int, Call] = {}
        self._units: dict[str, WatchUnit] = {}
        self._paths: dict[str, WatchUnit] = {}
        self._failures = 0
        self._deaf: dict[str, str] = {}  # by unit; "" is for all of them
        self.reconnect()

    def reconnect(self) -> None:
        """Connect now, if it is not connected; the answers come through read()."""
        if self._bus is not None:
            return
        try:
            self._bus = bus = Bus(self._bus_path)
        except BusLostError as error:
            self._fail(error)
            return
        self._epoll.register(bus.fileno(), select.EPOLLIN)
        self._timer.set(self._answer_seconds)
        self._ask_bus("Hello", "", (), Call("stop-listening"))
        for rule in STANDING_RULES:
            self._ask_bus("AddMatch", "s", (rule,), Call("listen"))
        for unit in self._units:
            self._listen_to(unit)
        self._ask_bus("GetNameOwner", "s", (SYSTEMD,), Call("owner"))

    def fileno(self) -> int:
        """Give the descriptor that stands for whatever bus there is."""
        return self._epoll.fileno()

    def set_watches(self, watches: frozenset[Watch]) -> None:
        """Listen to these WatchUnits; each is touched once when the bus has taken it."""
        before = self._units
        self._units = {watch.unit: watch for watch in watches if isinstance(watch, WatchUnit)}
        self._paths = {unit_path(unit): watch for unit, watch in self._units.items()}
        for unit in before.keys() - self._units.keys():
            self._deaf.pop(unit, None)
            for rule in rules(unit):
                self._ask_bus("RemoveMatch", "s", (rule,), Call("stop-listening", unit))
        for unit in sorted(self._units.keys() - before.keys()):
            self._listen_to(unit)

    def read(self) -> Events:
        """Give the units to look at again."""
        if self._timer.is_due():
            return self._time_is_up()
        if self._bus is None:
            return Events()
        try:
            heard = self._bus.receive()
        except BusLostError as error:
            self._fail(error)
            return Events(lost=True)
        touched: set[Watch] = set()
        for message in heard:
            if message.header.message_type is MessageType.signal:
                touched |= self._hear_signal(message)
            else:
                touched |= self._hear_answer(message)
        return Events(frozenset(touched))

    def _time_is_up(self) -> Events:
        """Try a bus again that was gone, or give one up whose answer is late."""
        if self._bus is None:
            self.reconnect()
            return Events()
        late = f"it has not answered for {self._answer_seconds:g} s"
        self._fail(BusLostError(f"cannot hear the bus at {self._bus_path}: {late}"))
        return Events(lost=True)

    def trouble(self) -> str:
        """Say why no unit, or which units, cannot be heard."""
        return "; ".join(self._deaf[unit] for unit in sorted(self._deaf))

    def close(self) -> None:
        """Let go of every descriptor."""
        self._epoll.close()
        self._timer.close()
        if self._bus is not None:
            self._bus.close()

    def _hear_signal(self, message: Message) -> set[Watch]:
        fields = message.header.fields
        member = fields.get(HeaderFields.member)
        if sender(message) == BUS_NAME and member == "NameOwnerChanged":
            return self._greet(message.body[2])
        if sender(message) != self._systemd:  # any local user may send us a signal
            return set()
        if member == "PropertiesChanged":
            watch = self._paths.get(fields.get(HeaderFields.path, ""))
            return {watch} if watch else set()
        if member == "UnitNew" and message.body[0] in self._units:
            self._ask_whether_it_does_anything(message.body[0])
            return set()
        if member == "UnitFilesChanged" or (member == "Reloading" and message.body == (False,)):
            return set(self._units.values())
        return set()

    def _hear_answer(self, message: Message) -> set[Watch]:
        call = self._calls.pop(message.header.fields.get(HeaderFields.reply_serial, 0), None)
        if call is None or call.verb == "stop-listening":
            return set()
        watch = self._units.get(call.unit)
        error = message.header.fields.get(HeaderFields.error_name, "")
        if error and error != ALREADY_SUBSCRIBED:
            self._refused(call, error)
            return {watch} if watch else set()
        if call.verb == "owner":
            return self._greet(message.body[0])
        if call.verb == "subscribe":
            self._has_answered()
            self._deaf.pop("", None)
            return set(self._units.values())
        idle = call.verb == "loaded" and all(
            row[ACTIVE_STATE] == "inactive" for row in message.body[0]
        )
        return {watch} if watch and not idle else set()

    def _has_answered(self) -> None:
        self._failures = 0
        self._timer.set(0)

    def _greet(self, systemd: str) -> set[Watch]:
        """Have systemd send its signals to us: a new one, or the one that is there at the start."""
        self._systemd = systemd
        if systemd:
            self._ask_systemd("Subscribe", "", (), Call("subscribe"))
            return set()
        self._deaf[""] = "cannot hear units: systemd left the bus"
        return set(self._units.values())

    def _refused(self, call: Call, name: str) -> None:
        if call.verb in ("owner", "subscribe"):
            self._has_answered()
            self._deaf[""] = f"cannot hear units: systemd is not on the bus ({name})"
        elif call.verb == "listen":
            self._deaf[call.unit] = f"cannot hear {call.unit or 'units'}: the bus refused ({name})"

    def _ask_whether_it_does_anything(self, unit: str) -> None:
        """Ask once: an answer that is still to come is younger than all that was heard."""
        asked = Call("loaded", unit)
        if asked not in self._calls.values():
            states: list[str] = []  # whatever its state
            self._ask_systemd("ListUnitsByPatterns", "asas", (states, [unit]), asked)

    def _listen_to(self, unit: str) -> None:
        for rule in rules(unit):
            self._ask_bus("AddMatch", "s", (rule,), Call("listen", unit))

    def _ask_bus(self, method: str, signature: str, body: tuple[object, ...], call: Call) -> None:
        self._ask(
            DBusAddress("/org/freedesktop/DBus", BUS_NAME, BUS_NAME), method, signature, body, call
        )

    def _ask_systemd(
        self, method: str, signature: str, body: tuple[object, ...], call: Call
    ) -> None:
        self._ask(DBusAddress(MANAGER_PATH, SYSTEMD, MANAGER), method, signature, body, call)

    def _ask(
        self, to: DBusAddress, method: str, signature: str, body: tuple[object, ...], call: Call
    ) -> None:
        if self._bus is None:
            return
        message = new_method_call(to, method, signature or None, body)
        message.header.flags |= MessageFlag.no_auto_start  # the bus shall not start a systemd
        self._calls[self._bus.send(message)] = call

    def _fail(self, error: BusLostError) -> None:
        if self._bus is not None:
            self._epoll.unregister(self._bus.fileno())
            self._bus.close()
            self._bus = None
        self._calls.clear()
        self._systemd = ""
        self._timer.set(self._retry_seconds[min(self._failures, len(self._retry_seconds) - 1)])
        self._failures += 1
        self._deaf = {"": str(error)}
