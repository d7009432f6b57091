"""What is asked about, what was seen, and what that was judged to be: plain values."""

from __future__ import annotations

from dataclasses import dataclass

from saltern_protocol.condition import State


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a program says how it is, by plain HTTP on this machine."""

    address: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Service:
    """A unit, and where it answers. `not_well`: how it is where it answers that it is not well."""

    name: str  # of the part
    unit: str  # "": it runs in a pod
    endpoint: Endpoint | None = None  # None: docker, which answers at its own socket, or nowhere
    not_well: State = State.BAD


@dataclass(frozen=True, slots=True)
class Pod:
    """A static pod, by its names in docker's labels, and the containers that it shall have."""

    namespace: str
    name: str  # with the node's name behind it
    containers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Expiring:
    """A certificate. `renew_before`: seconds; 0: a third of its life."""

    path: str
    renew_before: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a node has to have, by its accepted body."""

    disks: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()
    pods: tuple[Pod, ...] = ()
    certificates: tuple[Expiring, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """Load and memory. Pressure: percent of the last minute in which something waited, or all."""

    load: float  # of one minute
    processors: int
    memory: int  # bytes
    available: int  # bytes
    memory_pressure: float | None = None  # all waited; None: this kernel does not tell
    io_pressure: float | None = None


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system, and for which paths it is looked at. `inodes` 0: it has no fixed number."""

    paths: tuple[str, ...]
    size: int  # bytes
    free: int  # to others than root
    inodes: int
    inodes_free: int


@dataclass(frozen=True, slots=True)
class UnitSeen:
    """What systemd says of a unit; `why` it could not be asked, if so."""

    active: str = ""
    sub: str = ""
    result: str = ""  # of its last end: success, exit-code, signal …
    why: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking a program. `heard`: it answered; `well`: it says that it is."""

    heard: bool
    well: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a pod. `name` "POD": the one that holds its network."""

    namespace: str
    pod: str
    name: str
    running: bool
    created: int  # seconds since 1970
    restarts: int


@dataclass(frozen=True, slots=True)
class CertificateSeen:
    """A certificate on the disk. Seconds since 1970; 0 and `why`: there is none to read."""

    path: str
    not_after: int = 0
    due: int = 0  # from here on the next is asked for
    why: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """How a part was found. `sure` False: an answer failed to come, which may happen once."""

    state: State
    why: str = ""
    sure: bool = True


GOOD = Judged(State.GOOD)
