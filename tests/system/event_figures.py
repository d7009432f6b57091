"""Print how fast each source of events tells of a damage, and what unrelated events cost.

    python -m tests.system.event_figures

Latency: from just before another process does the damage, or starts the program that does
it, to the moment read() has returned it here, over 200 damages. CPU: this process's own,
over 10,000 events that touch no Watch.
"""

from __future__ import annotations

import os
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from saltern_agent.host.events.chains import ChainSource
from saltern_agent.host.events.links import LinkSource
from saltern_agent.host.events.paths import PathSource
from saltern_agent.host.events.units import UnitSource, unit_path
from saltern_agent.sources import Source
from saltern_states.contract import WatchChain, WatchLink, WatchPath, WatchUnit

from tests.agent.waiting import drain, readable, wait_for
from tests.system.event_bus import Manager, running_bus
from tests.system.event_namespaces import mount_namespace, network_namespace, run

SAMPLES = 200
UNRELATED = 10_000
STAMP = struct.Struct("=Q")


def latency(name: str, source: Source, damage: Callable[[int], None]) -> None:
    """Have a child do the damages one by one; print the latencies."""
    asks, answers = os.pipe(), os.pipe()
    if (child := os.fork()) == 0:
        for number in range(SAMPLES):
            os.read(asks[0], 1)
            time.sleep(0.002)  # so that the parent waits in its poll
            start = time.monotonic_ns()
            damage(number)
            os.write(answers[1], STAMP.pack(start))
        os._exit(0)
    milliseconds = []
    for _ in range(SAMPLES):
        os.write(asks[1], b"x")
        told = 0
        while not told:
            assert readable(source, 10), f"{name}: not told"
            if source.read().touched:
                told = time.monotonic_ns()
        (start,) = STAMP.unpack(os.read(answers[0], STAMP.size))
        milliseconds.append((told - start) / 1e6)
        drain(source)
    os.waitpid(child, 0)
    for descriptor in (*asks, *answers):
        os.close(descriptor)
    p99 = sorted(milliseconds)[int(SAMPLES * 0.99) - 1]
    print(f"{name:42} median {median(milliseconds):7.3f} ms   p99 {p99:7.3f} ms")


def cost(name: str, source: Source, make: Callable[[], None], times: int) -> None:
    """Make unrelated events in portions; print the CPU that reading them took."""
    spent = 0.0
    for _ in range(times):
        make()
        before = time.process_time()
        events = drain(source)
        spent += time.process_time() - before
        assert not events.touched
        assert not events.lost
    print(f"{name:42} {spent * 1000:7.1f} ms of CPU for {UNRELATED} unrelated events")


def paths(directory: Path) -> None:
    """Edit, replace, and a mount; files that come and go beside."""
    file, new = directory / "app.conf", directory / "new"
    file.write_text("one\n")
    source = PathSource()
    source.set_watches(frozenset({WatchPath(file)}))
    latency("inotify: edit in place", source, lambda n: os.truncate(file, n % 2))

    def replace(_number: int) -> None:
        new.touch()
        new.rename(file)

    latency("inotify: replace by rename", source, replace)

    def mount(number: int) -> None:
        if number % 2:
            run("/usr/bin/umount", str(directory))
        else:
            run("/usr/bin/mount", "-t", "tmpfs", "tmpfs", str(directory))

    latency("mountinfo: mount(8) over its directory", source, mount)

    def beside() -> None:
        for number in range(500):
            (directory / f"beside{number}").touch()
        for number in range(500):
            (directory / f"beside{number}").unlink()

    cost("inotify: files beside come and go", source, beside, UNRELATED // 1000)
    source.close()


def links() -> None:
    """A link's MTU changes, with ip(8) in batch mode; another one's changes beside."""
    for name in ("cbr0", "other0"):
        run("/usr/sbin/ip", "link", "add", name, "type", "bridge")
    source = LinkSource()
    source.set_watches(frozenset({WatchLink("cbr0")}))
    drain(source)

    def change(number: int) -> None:
        run("/usr/sbin/ip", "link", "set", "cbr0", "mtu", str(1300 + number))

    latency("rtnetlink: ip link set mtu", source, change)
    lines = "".join(f"link set other0 mtu {1300 + n % 2}\n" for n in range(1000))

    def beside() -> None:
        run("/usr/sbin/ip", "-batch", "-", stdin=lines)

    cost("rtnetlink: another link changes", source, beside, UNRELATED // 1000)
    source.close()


def chains() -> None:
    """A chain is flushed by iptables; rules come and go in another one."""
    run("/usr/sbin/iptables-nft", "-w", "-t", "nat", "-N", "SALTERN-POST")
    source = ChainSource()
    source.set_watches(frozenset({WatchChain("nat", ("SALTERN-POST",))}))

    def change(number: int) -> None:
        what = ("-A", "SALTERN-POST", "-j", "ACCEPT") if number % 2 == 0 else ("-F", "SALTERN-POST")
        run("/usr/sbin/iptables-nft", "-w", "-t", "nat", *what)

    started = time.monotonic()
    for number in range(SAMPLES):
        change(number)
    whole = (time.monotonic() - started) / SAMPLES * 1000
    drain(source)
    latency("nf_tables: iptables -A or -F", source, change)
    print(f"{'':42} (the iptables process takes, to its end, {whole:.3f} ms)")
    rules = "".join(f"-A OTHER -s 10.0.{n >> 8}.{n & 255} -j ACCEPT\n" for n in range(500))
    text = f"*filter\n:OTHER - [0:0]\n{rules}COMMIT\n"  # the last 500 go and 500 come
    run("/usr/sbin/iptables-nft-restore", "--noflush", "-w", stdin=text)
    drain(source)

    def beside() -> None:
        run("/usr/sbin/iptables-nft-restore", "--noflush", "-w", stdin=text)

    cost("nf_tables: rules of another chain", source, beside, UNRELATED // 1000)
    source.close()


def units(directory: Path) -> None:
    """A unit's properties change, over a real bus; others' change beside."""
    with running_bus(directory) as bus:
        manager = Manager(bus)
        source = UnitSource(bus.path)
        source.set_watches(frozenset({WatchUnit("kubelet.service")}))
        wait_for(source, lambda events: bool(events.touched))
        while readable(source, 0.2):
            source.read()
        latency(
            "D-Bus: PropertiesChanged",
            source,
            lambda _: manager.change(unit_path("kubelet.service")),
        )

        def beside() -> None:
            for _ in range(1000):
                manager.change(unit_path("cron.service"))

        cost("D-Bus: another unit changes", source, beside, UNRELATED // 1000)
        source.close()
        manager.leave()


def main() -> None:
    """Measure each source in namespaces of its own."""
    with tempfile.TemporaryDirectory() as directory:
        with mount_namespace():
            (Path(directory) / "watched").mkdir()
            paths(Path(directory) / "watched")
        with network_namespace():
            links()
            chains()
        units(Path(directory))


if __name__ == "__main__":
    main()
