"""directory: a directory with its mode and owner and, where `only` is given, with nothing else in it."""

from __future__ import annotations

from saltern_states.contract import AbsolutePath, AccountName, Mode, Spec


class Directory(Spec, frozen=True, kw_only=True, tag="directory/1"):
    """A directory. `only` names all that may stand in it: a stray file is removed.

    (The kubelet runs any file of its manifest directory, a forgotten backup too:
    kubernetes/kubernetes#136962. Names that begin with a dot it passes over, and so do we.)
    """

    path: AbsolutePath
    mode: Mode = "0755"
    owner: AccountName = "root"
    group: AccountName = "root"
    only: tuple[str, ...] | None = None
