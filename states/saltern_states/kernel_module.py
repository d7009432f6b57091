"""kernel-module: in the kernel now and after a reboot; one that is built in is there."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from saltern_states.contract import Spec


class KernelModule(Spec, frozen=True, kw_only=True, tag="kernel-module/1"):
    """A kernel module that shall be there."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-zA-Z0-9_-]{0,62}\Z")]
    persist: bool = True
