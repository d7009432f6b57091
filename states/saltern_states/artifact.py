"""artifact: a binary at a path, or an archive unpacked below it, named by SHA-256."""

from __future__ import annotations

from typing import Literal

from saltern_states.contract import AbsolutePath, AccountName, Mode, Sha256, Spec


class Artifact(Spec, frozen=True, kw_only=True, tag="artifact/1"):
    """Content too large for a body: brought as a blob, checked while it is written.

    `unpack` "tar": the blob is a tar archive (also gz, xz) and `path` the directory that
    holds exactly its members.
    """

    path: AbsolutePath
    sha256: Sha256
    unpack: Literal["no", "tar"] = "no"
    mode: Mode = "0755"
    owner: AccountName = "root"
    group: AccountName = "root"
