"""The node, as a kind sees it: all its ports as one list, and how they say no."""

from __future__ import annotations

from typing import Protocol

from saltern_states.key_ports import Certificates, Secrets
from saltern_states.ports.files import Files
from saltern_states.ports.kernel import Modules, Swaps, Sysctls
from saltern_states.ports.network import Links, Rules
from saltern_states.ports.packages import Images, Packages
from saltern_states.ports.trees import Blobs, Trees
from saltern_states.ports.units import Units
from saltern_states.upgrade_ports import Upgrades


class HostError(Exception):
    """The node would not do what was asked. `detail`: the lines of a program that said so."""

    def __init__(self, why: str = "", detail: str = "") -> None:
        super().__init__(why)
        self.detail = detail


class MovedError(HostError):
    """The node changed between plan and apply."""


class Host(Protocol):
    """The node, as a kind sees it."""

    @property
    def files(self) -> Files:
        """Its files."""
        ...

    @property
    def trees(self) -> Trees:
        """Archives unpacked on it."""
        ...

    @property
    def blobs(self) -> Blobs:
        """Contents that were brought to it."""
        ...

    @property
    def sysctls(self) -> Sysctls:
        """Its kernel parameters."""
        ...

    @property
    def modules(self) -> Modules:
        """Its kernel modules."""
        ...

    @property
    def swaps(self) -> Swaps:
        """Its swap areas."""
        ...

    @property
    def links(self) -> Links:
        """Its links and routes."""
        ...

    @property
    def rules(self) -> Rules:
        """Its packet filter."""
        ...

    @property
    def units(self) -> Units:
        """Its systemd."""
        ...

    @property
    def packages(self) -> Packages:
        """Its packages."""
        ...

    @property
    def upgrades(self) -> Upgrades:
        """What replaces the agent itself."""
        ...

    @property
    def images(self) -> Images:
        """Its docker's images."""
        ...

    @property
    def certificates(self) -> Certificates:
        """Its private keys and certificates."""
        ...

    @property
    def secrets(self) -> Secrets:
        """What was sealed to it."""
        ...
