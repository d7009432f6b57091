"""python -m tests.faults.decoding DIRECTORY SEED INPUTS [NAME ...]: try decoders, one process each.

Prints a line of JSON for each: how many inputs were tried, how many ended with an error that it
may not end with, the first of those as hex, and by how much its memory grew. The processes are
forked from one that has everything imported, two at a time.

Memory is what is the process's own (Anonymous in /proc/self/smaps_rollup), in KiB, after malloc
gave back what it held; the peak is the kernel's own high-water mark. A leak grows all the time: it
is told from how memory grew in each of WINDOWS parts of the inputs, by the median. What fills once
(a cache), or what one large input leaves in pieces (an arena of Python's is a MiB), is none.
"""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import signal
import sys
from dataclasses import dataclass
from itertools import islice, pairwise
from multiprocessing.connection import Connection, wait
from pathlib import Path
from statistics import median
from traceback import format_exception_only
from typing import Final
from zlib import crc32

import msgspec

from tests.faults.decoders import Decoder, every_decoder
from tests.faults.mutating import mutants

WORKERS: Final = 2
WARM: Final = 500  # inputs before memory is first looked at
WINDOWS: Final = 9


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one decoder. Memory in KiB."""

    name: str
    share: int
    inputs: int
    read: int  # inputs that were good all the same
    uncaught: int
    first: str  # of those, as hex
    error: str
    peak: int
    leak: int


def main() -> None:
    """Try what was asked for."""
    directory, seed, inputs = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    table = every_decoder(directory)
    names = iter(sys.argv[4:] or sorted(table, key=lambda name: table[name].share))
    gc.collect()
    gc.freeze()
    running = {_begin(name, table[name], seed, inputs) for name in islice(names, WORKERS)}
    while running:
        for done in wait(list(running)):
            assert isinstance(done, Connection)
            with done:
                running.discard(done)
                try:
                    print(done.recv_bytes().decode(), flush=True)
                except EOFError:
                    sys.exit("a decoder ended its process, or took longer than all others may")
            running |= {_begin(name, table[name], seed, inputs) for name in islice(names, 1)}


def _begin(name: str, decoder: Decoder, seed: int, inputs: int) -> Connection:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    count = max(1, inputs * decoder.share // 100)
    context.Process(target=_run, args=(theirs, name, decoder, seed, count)).start()
    theirs.close()
    return ours


def _run(told: Connection, name: str, decoder: Decoder, seed: int, inputs: int) -> None:
    signal.alarm(120 + inputs // 20)  # one that never comes back must not go unseen
    told.send_bytes(msgspec.json.encode(tried(name, decoder, seed, inputs)))


def tried(name: str, decoder: Decoder, seed: int, inputs: int) -> Tried:
    """Put so many mutants to a decoder, in this process."""
    made = islice(mutants(decoder.goldens, seed ^ crc32(name.encode())), inputs)
    count = Count()
    for golden in decoder.goldens:
        count.put(decoder, golden)
    assert count.read, f"{name}: none of its goldens can be read"
    count = Count()
    for data in islice(made, WARM):
        count.put(decoder, data)
    forget_peak()
    marks = [own_memory()]
    for _ in range(WINDOWS):
        for data in islice(made, max(0, inputs - WARM) // WINDOWS):
            count.put(decoder, data)
        marks.append(own_memory())
    for data in made:  # what the division left
        count.put(decoder, data)
    growth = median(after - before for before, after in pairwise(marks))
    return Tried(
        name=name,
        share=decoder.share,
        inputs=count.inputs,
        read=count.read,
        uncaught=count.uncaught,
        first=count.first.hex(),
        error=count.error,
        peak=peak_memory() - marks[0],
        leak=round(growth * WINDOWS),
    )


@dataclass(slots=True)
class Count:
    """What came of the inputs so far."""

    inputs: int = 0
    read: int = 0
    uncaught: int = 0
    first: bytes = b""
    error: str = ""

    def put(self, decoder: Decoder, data: bytes) -> None:
        """Put one input to a decoder."""
        self.inputs += 1
        try:
            decoder.decode(data)
            self.read += 1
        except decoder.told:
            return
        except Exception as error:  # noqa: BLE001  this is what is looked for
            self.uncaught += 1
            if not self.error:
                self.first, self.error = data, "".join(format_exception_only(error))[-500:]


def own_memory() -> int:
    """Give the KiB that are this process's own, once nothing is held back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return _kib("smaps_rollup", "Anonymous:")


def forget_peak() -> None:
    """Let the high-water mark begin anew (proc(5), clear_refs: 5)."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """Give the high-water mark in KiB, less what is not the process's own now."""
    return _kib("status", "VmHWM:") - _kib("status", "RssFile:") - _kib("status", "RssShmem:")


def _kib(file: str, name: str) -> int:
    for line in Path(f"/proc/self/{file}").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise AssertionError(f"{file} has no {name}")


if __name__ == "__main__":
    main()
