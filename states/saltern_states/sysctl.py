"""sysctl: a kernel parameter, now and after a reboot.

The kernel re-spaces what it is given ("4096 87380" reads back with a tab), so live values
are compared word by word. The drop-in is ours alone: it is compared byte by byte, and
removed when the value is not to persist. When the resource is taken back, the live value
stays: what the kernel's own was is not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta
from saltern_protocol.policy import Claim

from saltern_states.changes import (
    FileChange,
    SmallFile,
    apply_file,
    diff_file,
    observe_file,
    remove_file,
)
from saltern_states.contract import (
    BY_KERNEL,
    Blocked,
    Change,
    Kind,
    Spec,
    Watch,
    WatchPath,
    WatchReading,
)
from saltern_states.ports import Host


class Sysctl(Spec, frozen=True, kw_only=True, tag="sysctl/1"):
    """A kernel parameter and the value that it shall have."""

    key: Annotated[str, Meta(pattern=r"^[a-z0-9_-]+(\.[a-zA-Z0-9_-]+)+\Z", max_length=128)]
    value: Annotated[str, Meta(pattern=r"^[!-~]+( [!-~]+)*\Z", max_length=256)]
    persist: bool = True


class SetSysctl(Change, frozen=True, kw_only=True, tag="set-sysctl"):
    """Set a live value. `was` None: the parameter is not there yet."""

    key: str
    was: str | None
    value: str

    def __str__(self) -> str:
        before = "" if self.was is None else f" (was {' '.join(self.was.split())})"
        return f"{self.deed}{before}"

    @property
    def deed(self) -> str:
        """Set it, whatever it was."""
        return f"set {self.key} = {self.value}"


@dataclass(frozen=True, slots=True)
class Observed:
    """What the node has for one parameter."""

    live: str | None  # None: this kernel has no such parameter
    saved: SmallFile


def observe(host: Host, want: Sysctl) -> Observed:
    """Read the parameter and its drop-in."""
    return Observed(host.sysctls.read(want.key), observe_file(host, saved_path(want.key)))


def diff(want: Sysctl, have: Observed) -> tuple[SetSysctl | FileChange | Blocked, ...]:
    """Compare the live value by words and the drop-in by bytes."""
    live = SetSysctl(key=want.key, was=have.live, value=want.value)
    saved = _diff_saved(want, have.saved)
    if have.live is None:
        why = f"no {want.key} in this kernel; is its module loaded?"
        return (Blocked(why, (live, *saved), BY_KERNEL),)
    return saved if have.live.split() == want.value.split() else (live, *saved)


def remove(want: Sysctl, have: Observed) -> tuple[SetSysctl | FileChange | Blocked, ...]:
    """Take the drop-in away."""
    return remove_file(saved_path(want.key), have.saved)


def claims(want: Sysctl) -> tuple[Claim, ...]:
    """The parameter. The drop-in's name follows from it."""
    return (Claim("sysctl", want.key),)


def occupies(want: Sysctl) -> tuple[str, ...]:
    """The drop-in, also where there shall be none."""
    return (str(saved_path(want.key)),)


def watch(want: Sysctl) -> tuple[Watch, ...]:
    """The drop-in tells by itself; /proc/sys sends no events, so it is read."""
    live = Path("/proc/sys", want.key.replace(".", "/"))
    return (WatchPath(saved_path(want.key)), WatchReading(live))


def apply(host: Host, change: SetSysctl | FileChange) -> None:
    """Set the live value, or write the drop-in."""
    if isinstance(change, SetSysctl):
        host.sysctls.write(change.key, change.was or "", change.value)
    else:
        apply_file(host, change)


def saved_path(key: str) -> Path:
    """Where systemd-sysctl reads it at boot."""
    return Path("/etc/sysctl.d", f"90-saltern-{key}.conf")


def _diff_saved(want: Sysctl, saved: SmallFile) -> tuple[FileChange | Blocked, ...]:
    path = saved_path(want.key)
    if not want.persist:
        return remove_file(path, saved)
    return diff_file(path, saved, f"{want.key} = {want.value}\n".encode())


KIND: Kind[Sysctl, Observed, SetSysctl | FileChange] = Kind(
    spec=Sysctl,
    observe=observe,
    diff=diff,
    remove=remove,
    claims=claims,
    occupies=occupies,
    watch=watch,
    apply=apply,
    example=Sysctl(key="net.ipv4.ip_forward", value="1"),
)
