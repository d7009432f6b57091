"""image: a container image in the node's docker, from an archive, known by its config digest.

* The config digest is the image's identity: a name that stands for another one is drift.
* docker is asked only while docker.service runs, since its socket would start it.
* docker checks each layer against the config while it loads; we look again afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta
from saltern_protocol.policy import Claim

from saltern_states.contract import (
    BY_SERVICE,
    Blocked,
    Change,
    Kind,
    Sha256,
    Spec,
    Watch,
    WatchImage,
    WatchTimer,
    WatchUnit,
)
from saltern_states.ports import Host, MovedError
from saltern_states.unit_changes import RUNNING

DOCKER = "docker.service"
LOOK_SECONDS = 60.0


class Image(Spec, frozen=True, kw_only=True, tag="image/1"):
    """An image under a name, by the SHA-256 of its config and that of the archive (a blob)."""

    name: Annotated[
        str, Meta(pattern=r"^[a-z0-9][a-z0-9._/-]{0,200}:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
    ]
    config: Sha256
    archive: Sha256


class LoadImage(Change, frozen=True, kw_only=True, tag="load-image"):
    """Load the archive, so that the name stands for its image. Running containers keep theirs."""

    name: str
    was: str | None
    config: str
    archive: str

    def __str__(self) -> str:
        before = f" (was {self.was[:19]})" if self.was else ""
        return f"{self.deed}{before}"

    @property
    def deed(self) -> str:
        """Load it, whatever the name stood for."""
        return f"load image {self.name} sha256:{self.config[:12]}"


class RemoveImage(Change, frozen=True, kw_only=True, tag="remove-image"):
    """Take the name away, and the image where nothing uses it."""

    name: str
    was: str

    def __str__(self) -> str:
        return f"remove image {self.name} {self.was[:19]}"


ImageChange = LoadImage | RemoveImage


@dataclass(frozen=True, slots=True)
class Observed:
    """What the name stands for, where docker can be asked."""

    docker: str  # its unit's state
    installed: bool  # whether there is such a unit
    digest: str | None
    archive_here: bool

    @property
    def answers(self) -> bool:
        """Whether docker could be asked."""
        return self.docker in RUNNING


def observe(host: Host, want: Image) -> Observed:
    """Ask docker, if it runs."""
    unit = host.units.state(DOCKER)
    return Observed(
        docker=unit.active,
        installed=unit.load != "not-found",
        digest=host.images.digest(want.name) if unit.active in RUNNING else None,
        archive_here=host.blobs.has(want.archive),
    )


def diff(want: Image, have: Observed) -> tuple[ImageChange | Blocked, ...]:
    """Load it, where the name stands for nothing or for something else."""
    if have.answers and have.digest == f"sha256:{want.config}":
        return ()
    load = LoadImage(name=want.name, was=have.digest, config=want.config, archive=want.archive)
    found: LoadImage | Blocked = load
    if not have.archive_here:
        found = Blocked(f"the archive of {want.name} is not on this node yet", (load,))
    if not have.answers:
        return (Blocked(f"{DOCKER} is {have.docker}", (found,), BY_SERVICE),)
    return (found,)


def remove(want: Image, have: Observed) -> tuple[ImageChange | Blocked, ...]:
    """Take the name away, if it still stands for this image; a name given anew is not ours."""
    if not have.answers:
        return (Blocked(f"{DOCKER} is {have.docker}"),) if have.installed else ()
    if have.digest != f"sha256:{want.config}":
        return ()
    return (RemoveImage(name=want.name, was=have.digest),)


def apply(host: Host, change: ImageChange) -> None:
    """Load or remove, if the name still stands for what was looked at."""
    if (found := host.images.digest(change.name)) != change.was:
        raise MovedError(
            f"cannot change image {change.name}: expected {change.was}, found {found}; plan again"
        )
    if isinstance(change, LoadImage):
        host.images.load(host.blobs.path(change.archive))
    else:
        host.images.remove(change.name)


def claims(want: Image) -> tuple[Claim, ...]:
    """The image, by its config; and its archive, which docker unpacks as root."""
    return (Claim("image", want.config), Claim("artifact", want.archive))


def watch(want: Image) -> tuple[Watch, ...]:
    """docker.service, and what docker says of images; below that a look by the clock."""
    return (WatchUnit(DOCKER), WatchImage(want.name), WatchTimer(LOOK_SECONDS))


def blobs(want: Image) -> tuple[str, ...]:
    """The archive."""
    return (want.archive,)


KIND: Kind[Image, Observed, ImageChange] = Kind(
    spec=Image,
    observe=observe,
    diff=diff,
    remove=remove,
    claims=claims,
    watch=watch,
    apply=apply,
    stands_at=lambda want: (f"image {want.name}",),
    blobs=blobs,
    example=Image(name="pause:1", config="0" * 64, archive="1" * 64),
)
