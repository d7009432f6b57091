"""What is packed: the agent and the master, and what each needs from its distribution.

Only what is really run is a dependency: the agent speaks netlink itself, so iproute2 is none. It
asks systemd by the system's bus, which systemd itself can do without.
libc and the libraries that compiled modules ask for are found in the wheels (libraries.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from saltern_build.errors import PackagingError
from saltern_build.targets import Format, Target


@dataclass(frozen=True, slots=True)
class Product:
    """One package: its program, what it is made of, what it needs."""

    name: str  # of the package; and of its directory in /usr/lib
    short: str  # as files in packaging/ are named
    program: str  # in /usr/bin
    entry: str  # the module whose main() the program is
    distributions: tuple[str, ...]  # of this repository
    lock: str  # in packaging/locks
    units: tuple[str, ...]
    summary: str
    description: tuple[str, ...]  # paragraphs
    needs: dict[Format, tuple[str, ...]]
    suggests: dict[Format, tuple[str, ...]]
    section: str  # of the manual

    @property
    def tree(self) -> str:
        """Give the directory on a machine that holds the Python modules."""
        return f"/usr/lib/{self.name}"

    def depends(self, target: Target) -> tuple[str, ...]:
        """Give the packages that it cannot do without, but for compiled modules' libraries."""
        return (f"python{target.python}", *self.needs[target.format])


AGENT: Final = Product(
    name="saltern-agent",
    short="agent",
    program="saltern-agent",
    entry="saltern_agent.__main__",
    distributions=("protocol", "states", "agent"),
    lock="agent.txt",
    units=("saltern-agent.service", "saltern-agent-join.service"),
    summary="holds a machine to its signed place in a Kubernetes cluster",
    description=(
        "The agent of Saltern runs on each node. It brings the node to the document that the"
        " master compiled and signed for it: files, packages, units, links, routes, chains of"
        " iptables, images, certificates. Then it holds it there, and tells of drift.",
        "It goes on without a master, and what it manages goes on without the agent: installing,"
        " upgrading and removing this package stops nothing but the agent.",
    ),
    needs={
        "deb": ("dbus | dbus-system-bus", "iptables", "kmod", "systemd"),
        "rpm": ("dbus", "iptables", "kmod", "systemd"),
    },
    suggests={"deb": ("docker.io",), "rpm": ()},
    section="8",
)

MASTER: Final = Product(
    name="saltern-master",
    short="master",
    program="saltern",
    entry="saltern_master.cli",
    distributions=("protocol", "states", "master"),
    lock="master.txt",
    units=("saltern-master.service",),
    summary="turns Linux machines into a Kubernetes cluster and holds them there",
    description=(
        "The master of Saltern compiles a cluster file into one signed document for each node,"
        " hands them to the nodes' agents, rolls changes out wave by wave, and shows how"
        " everything stands. The program is called saltern.",
        "It keeps its keys and its store in one directory, and serves an HTTP API on a unix"
        " socket beside it.",
    ),
    needs={"deb": ("systemd",), "rpm": ("systemd",)},
    suggests={"deb": ("dpkg-dev", "golang-go"), "rpm": ()},  # to build what no site delivers
    section="1",
)

PRODUCTS: Final = (AGENT, MASTER)


def product_named(name: str) -> Product:
    """Find a product by its short name; PackagingError."""
    for product in PRODUCTS:
        if product.short == name:
            return product
    raise PackagingError(f"cannot build {name}: known are agent and master")
