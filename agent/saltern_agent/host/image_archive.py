"""What an image archive brings, told before docker is given it.

docker loads every image that an archive holds and moves every name that it bears, also one that
the node uses for something else. A resource declares one image under one name, so an archive
that brings more is refused whole.

* docker follows `manifest.json`; where it keeps images in containerd, `index.json`. Neither may
  say more than one image, and neither may be there twice or as a link: docker would take another
  one than we read.
* Only a plain tar is looked at, by its headers: nothing is unpacked, and what is read is bounded.

Outside facts: docker's image/tarexport/load.go (also that without manifest.json it follows an
older file, `repositories`); OCI image layout, index.json.
"""

from __future__ import annotations

import tarfile
from typing import IO, Final

import msgspec
from saltern_states.ports import HostError

MAX_MEMBERS: Final = 4096
MAX_LIST_BYTES: Final = 1 << 20
MAX_SHOWN: Final = 10
DOCKERS: Final = "manifest.json"
LAYOUTS: Final = "index.json"


class _Image(msgspec.Struct, frozen=True, rename="pascal"):
    """One image of manifest.json."""

    config: str
    repo_tags: tuple[str, ...] | None = None


class _Index(msgspec.Struct, frozen=True):
    """index.json."""

    manifests: tuple[msgspec.Raw, ...] = ()


def check(file: IO[bytes], name: object) -> None:
    """Demand that an open archive holds one image under at most one name; HostError if not."""
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            lists = _lists(tar, name)
        images = msgspec.json.decode(lists.get(DOCKERS, b"[]"), type=tuple[_Image, ...])
        index = msgspec.json.decode(lists.get(LAYOUTS, b"{}"), type=_Index)
    except (tarfile.TarError, msgspec.DecodeError, UnicodeError) as error:
        raise _bad(name, f"it is no whole docker archive in a plain tar ({error})") from error
    if DOCKERS not in lists:
        raise _bad(name, f"it has no {DOCKERS}")
    tags = [tag for image in images for tag in image.repo_tags or ()]
    if len(images) != 1 or len(tags) > 1 or len(index.manifests) > 1:
        shown = ", ".join(tags[:MAX_SHOWN]) + (", …" if len(tags) > MAX_SHOWN else "")
        count = max(len(images), len(index.manifests))
        raise _bad(name, f"it holds {count} images under {len(tags)} names ({shown}), not one")


def _lists(tar: tarfile.TarFile, name: object) -> dict[str, bytes]:
    """Read the lists of images, each of which must be there but once, as a plain small file."""
    found: dict[str, bytes] = {}
    for count, member in enumerate(tar):
        if count >= MAX_MEMBERS:
            raise _bad(name, f"it has more than {MAX_MEMBERS} members")
        last = member.name.rstrip("/").rpartition("/")[2]
        if last not in (DOCKERS, LAYOUTS):
            continue
        if member.name.removeprefix("./") != last or last in found or not member.isreg():
            raise _bad(name, f"its member {member.name!r} is a second {last}, or no plain file")
        content = tar.extractfile(member)
        if content is None or member.size > MAX_LIST_BYTES:
            raise _bad(name, f"its {last} has more than {MAX_LIST_BYTES} bytes")
        found[last] = content.read()
    return found


def _bad(name: object, why: str) -> HostError:
    return HostError(f"cannot load image archive {name}: {why}; save one image under one name")
