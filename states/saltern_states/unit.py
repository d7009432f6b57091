"""unit: a systemd unit, enabled and running, and started with the declared files."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from saltern_states.contract import AbsolutePath, Sha256, Spec


class LivesBy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that the unit reads, its content, and what a new content asks for."""

    path: AbsolutePath
    sha256: Sha256
    on_change: Literal["restart", "reload"] = "restart"


class Unit(Spec, frozen=True, kw_only=True, tag="unit/1"):
    """A unit. It is converged when the process that runs now was started with `files` as declared.

    `binary`: the file that its main process shall run, compared by /proc/MAINPID/exe.
    """

    unit: Annotated[
        str, Meta(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9:_.@-]{0,100}\.(service|socket|timer|target)\Z")
    ]
    enabled: bool = True
    running: bool = True
    files: tuple[LivesBy, ...] = ()
    binary: AbsolutePath | None = None
