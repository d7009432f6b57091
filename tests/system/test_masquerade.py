"""Our chains' rules are written as iptables-save prints them, by both back ends."""

from __future__ import annotations

import subprocess

import pytest
from saltern_master.cluster.load import load
from saltern_master.compile.allocation import Allocation
from saltern_master.compile.cluster import compile_cluster
from saltern_states.chain import Chain

from tests.master.clusters import SMALL, STOCK

pytestmark = pytest.mark.system


def chains() -> list[Chain]:
    body = compile_cluster(load(SMALL.encode()), {}, Allocation(), STOCK).nodes[0].body
    return [one.spec for one in body.resources if isinstance(one.spec, Chain)]


@pytest.mark.parametrize("backend", ["nft", "legacy"])
@pytest.mark.parametrize("chain", chains(), ids=lambda chain: str(chain.name))
def test_what_is_restored_is_saved_alike(backend: str, chain: Chain) -> None:
    lines = [f"-A {chain.name} {rule}" for rule in chain.rules]
    text = "\n".join([f"*{chain.table}", f":{chain.name} - [0:0]", *lines, "COMMIT", ""])
    tool = f"/usr/sbin/iptables-{backend}"
    saved = subprocess.run(
        ["/usr/bin/unshare", "--net", "/bin/sh", "-c", f"{tool}-restore && {tool}-save"],
        input=text,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout
    assert [line for line in saved.splitlines() if line.startswith("-A ")] == lines
