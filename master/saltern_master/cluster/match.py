"""Which nodes a group's `match` means: "role=worker", "name=w*", or a label, "zone=a".

`*` stands for any run of characters, in names and in labels' values; roles are whole words.
"""

from __future__ import annotations

from collections.abc import Mapping

from saltern_protocol.policy import matches

RESERVED = ("name", "role")
"""Words that are no labels in a match, so they are none on a node either."""


def does_match(match: str, name: str, roles: tuple[str, ...], labels: Mapping[str, str]) -> bool:
    """Tell whether a node of this name, these roles and labels is meant."""
    key, _, value = match.partition("=")
    if key == "role":
        return value in roles
    if key == "name":
        return matches(name, value)
    return key in labels and matches(labels[key], value)
