"""Where the master's directory is, where nothing else is said.

Not the agent's /var/lib/saltern: a machine may be a node and have the master, and the two are not
of one user. packaging/systemd/saltern-master.service and its tmpfiles.d name it too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

DEFAULT_HOME: Final = Path("/var/lib/saltern-master")
