"""Freshly booted nodes of each release of Debian, one at a time, and the packages for them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from saltern_master.lab import Lab, network

from tests.packages.life import Life, lived
from tests.packages.machine import Administered, package

TARGETS = {"bookworm": "deb12", "trixie": "deb13"}


@contextmanager
def booted(suite: str) -> Iterator[Administered]:
    """Boot a bare node of a release of Debian."""
    with booted_all(suite, "w1") as (node,):
        yield node


@contextmanager
def booted_all(suite: str, *names: str) -> Iterator[tuple[Administered, ...]]:
    """Boot bare nodes of a release of Debian, which reach each other."""
    free = network.free(network.links(), network.used_subnets(), first=os.getpid())
    lab = Lab(f"t{os.getpid()}-{secrets.token_hex(2)}", free, suite=suite)
    try:
        yield tuple(map(Administered, lab.up(names)))
    finally:
        lab.down()


@pytest.fixture(scope="module", params=TARGETS)
def life(request: pytest.FixtureRequest) -> Iterator[Life]:
    """The whole life of both packages on one node, and what was seen at each step of it."""
    target = TARGETS[request.param]
    agent, master = package("agent", target), package("master", target)
    with booted(request.param) as node:
        yield lived(node, agent, master)


@pytest.fixture(scope="module", params=TARGETS)
def imaged(request: pytest.FixtureRequest) -> Iterator[Administered]:
    """A node as of an image: both packages are there, and the master runs."""
    target = TARGETS[request.param]
    with booted(request.param) as node:
        node.install(package("master", target), package("agent", target))
        node.master("init", "--cluster", "demo")
        node.must("systemctl", "start", "saltern-master")
        yield node
