"""kernel-module: in the kernel now and after a reboot; one that is built in is there.

A module that is built in needs no file to come back, so it gets none, and one that we
wrote while it was not built in is removed. When the resource is taken back, the module
stays loaded: who uses it is not known.

The kernel knows a module by one name and modprobe by two, with "-" or "_": it is claimed,
and its file called, by the kernel's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

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
from saltern_states.contract import Blocked, Change, Kind, Spec, Watch, WatchPath, WatchReading
from saltern_states.ports import Host


class KernelModule(Spec, frozen=True, kw_only=True, tag="kernel-module/1"):
    """A kernel module that shall be there."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-zA-Z0-9_-]{0,62}\Z")]
    persist: bool = True


class LoadModule(Change, frozen=True, kw_only=True, tag="load-module"):
    """modprobe a module."""

    name: str

    def __str__(self) -> str:
        return f"load kernel module {self.name}"

    @property
    def opens(self) -> bool:
        """Parameters may come with it."""
        return True


@dataclass(frozen=True, slots=True)
class Observed:
    """What the node has of one module."""

    state: Literal["built-in", "loaded", "absent"]
    saved: SmallFile


def observe(host: Host, want: KernelModule) -> Observed:
    """Ask the kernel, and read the file that loads it at boot."""
    return Observed(host.modules.state(want.name), observe_file(host, saved_path(want.name)))


def diff(want: KernelModule, have: Observed) -> tuple[LoadModule | FileChange | Blocked, ...]:
    """Load what is absent; keep a line for the next boot where one is needed."""
    live = (LoadModule(name=want.name),) if have.state == "absent" else ()
    path = saved_path(want.name)
    if not want.persist or have.state == "built-in":
        return (*live, *remove_file(path, have.saved))
    return (*live, *diff_file(path, have.saved, f"{want.name}\n".encode()))


def remove(want: KernelModule, have: Observed) -> tuple[LoadModule | FileChange | Blocked, ...]:
    """Take the line for the next boot away."""
    return remove_file(saved_path(want.name), have.saved)


def claims(want: KernelModule) -> tuple[Claim, ...]:
    """The module, as the kernel calls it. The file's name follows from it."""
    return (Claim("module", want.name.replace("-", "_")),)


def occupies(want: KernelModule) -> tuple[str, ...]:
    """The file, also where there shall be none."""
    return (str(saved_path(want.name)),)


def watch(want: KernelModule) -> tuple[Watch, ...]:
    """The file tells by itself; of an unloaded module no event reaches us, so its state is read."""
    live = Path("/sys/module", want.name.replace("-", "_"), "initstate")
    return (WatchPath(saved_path(want.name)), WatchReading(live))


def apply(host: Host, change: LoadModule | FileChange) -> None:
    """Load it, or write the file."""
    if isinstance(change, LoadModule):
        host.modules.load(change.name)
    else:
        apply_file(host, change)


def saved_path(name: str) -> Path:
    """Where systemd-modules-load reads it at boot."""
    return Path("/etc/modules-load.d", f"saltern-{name.replace('-', '_')}.conf")


KIND: Kind[KernelModule, Observed, LoadModule | FileChange] = Kind(
    spec=KernelModule,
    observe=observe,
    diff=diff,
    remove=remove,
    claims=claims,
    occupies=occupies,
    watch=watch,
    apply=apply,
    example=KernelModule(name="br_netfilter"),
)
