"""swap: no swap area in use, now and after a reboot (the kubelet refuses to start beside one).

Every active area is turned off. In /etc/fstab the lines of type swap are commented out
with our own mark before them, so that taking the resource back restores exactly those
lines; it turns no area on, which the next boot or a person does. Units that systemd makes
from a partition table or for zram are not touched: the areas that they turn on are seen
at the next look.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from saltern_protocol.policy import Claim

from saltern_states.changes import (
    MAX_SHOWN_BYTES,
    FileChange,
    SmallFile,
    apply_file,
    diff_file,
    observe_file,
)
from saltern_states.contract import Blocked, Change, Kind, Spec, Watch, WatchPath, WatchReading
from saltern_states.ports import Host

FSTAB = Path("/etc/fstab")
MARK = b"# saltern swap off: "
TABLE = Path("/proc/swaps")

LineRule = Callable[[bytes], bytes]


class Swap(Spec, frozen=True, kw_only=True, tag="swap/1"):
    """That the node does not swap."""

    state: Literal["off"] = "off"


class SwapOff(Change, frozen=True, kw_only=True, tag="swap-off"):
    """Stop using one swap area."""

    name: str

    def __str__(self) -> str:
        return f"stop swapping on {self.name}"


@dataclass(frozen=True, slots=True)
class Observed:
    """The areas in use, and the table of the next boot."""

    active: tuple[str, ...]
    fstab: SmallFile


def observe(host: Host, want: Swap) -> Observed:
    """Read both."""
    return Observed(host.swaps.active(), observe_file(host, FSTAB))


def diff(want: Swap, have: Observed) -> tuple[SwapOff | FileChange | Blocked, ...]:
    """Turn off what is in use; comment out what would come back."""
    live = tuple(SwapOff(name=name) for name in have.active)
    return (*live, *_rewrite(have.fstab, _without_swap))


def remove(want: Swap, have: Observed) -> tuple[SwapOff | FileChange | Blocked, ...]:
    """Give fstab its lines back."""
    return _rewrite(have.fstab, _with_swap)


def claims(want: Swap) -> tuple[Claim, ...]:
    """Swap as such."""
    return (Claim("swap", want.state),)


def occupies(_want: Swap) -> tuple[str, ...]:
    """The table of the next boot: its swap lines are ours."""
    return (str(FSTAB),)


def watch(want: Swap) -> tuple[Watch, ...]:
    """The table of the next boot tells by itself; /proc/swaps sends no event, so it is read."""
    return (WatchPath(FSTAB), WatchReading(TABLE))


def apply(host: Host, change: SwapOff | FileChange) -> None:
    """Turn one area off, or write fstab."""
    if isinstance(change, SwapOff):
        host.swaps.off(change.name)
    else:
        apply_file(host, change)


def _rewrite(fstab: SmallFile, line: LineRule) -> tuple[FileChange | Blocked, ...]:
    entry = fstab.entry
    if entry is None:
        return ()
    if entry.type != "file":
        return (Blocked(f"{FSTAB} is no file ({entry.type}); put the real one in its place"),)
    if fstab.content is None:
        return (Blocked(f"{FSTAB} has more than {MAX_SHOWN_BYTES} bytes; make it smaller"),)
    content = b"".join(line(each) for each in fstab.content.splitlines(keepends=True))
    if content == fstab.content:
        return ()
    return diff_file(FSTAB, fstab, content, entry.mode, entry.owner, entry.group)


def _without_swap(line: bytes) -> bytes:
    fields = line.split()
    swaps = len(fields) > 2 and fields[2] == b"swap" and not fields[0].startswith(b"#")
    return MARK + line if swaps else line


def _with_swap(line: bytes) -> bytes:
    return line.removeprefix(MARK)


KIND: Kind[Swap, Observed, SwapOff | FileChange] = Kind(
    spec=Swap,
    observe=observe,
    diff=diff,
    remove=remove,
    claims=claims,
    occupies=occupies,
    watch=watch,
    apply=apply,
    example=Swap(),
)
