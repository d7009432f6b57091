"""image: a container image in the node's docker, from an archive, known by its config digest."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from saltern_states.contract import Sha256, Spec


class Image(Spec, frozen=True, kw_only=True, tag="image/1"):
    """An image under a name. `config` is the SHA-256 of its config, `archive` that of the archive (a blob)."""

    name: Annotated[
        str, Meta(pattern=r"^[a-z0-9][a-z0-9._/-]{0,200}:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
    ]
    config: Sha256
    archive: Sha256
