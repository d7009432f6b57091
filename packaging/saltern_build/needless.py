"""What of an installed wheel no machine needs: pure, path by path.

Compiled bytecode is made on the machine and removed with the package. What pip notes for itself
(RECORD, INSTALLER …) would be untrue: dpkg and rpm say what is installed. Licences go to where
the distribution looks for them. cffi is here for its compiled module alone, which cryptography
loads: the compiler of C declarations is for those who build.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

from saltern_build.components import is_licence

OURS: Final = ("saltern_protocol", "saltern_states", "saltern_agent", "saltern_master")
_FOLDERS: Final = frozenset({"__pycache__", "tests"})
_TOPS: Final = frozenset({"bin", "cffi", "pycparser"})
_SOURCES: Final = frozenset({".pyi", ".pyx", ".pxd", ".pxi", ".c", ".h", ".hpp", ".cpp"})
_FOR_OTHERS: Final = re.compile(  # PyPy's way to libzmq; marks for type checkers; pages
    r"zmq/backend/cffi/|.*/py\.typed\Z|.*\.md\Z"
)
_KEPT_OF_DIST: Final = frozenset({"METADATA"})  # importlib.metadata asks it for versions


def is_needless(path: PurePosixPath) -> bool:
    """Say whether a file, by its path in the tree, is left out."""
    top = path.parts[0]
    if top in _TOPS or path.name == ".lock":
        return True
    if top.endswith(".dist-info"):
        return path.name not in _KEPT_OF_DIST or len(path.parts) != 2 or _of_needless(top)
    if _FOLDERS.intersection(path.parts[:-1]):
        return True
    if is_licence(path):
        return True  # it stands in the package's copyright
    return top not in OURS and (path.suffix in _SOURCES or _FOR_OTHERS.match(str(path)) is not None)


def _of_needless(dist_info: str) -> bool:
    return dist_info.partition("-")[0] in _TOPS
