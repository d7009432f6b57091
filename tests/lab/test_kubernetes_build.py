"""Kubernetes 1.20.2 from Debian's source package says that it is 1.20.2.

The first run builds the kubelet (about 3 minutes on two cores) into ~/.cache/saltern; later
runs find it there.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from saltern_master import cache
from saltern_master.binaries import debian_source
from saltern_master.binaries.add import AddBinaries
from saltern_master.binaries.build_tools import Steps
from saltern_master.binaries.components import COMPONENTS
from saltern_master.library import Library

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]


def test_the_kubelet_is_built_and_says_its_version(tmp_path: Path) -> None:
    library = Library(tmp_path / "home")
    [binary] = AddBinaries(library, Steps(print)).from_debian_source(
        "1.20.2", ["kubelet"], cache.root()
    )
    program = tmp_path / "kubelet"
    program.write_bytes(library.path(binary.sha256).read_bytes())
    program.chmod(0o755)

    said = subprocess.run([program, "--version"], capture_output=True, timeout=30, check=True)
    assert said.stdout == b"Kubernetes v1.20.2\n"
    assert binary.origin == "debian-source"


def test_every_built_component_is_static() -> None:
    shop = debian_source.workshop(cache.root(), "1.20.2")
    built = [shop.programs / name for name in COMPONENTS if (shop.programs / name).is_file()]
    assert shop.programs / "kubelet" in built or not built
    for path in built:
        # readelf is of binutils, which gcc needs: no interpreter means no shared library
        headers = subprocess.run(
            ["/usr/bin/readelf", "--program-headers", "--wide", "--", path],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        assert "INTERP" not in headers.stdout
