"""The programs that building runs, found once, and how they are run."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saltern_build.errors import PackagingError

ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Tools:
    """Absolute paths of what is run."""

    uv: str
    pip: tuple[str, ...]  # uv cannot download without installing
    nfpm: str
    readelf: str
    strip: str
    environment: Mapping[str, str]


def find(environment: Mapping[str, str]) -> Tools:
    """Find the tools of the checkout that this runs from; PackagingError names what is missing."""
    uv, python = ROOT / ".tools/bin/uv", ROOT / ".tools/bin/python"
    nfpm = Path(sys.executable).with_name("nfpm")
    readelf, strip = Path("/usr/bin/readelf"), Path("/usr/bin/strip")  # of binutils
    missing = [str(one) for one in (uv, python, nfpm, readelf, strip) if not one.exists()]
    if missing:
        raise PackagingError(f"cannot build: no {', '.join(missing)}; `make packages` brings them")
    # The person's settings of package index and proxy; certificates as the system has them.
    given = {"UV_SYSTEM_CERTS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment}
    pip = (str(python), "-m", "pip")
    return Tools(str(uv), pip, str(nfpm), str(readelf), str(strip), {**given, "LC_ALL": "C.UTF-8"})
