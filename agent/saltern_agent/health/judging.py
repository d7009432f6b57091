"""What was seen of a part -> good, degraded, bad or unknown, and why. Pure.

* bad: it does not do its work. degraded: it does, and not for long, or not all of it. unknown: it
  could not be asked. Why: words for a person, with numbers that stand still while little changes.
* What systemd says is sure. An answer that failed to come is not: once may happen (damping.py).

Outside facts: kubelet's default eviction thresholds (nodefs.available<10%, inodesFree<5%) and its
back-off of 5 minutes at most; ActiveState and SubState of org.freedesktop.systemd1(5).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from saltern_protocol.condition import State
from saltern_states.leaf import DAY, day

from saltern_agent.health.values import (
    GOOD,
    Answer,
    CertificateSeen,
    Container,
    Disk,
    Judged,
    Machine,
    Pod,
    Service,
    UnitSeen,
)

LOAD_EACH: Final = 4.0
"""Of one minute, for each processor: three wait for one that runs."""
PRESSURE: Final = 20.0  # percent of the last minute in which nothing could go on
MEMORY_LOW, MEMORY_OUT = 5, 2  # percent available
DISK_LOW, DISK_OUT = 10, 2  # percent free; from the first one on the kubelet evicts pods
INODES_LOW, INODES_OUT = 5, 1
STARTING: Final = 60  # seconds that a pod gets to start in
RESTARTS: Final = 3
LATELY: Final = 600  # seconds: who restarts for the kubelet's longest back-off is younger than that
OVERDUE: Final = 2 * 3600  # seconds: the agent looks each hour whether a certificate is due
ORDER: Final = (State.BAD, State.DEGRADED, State.UNKNOWN, State.GOOD)


def worst(found: Iterable[Judged]) -> Judged:
    """Give the worst of several, with the reasons of all that are as bad."""
    all_of = list(found)
    state = next((state for state in ORDER if any(one.state is state for one in all_of)), None)
    if state is None or state is State.GOOD:
        return GOOD
    same = [one for one in all_of if one.state is state]
    return Judged(state, "; ".join(one.why for one in same), any(one.sure for one in same))


def machine(seen: Machine) -> Judged:
    """Load, memory and pressure."""
    return worst(_machine(seen))


def _machine(seen: Machine) -> Iterator[Judged]:
    percent = seen.available * 100 // max(seen.memory, 1)
    if percent < MEMORY_LOW:
        state = State.BAD if percent < MEMORY_OUT else State.DEGRADED
        yield Judged(state, f"{percent} % of the memory are available")
    if seen.load >= LOAD_EACH * seen.processors:
        times = 1 << (int(seen.load / seen.processors).bit_length() - 1)  # 4, 8, 16 …
        text = f"its load is at least {times} times what it has processors for"
        yield Judged(State.DEGRADED, text)
    for what, pressure in (("memory", seen.memory_pressure), ("disks", seen.io_pressure)):
        if pressure is not None and pressure >= PRESSURE:
            tens = int(pressure // 10 * 10)
            yield Judged(State.DEGRADED, f"all waited for {what} {tens} % of the last minute")


def disk(seen: Iterable[Disk]) -> Judged:
    """Free bytes and inodes."""
    return worst(one for each in seen for one in _disk(each))


def _disk(seen: Disk) -> Iterator[Judged]:
    where = ", ".join(seen.paths)
    for what, size, free, low, out in (
        ("bytes", seen.size, seen.free, DISK_LOW, DISK_OUT),
        ("inodes", seen.inodes, seen.inodes_free, INODES_LOW, INODES_OUT),
    ):
        percent = free * 100 // size if size else 100
        if percent < low:
            state = State.BAD if percent < out else State.DEGRADED
            yield Judged(state, f"{percent} % of the {what} are free at {where}")


def clock(synchronised: bool | None) -> Judged:
    """Whether something keeps the clock right; how far off it is the master tells."""
    if synchronised is None:
        return Judged(State.UNKNOWN, "the kernel does not tell whether it is synchronised")
    if synchronised:
        return GOOD
    return Judged(State.DEGRADED, "it is not synchronised: no time service keeps it right")


def service(asked: Service, unit: UnitSeen | None, answer: Answer | None) -> Judged:
    """A unit, and the program's own word. `unit` None: it runs in a pod; `answer` None: unasked."""
    if unit is not None:
        found = _unit(asked.unit, unit)
        if found.state is not State.GOOD:
            return found
    if answer is None or answer.well:
        return GOOD
    if not answer.heard:
        return Judged(State.BAD, f"it does not answer: {answer.text}", sure=False)
    return Judged(asked.not_well, f"it says that it is not well: {answer.text}", sure=False)


def _unit(name: str, seen: UnitSeen) -> Judged:
    if seen.why:
        return Judged(State.UNKNOWN, seen.why, sure=False)
    if seen.active in ("active", "reloading"):
        return GOOD
    ended = "" if seen.result in ("", "success") else f", it ended with {seen.result}"
    if seen.active == "activating" and seen.sub != "auto-restart":
        return Judged(State.DEGRADED, f"{name} is being started{ended}")
    if seen.active == "activating":
        return Judged(State.BAD, f"{name} ends again and again{ended}")
    return Judged(State.BAD, f"{name} is {seen.active or 'not there'}{ended}")


def pods(wanted: Iterable[Pod], seen: Iterable[Container] | str, now: float) -> Judged:
    """Static pods: what the manifests declare runs. `seen`, a text: why docker did not tell."""
    if isinstance(seen, str):
        return Judged(State.UNKNOWN, seen, sure=False)
    containers = tuple(seen)
    return worst(one for pod in wanted for one in _pod(pod, containers, now))


def _pod(pod: Pod, seen: tuple[Container, ...], now: float) -> Iterator[Judged]:
    mine = [one for one in seen if (one.namespace, one.pod) == (pod.namespace, pod.name)]
    if not any(one.running for one in mine):
        yield Judged(State.BAD, f"no container of {pod.name} runs", sure=False)
        return
    began = max(one.created for one in mine)
    for name in pod.containers:
        running = [one for one in mine if one.name == name and one.running]
        where = pod.name if pod.name.startswith(f"{name}-") else f"{name} in {pod.name}"
        if not running and now - began < STARTING:
            yield Judged(State.DEGRADED, f"{where} is being started")
        elif not running:
            yield Judged(State.BAD, f"{where} does not run", sure=False)
        elif any(one.restarts >= RESTARTS and now - one.created < LATELY for one in running):
            yield Judged(State.DEGRADED, f"{where} restarts again and again")


def certificates(seen: Iterable[CertificateSeen], now: float) -> Judged:
    """Each holds, and was renewed in time."""
    return worst(_certificate(one, now) for one in seen)


def _certificate(seen: CertificateSeen, now: float) -> Judged:
    if seen.why:
        return Judged(State.BAD, f"{seen.path}: {seen.why}", sure=False)
    if now > seen.not_after:
        return Judged(State.BAD, f"{seen.path} expired on {day(seen.not_after)}")
    if now > seen.due + OVERDUE:
        days = int(seen.not_after - now) // DAY
        text = f"{seen.path} was to be renewed on {day(seen.due)} and expires in {days} days"
        return Judged(State.DEGRADED, text)
    return GOOD
