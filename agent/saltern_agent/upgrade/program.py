"""The upgrader as one file: modules of this package in a zip that python3 -I -S runs.

It must not need the agent's own tree, which is replaced while it runs. Python runs a zip with a
__main__ in it (zipapp in its library reference), and imports from there what stands there.
"""

from __future__ import annotations

import io
import zipfile
from importlib import resources
from typing import Final

MODULES: Final = ("stages.py", "records.py", "machine.py", "run.py")
PACKAGES: Final = ("saltern_agent/__init__.py", "saltern_agent/upgrade/__init__.py")
MAIN: Final = """\
import sys
from pathlib import Path

from saltern_agent.upgrade.run import main

sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
"""
WHEN: Final = (1980, 1, 1, 0, 0, 0)  # a zip's first day: equal modules give equal bytes


def upgrader() -> bytes:
    """Give the program."""
    own = resources.files("saltern_agent.upgrade")
    members = dict.fromkeys(PACKAGES, "")
    members |= {f"saltern_agent/upgrade/{one}": (own / one).read_text() for one in MODULES}
    members["__main__.py"] = MAIN
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in sorted(members.items()):
            file.writestr(zipfile.ZipInfo(name, WHEN), text)
    return written.getvalue()
