"""absent-link: a link that shall not be there, such as docker0 on a node declared bare."""

from __future__ import annotations

from saltern_states.contract import LinkName, Spec


class AbsentLink(Spec, frozen=True, kw_only=True, tag="absent-link/1"):
    """A virtual link that shall be gone. A device with hardware behind it is never touched."""

    name: LinkName
