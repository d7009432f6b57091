"""The page of traps is what the doctors' code says, and each trap says where it is known from."""

from __future__ import annotations

import subprocess
import sys

import pytest
from saltern_agent.doctor.traps import TRAPS
from saltern_master.doctor.between import BETWEEN
from saltern_master.doctor.file import TRAPS as IN_A_FILE

from tests.house.tree import ROOT

EVERY = {
    **{one.name: one.find for one in TRAPS},
    **{f"file: {name}": find for name, find in IN_A_FILE.items()},
    **{f"between: {name}": find for name, find in BETWEEN.items()},
}


def test_the_page_is_what_the_code_says() -> None:
    tool = [sys.executable, str(ROOT / "packaging/tools/traps.py"), "--check"]
    done = subprocess.run(tool, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, ""), "run: make docs"


@pytest.mark.parametrize("name", EVERY)
def test_each_trap_says_where_it_is_known_from(name: str) -> None:
    said = EVERY[name].__doc__ or ""
    assert said.partition("Sources:")[2].strip(), name
