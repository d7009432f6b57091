"""A kubelet on a node in memory, and what somebody may do to it."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from saltern_states.contract import Blocked
from saltern_states.started import record_path
from saltern_states.testing import FakeHost
from saltern_states.unit import KIND, LivesBy, Unit
from saltern_states.unit_changes import UnitChange

from tests.states.laws import converge

UNIT = "kubelet.service"
TEXT = "[Service]\nExecStart=/usr/bin/kubelet\nExecReload=/bin/kill -HUP\n[Install]\n"
CONFIG, TOKENS = "/etc/kubernetes/kubelet.yaml", "/etc/kubernetes/tokens.csv"
DROP_IN = f"/etc/systemd/system/{UNIT}.d/50-saltern-started.conf"
DAEMON_RELOAD = f"systemctl daemon-reload (for {UNIT})"
ANOTHER_CONFIG = f"it runs with another {CONFIG}"
ANOTHER_TOKENS = f"it runs with another {TOKENS}"
ANOTHER_BINARY = "it does not run the /usr/bin/kubelet that is there now"


def hash_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


WANT = Unit(
    unit=UNIT,
    binary="/usr/bin/kubelet",
    files=(
        LivesBy(path=CONFIG, sha256=hash_of("a: 1\n")),
        LivesBy(path=TOKENS, sha256=hash_of("token\n"), on_change="reload"),
    ),
)


def bare() -> FakeHost:
    """A node that has all that the unit lives by, and never ran it."""
    host = FakeHost()
    host.units.install(UNIT, TEXT)
    host.files.put_file("/usr/bin/kubelet", b"one")
    host.files.put_file(CONFIG, b"a: 1\n")
    host.files.put_file(TOKENS, b"token\n")
    return host


def running() -> FakeHost:
    host = bare()
    converge(KIND, host, WANT)
    return host


def converged_by(host: FakeHost) -> tuple[UnitChange, ...]:
    """The changes of a plan that nothing hinders."""
    planned = KIND.plan(host, WANT)
    return tuple(change for change in planned if not isinstance(change, Blocked))


def put(path: str, text: str) -> Callable[[FakeHost], None]:
    return lambda host: host.files.put_file(path, text.encode())


def restarted_with(path: str, text: str) -> Callable[[FakeHost], None]:
    """Somebody edits a file, restarts, and puts the file back."""

    def do(host: FakeHost) -> None:
        before = host.files.read(Path(path)) or b""
        host.files.put_file(path, text.encode())
        host.units.restart(UNIT)
        host.files.put_file(path, before)

    return do


def reloaded_with(host: FakeHost) -> None:
    host.files.put_file(TOKENS, b"stranger\n")
    host.units.reload(UNIT)
    host.files.put_file(TOKENS, b"token\n")


def reloaded_then_masked(host: FakeHost) -> None:
    reloaded_with(host)
    host.units.mask(UNIT)


def restarted_without_daemon_reload(host: FakeHost) -> None:
    host.files.put_file(f"/etc/systemd/system/{UNIT}.d/10-other.conf", b"[Service]\nNice=1\n")
    host.units.restart(UNIT)


def restarted_without_drop_in(host: FakeHost) -> None:
    text = host.files.read(Path(DROP_IN)) or b""
    host.files.take(DROP_IN)
    host.units.reload_daemon()
    host.units.restart(UNIT)
    host.files.put_file(DROP_IN, text)
    host.units.reload_daemon()


def ran_into_its_start_limit(host: FakeHost) -> None:
    host.units.crash(UNIT)


def lost_its_record(host: FakeHost) -> None:
    host.files.take(record_path(UNIT))
