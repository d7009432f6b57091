"""What a disk has after a power cut, rebuilt from the system calls of the process that wrote.

* What an fsync or fdatasync of a file ended before the cut is there. Of all that was written to it
  since, each write is there whole, or not at all, or in some of its sectors, as chance has it; so
  is a new length. A drive and a file system owe no more than that.
* A file's name is there, or gone, for sure once its directory was synced after that.
* Where the process told something (a write to its standard output), it is known what it had
  promised by then.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
LINE = re.compile(r"^(\w+)\((.*)\)\s+= (-?\d+)(?: .*)?$")
TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
CALLS = "openat,close,pwrite64,write,ftruncate,fsync,fdatasync,unlink"


@dataclass(frozen=True, slots=True)
class Event:
    """One call that ended well. `path` as the process named it."""

    call: str
    path: str
    data: bytes = b""
    at: int = 0  # an offset, or a length


def events(log: str) -> Iterator[Event]:
    """Read what `strace -xx -e trace=CALLS` wrote down of one process."""
    paths: dict[int, str] = {1: "stdout"}
    for line in log.splitlines():
        match = LINE.match(line)
        if match is None or int(match[3]) < 0:
            continue
        call, given, result = match[1], match[2], int(match[3])
        texts = [bytes.fromhex(one.replace("\\x", "")) for one in TEXT.findall(given)]
        if call == "openat":
            path = paths[result] = texts[0].decode()
            yield Event("made" if "O_CREAT" in given else "opened", path)
        elif call == "unlink":
            yield Event(call, texts[0].decode())
        else:
            yield from _of_descriptor(call, given, texts, paths)


def _of_descriptor(
    call: str, given: str, texts: list[bytes], paths: dict[int, str]
) -> Iterator[Event]:
    numbers = [int(one) for one in re.findall(r"\b\d+\b", TEXT.sub("", given))]
    path = paths.get(numbers[0])
    if path is None:
        return
    if call == "close":
        del paths[numbers[0]]
    elif call in ("pwrite64", "write"):
        yield Event("write", path, texts[0], numbers[-1] if call == "pwrite64" else 0)
    else:
        yield Event(call, path, at=numbers[-1] if call == "ftruncate" else 0)


@dataclass(slots=True)
class Disk:
    """Files as the disk has them for sure, and what was written to them since."""

    place: str  # the directory that matters
    sure: dict[str, bytearray] = field(default_factory=dict)
    loose: dict[str, list[Event]] = field(default_factory=dict)
    unnamed: set[str] = field(default_factory=set)
    going: set[str] = field(default_factory=set)
    told: list[str] = field(default_factory=list)

    def take(self, event: Event) -> None:
        """Let a call happen."""
        if event.path == "stdout":
            self.told += event.data.decode().split()
        elif event.call in ("fsync", "fdatasync"):
            self._sync(event.path)
        elif not event.path.startswith(f"{self.place}/"):
            return
        elif event.call == "unlink":
            self.going.add(event.path)
        elif event.call == "made" and (event.path in self.going or event.path not in self.sure):
            self.going.discard(event.path)
            self.sure[event.path], self.loose[event.path] = bytearray(), []
            self.unnamed.add(event.path)
        elif event.call in ("write", "ftruncate"):
            self.loose[event.path].append(event)

    def cut(self, chance: random.Random) -> dict[str, bytes]:
        """Give what is there after a power cut now."""
        found = {}
        for path, sure in self.sure.items():
            if path in self.unnamed | self.going and chance.random() < 0.5:
                continue
            content = bytearray(sure)
            for event in self.loose[path]:
                _partly(content, event, chance)
            found[Path(path).name] = bytes(content)
        return found

    def _sync(self, path: str) -> None:
        if path == self.place:
            self.unnamed.clear()
            for gone in self.going:
                del self.sure[gone], self.loose[gone]
            self.going.clear()
            return
        for event in self.loose.get(path, ()):
            _whole(self.sure[path], event)
        if path in self.loose:
            self.loose[path] = []


def _whole(content: bytearray, event: Event) -> None:
    if event.call == "ftruncate":
        _resize(content, event.at)
        return
    end = event.at + len(event.data)
    if len(content) < end:
        _resize(content, end)
    content[event.at : end] = event.data


def _resize(content: bytearray, length: int) -> None:
    if length < len(content):
        del content[length:]
    else:
        content.extend(bytes(length - len(content)))


def _partly(content: bytearray, event: Event, chance: random.Random) -> None:
    kind = chance.randrange(3)
    if kind == 0:
        return
    if kind == 1 or event.call == "ftruncate":
        _whole(content, event)
        return
    for start in range(0, len(event.data), SECTOR):
        if chance.random() < 0.5:
            part = event.data[start : start + SECTOR]
            _whole(content, Event("write", event.path, part, event.at + start))
