"""sysctl: a kernel parameter, now and after a reboot."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from saltern_states.contract import Spec


class Sysctl(Spec, frozen=True, kw_only=True, tag="sysctl/1"):
    """A kernel parameter and the value that it shall have."""

    key: Annotated[str, Meta(pattern=r"^[a-z0-9_-]+(\.[a-zA-Z0-9_-]+)+\Z", max_length=128)]
    value: Annotated[str, Meta(pattern=r"^\S+( \S+)*\Z", max_length=256)]
    persist: bool = True
