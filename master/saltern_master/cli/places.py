"""Where the master's directory is, where nothing else is said."""

from __future__ import annotations

from pathlib import Path
from typing import Final

DEFAULT_HOME: Final = Path("/var/lib/saltern")
