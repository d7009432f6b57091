"""Which images Saltern makes itself, and how each is asked for.

    pause, echo, ask                   from C files of our own (programs.py)
    kube-apiserver, kube-…             from the library's programs, each version (kubernetes.py)
    etcd                               from Debian's package (etcd.py)

Where nobody says which: all of our own, those of the programs that the library has, and etcd
where it has an API server, which is nothing without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from saltern_master.images.etcd import add_etcd_image
from saltern_master.images.kubernetes import (
    COMPONENTS,
    add_kubernetes_image,
    image_name,
    programs,
)
from saltern_master.images.programs import PROGRAM_IMAGES, add_program_image
from saltern_master.images.tree import ImageError
from saltern_master.library import Image, Library

ETCD = "etcd"


@dataclass(frozen=True, slots=True)
class Recipe:
    """An image that can be made. `program` is how it is asked for."""

    program: str
    name: str
    add: Callable[[], Image]


def recipes(library: Library, say: Callable[[str], None]) -> Iterator[Recipe]:
    """Give all that can be made with what the library has."""
    for image in PROGRAM_IMAGES:
        yield Recipe(image.program, image.name, partial(add_program_image, library, image))
    for binary in programs(library):
        name = image_name(binary)
        yield Recipe(binary.component, name, partial(add_kubernetes_image, library, binary))
    yield Recipe(ETCD, "saltern/etcd", partial(add_etcd_image, library, say))


def choose(
    names: Iterable[str], library: Library, say: Callable[[str], None]
) -> tuple[Recipe, ...]:
    """Give what was asked for, all that is fit where nothing was; ImageError for the rest."""
    wanted, known = tuple(dict.fromkeys(names)), tuple(recipes(library, say))
    if not wanted:
        serves = any(one.program == "kube-apiserver" for one in known)
        return tuple(one for one in known if serves or one.program != ETCD)
    _refuse(wanted, {one.program for one in known})
    return tuple(one for one in known if one.program in wanted)


def _refuse(wanted: tuple[str, ...], known: set[str]) -> None:
    lacking = [name for name in wanted if name in COMPONENTS and name not in known]
    unknown = [name for name in wanted if name not in known and name not in COMPONENTS]
    texts = []
    if lacking:
        texts.append(f"{', '.join(lacking)}: the library has none; run: saltern binaries add")
    if unknown:
        names = [*(image.program for image in PROGRAM_IMAGES), ETCD, *COMPONENTS]
        texts.append(f"{', '.join(unknown)}; known are {', '.join(names)}")
    if texts:
        raise ImageError(f"cannot make an image of {'; nor of '.join(texts)}")
