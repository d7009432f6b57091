"""Who gives this command: what a person reads later of who did it. It proves nothing."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from typing import Final

LONGEST: Final = 100


def login() -> str:
    """Give the name of who is logged in here, also behind sudo."""
    return name_of(os.environ, os.getuid())


def name_of(environment: Mapping[str, str], user: int) -> str:
    """Give the name: that of who asked sudo, else that of the user."""
    behind = environment.get("SUDO_USER", "")
    if behind:
        return behind[:LONGEST]
    try:
        return pwd.getpwuid(user).pw_name[:LONGEST]
    except KeyError:
        return f"user {user}"
