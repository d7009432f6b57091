"""The contract that every kind of state keeps.

One file per kind, in this order:

    Spec        what a person asked for     frozen, validated, versioned
    Observed    what the node has           frozen, plain values
    changes     what can be done about it   frozen; each says what it expects to find
    observe()   host, spec -> Observed      reads, never writes
    diff()      spec, Observed -> changes   pure: no host, no clock, no chance
    remove()    spec, Observed -> changes   pure: what takes the spec back
    claims()    spec -> what it touches     pure: policy is asked before anything is planned
    watch()     spec -> what to listen to   pure: an event there means look again
    apply()     host, change -> None        makes one change, or raises HostError
    KIND        the record that names them

To plan is to observe and diff. To converge is to plan, apply, and plan again.
A dry run is a run in which apply() is never called, so it cannot lie.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta
from saltern_protocol.policy import Claim

from saltern_states.ports import Host

AbsolutePath = Annotated[
    str, Meta(pattern=r"^(/(?!\.\.?(/|\Z))[^/\x00-\x1f\x7f]+)+\Z", max_length=512)
]
"""From the root, with no empty, "." or ".." component and no control character."""

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Mode = Annotated[str, Meta(pattern=r"^0[0-7]{3,4}\Z")]
"""Permission bits as people write them: "0644"."""

_ACCOUNT_NUMBER = (  # 0 to 4294967294: the next one means "leave it as it is" to chown(2)
    "0|[1-9][0-9]{0,8}|[1-3][0-9]{9}|4[01][0-9]{8}|42[0-8][0-9]{7}|429[0-3][0-9]{6}"
    "|4294[0-8][0-9]{5}|42949[0-5][0-9]{4}|429496[0-6][0-9]{3}|4294967[01][0-9]{2}"
    "|42949672[0-8][0-9]|429496729[0-4]"
)
AccountName = Annotated[str, Meta(pattern=rf"^([a-z_][a-z0-9_-]{{0,31}}|{_ACCOUNT_NUMBER})\Z")]
"""A user's or group's name, or its number as people write numbers."""

LinkName = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,14}\Z")]
UnitName = Annotated[
    str,
    Meta(
        pattern=r"^[a-zA-Z0-9][a-zA-Z0-9:_.@-]{0,100}\.(service|socket|timer|target)\Z",
        description="a unit's whole name like docker.service",
    ),
]


class Impact(StrEnum):
    """What a change does to the work that runs on the node, from least to most."""

    NONE = "none"
    RELOAD = "reload"
    RESTART = "restart"
    DRAIN = "drain"
    REBOOT = "reboot"


class Spec(msgspec.Struct, frozen=True, tag_field="kind", forbid_unknown_fields=True):
    """What a person asked for. An unknown field is a typo, so it is refused."""


class Change(msgspec.Struct, frozen=True, tag_field="change"):
    """One thing to do. `str()` is the line that a plan shows."""

    @property
    def impact(self) -> Impact:
        """What making it does to running work."""
        return Impact.NONE

    @property
    def detail(self) -> str:
        """Before and after, as a unified diff for text; empty where `str()` says all."""
        return ""

    @property
    def deed(self) -> str:
        """What it does, whatever was found before it: two changes of one deed do the same."""
        return str(self)

    @property
    def opens(self) -> bool:
        """Whether more may come of it than anybody can foresee."""
        return False


BY_PACKAGE = ("install-packages",)
BY_SERVICE = (*BY_PACKAGE, "start-unit", "restart-unit")
BY_KERNEL = (*BY_SERVICE, "load-module", "make-bridge")
"""What may bring an account or a program; a directory or a link; a kernel parameter."""


class Blocked(Change, frozen=True, tag="blocked"):
    """It cannot be done as things are.

    `then` is what would be done once the hindrance is gone: a plan shows it in place of the
    hindrance where a resource that comes before is about to make a change that may lift it, and
    nobody foresees whether it does. `by` names such changes, by their tags.
    """

    why: str
    then: tuple[Any, ...] = ()
    by: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"blocked: {self.why}"


@dataclass(frozen=True, slots=True)
class WatchPath:
    """Look again when this path, what is in its place, or a directory's entries change."""

    path: Path


@dataclass(frozen=True, slots=True)
class WatchLink:
    """Look again when a link of this name comes, goes or changes, or its addresses do."""

    name: str


@dataclass(frozen=True, slots=True)
class WatchRoute:
    """Look again when a route to this destination (CIDR) comes or goes."""

    destination: str


@dataclass(frozen=True, slots=True)
class WatchChain:
    """Look again when these chains of this table change, as nf_tables tells."""

    table: str
    chains: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WatchUnit:
    """Look again when systemd says that this unit changed."""

    unit: str


@dataclass(frozen=True, slots=True)
class WatchImage:
    """Look again when docker says that a name was given to an image or taken from one."""

    name: str


@dataclass(frozen=True, slots=True)
class WatchReading:
    """Look again when the kernel shows something else at this path: no event tells of it."""

    path: Path  # below /proc or /sys


@dataclass(frozen=True, slots=True)
class WatchLegacyRules:
    """Look again when the legacy back end's rules of this table are others: no event tells."""

    table: str


@dataclass(frozen=True, slots=True)
class WatchTimer:
    """Nothing tells of this, and it is not read in no time; look again every so often."""

    seconds: float


Watch = (
    WatchPath
    | WatchLink
    | WatchRoute
    | WatchChain
    | WatchUnit
    | WatchImage
    | WatchReading
    | WatchLegacyRules
    | WatchTimer
)

CONTENTS = frozenset({"artifact", "image", "package"})
"""Claims that are on no place: two paths may hold one binary, two packages may need a third."""

S = TypeVar("S", bound=Spec)
O = TypeVar("O")  # noqa: E741
C = TypeVar("C", bound=Change)


def _none(_spec: Any) -> tuple[str, ...]:  # noqa: ANN401  # any kind's Spec
    return ()


def _all(_spec: Any, _name: str) -> bool:  # noqa: ANN401  # any kind's Spec
    return True


def mended(changes: tuple[C | Blocked, ...], before: tuple[Change, ...]) -> tuple[C | Blocked, ...]:
    """Give the changes, and what will be done in place of each hindrance that `before` may lift."""
    made = {change.__struct_config__.tag for change in before}
    found: list[C | Blocked] = []
    for change in changes:
        if isinstance(change, Blocked) and made.intersection(change.by):
            found.extend(mended(change.then, before))
        else:
            found.append(change)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Kind(Generic[S, O, C]):
    """A kind of state: its Spec and the functions that serve it.

    `volatile`: it lives in the kernel alone, so a reboot takes it and the agent's start
    brings it back before docker and the kubelet are started.
    `encloses`: other resources may stand below its path, and come after it.
    """

    spec: type[S]
    observe: Callable[[Host, S], O]
    diff: Callable[[S, O], tuple[C | Blocked, ...]]
    remove: Callable[[S, O], tuple[C | Blocked, ...]]
    claims: Callable[[S], tuple[Claim, ...]]
    watch: Callable[[S], tuple[Watch, ...]]
    apply: Callable[[Host, C], None]
    example: S
    """A Spec that could stand in a cluster file: the reference page shows it."""
    blobs: Callable[[S], tuple[str, ...]] = _none
    """The SHA-256 of every blob that the spec needs on the node."""

    occupies: Callable[[S], tuple[str, ...]] = _none
    """Paths that it keeps and nobody asked for: they follow from a claim, so policy need not know.

    The same for all that a spec may say of one thing: one that keeps no file takes it away.
    """

    positions: Callable[[S], tuple[str, ...]] = _none
    """What it wants for itself among others' things: two that want it take turns for ever.

    No place: what gave up a position is still taken back where it stands.
    """

    stands_at: Callable[[S], tuple[str, ...]] | None = None
    """The places that a resource has for itself; None: all that it claims but contents.

    A place says the form too where one form must go before the other can come: what stood
    there under the same id, or is now another's in another form, is taken back first.
    """

    volatile: bool = False
    encloses: bool = False
    admits: Callable[[S, str], bool] = _all
    """Whether one that encloses leaves alone what stands directly in it under this name."""

    observe_held: Callable[[Host, S], O] | None = None
    """What diff() goes by, where remove() needs more than that; None: all that observe() reads."""

    ahead: Callable[[S, O, tuple[Change, ...]], tuple[C | Blocked, ...]] | None = None
    """diff() as it will be once other changes have been made; None: as `foresee` says."""

    succeed: Callable[[S, S], S] | None = None
    """What is asked for on a node that held the second; None: nothing of that matters."""

    @property
    def name(self) -> str:
        """The kind and its version, as the body says it: "file/1"."""
        return str(self.spec.__struct_config__.tag)

    def places(self, want: S) -> tuple[str, ...]:
        """Name what no other resource may have: "path /etc/hosts", "image pause:1"."""
        if self.stands_at is not None:
            return self.stands_at(want)
        claimed = (str(claim) for claim in self.claims(want) if claim.what not in CONTENTS)
        occupied = (str(Claim("path", path)) for path in self.occupies(want))
        return (*claimed, *occupied)

    def alone(self, want: S) -> tuple[str, ...]:
        """Name all that no other resource of the same body may want, in whatever form."""
        paths = (str(Claim("path", path)) for path in self.paths(want))
        return tuple(dict.fromkeys((*self.places(want), *paths, *self.positions(want))))

    def paths(self, want: S) -> tuple[str, ...]:
        """Name the paths that it writes: those that it claims, and those that it occupies."""
        claimed = (claim.name for claim in self.claims(want) if claim.what == "path")
        return tuple(dict.fromkeys((*claimed, *self.occupies(want))))

    def plan(self, host: Host, want: S) -> tuple[C | Blocked, ...]:
        """Give the changes that would bring the node to `want`."""
        return self.diff(want, self.observe_for_diff(host, want))

    def observe_for_diff(self, host: Host, want: S) -> O:
        """Read what diff() goes by, and no more."""
        return (self.observe_held or self.observe)(host, want)

    def plan_removal(self, host: Host, want: S) -> tuple[C | Blocked, ...]:
        """Give the changes that would take `want` back."""
        return self.remove(want, self.observe(host, want))

    def foresee(self, want: S, have: O, before: tuple[Change, ...]) -> tuple[C | Blocked, ...]:
        """Give what diff() will say once `before` has been done: pure, so a plan can ask.

        Unless the kind knows better (`ahead`), what `before` may mend will have been mended.
        """
        if self.ahead is not None:
            return self.ahead(want, have, before)
        return mended(self.diff(want, have), before)
