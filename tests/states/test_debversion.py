"""Versions: the order of Debian Policy, and dpkg's own word on any two."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from saltern_states.debversion import compare

DPKG = Path("/usr/bin/dpkg")
RISING = [
    "0~rc1", "0", "0.1", "0.9", "0.10", "1.0~~", "1.0~~a", "1.0~", "1.0", "1.0-0.1", "1.0-1",
    "1.0-1+b1", "1.0-1+deb12u1", "1.0a", "1.0+dfsg", "1.0.1", "2", "1:0", "1:0.5-3", "2:0",
]  # fmt: skip
PARTS = st.text("0123459aZ.+~-", max_size=8)
VERSIONS = st.builds(
    "{}{}{}".format, st.sampled_from(["", "0:", "2:"]), st.sampled_from("019"), PARTS
)


@pytest.mark.parametrize(
    ("low", "high"), list(itertools.pairwise(RISING)), ids=lambda version: str(version)
)
def test_the_order(low: str, high: str) -> None:
    assert (compare(low, high), compare(high, low), compare(low, low)) == (-1, 1, 0)


@pytest.mark.parametrize(
    ("one", "same"), [("1.0", "1.0-0"), ("1", "01"), ("0:1", "1"), ("1.", "1.0")]
)
def test_what_is_one_version(one: str, same: str) -> None:
    assert compare(one, same) == compare(same, one) == 0


@pytest.mark.skipif(not DPKG.exists(), reason="no dpkg here")
@given(
    VERSIONS.filter(lambda text: not text.endswith("-")),
    VERSIONS.filter(lambda text: not text.endswith("-")),
)
@settings(max_examples=150, deadline=None)
def test_it_is_as_dpkg_says(one: str, other: str) -> None:
    relation = {-1: "lt", 0: "eq", 1: "gt"}[compare(one, other)]
    command = [str(DPKG), "--compare-versions", one, relation, other]
    assert subprocess.run(command, check=False, timeout=10).returncode == 0
