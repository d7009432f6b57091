"""The option --home of the commands that work in the master's directory themselves.

* Root makes nothing in a directory of another user's: the master, which runs as that user, could
  not read it, and would not start. What asks the running master has no such bar (cli/remote.py).
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Annotated

import typer


def refuse_root(home: Path) -> Path:
    """Give the directory back, unless root would work in one of another user's: BadParameter."""
    try:
        owner = home.stat().st_uid
    except OSError:  # not there, or not to be seen: who needs it tells that
        return home
    if os.geteuid() or not owner:
        return home
    name = _name_of(owner)
    raise typer.BadParameter(
        f"cannot work in {home} as root: it belongs to {name}, who could not read what root makes "
        f"in there; run: runuser -u {name} -- saltern …"
    )


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


OwnHome = Annotated[
    Path,
    typer.Option(
        "--home", envvar="SALTERN_HOME", help="The master's directory.", callback=refuse_root
    ),
]
