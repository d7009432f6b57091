"""The ports of a node: all that a kind may ask of it, and nothing else.

    host.py       Host, which is all of them as one list; HostError and MovedError
    files.py      files and directories
    trees.py      blobs, and archives unpacked
    kernel.py     sysctls, modules, swap areas
    network.py    links, routes, packet filter
    units.py      systemd
    packages.py   Debian packages, docker's images

Those of keys stand in key_ports.py, that of the agent's own upgrades in upgrade_ports.py.

Laws that every implementation keeps (tests/contracts/ runs one suite on the real
thing and on the fake of saltern_states.testing):

* A reading method never writes and never guesses: what cannot be read raises HostError.
* A writing method that takes `was` raises MovedError, and writes nothing, where the node
  no longer has `was`.
* Every failure is a HostError that starts "cannot ..." and names the thing.
* What a reading method returns is true now: a cache is checked against what the kernel
  says of it (inode, change time, generation) before it is believed.
"""

from saltern_states.ports.files import Entry, Files
from saltern_states.ports.host import Host, HostError, MovedError
from saltern_states.ports.kernel import Modules, Swaps, Sysctls
from saltern_states.ports.network import Backend, Link, Links, RouteEntry, Rules
from saltern_states.ports.packages import Images, Packages
from saltern_states.ports.trees import Blobs, Tree, Trees
from saltern_states.ports.units import Units, UnitState

__all__ = [
    "Backend",
    "Blobs",
    "Entry",
    "Files",
    "Host",
    "HostError",
    "Images",
    "Link",
    "Links",
    "Modules",
    "MovedError",
    "Packages",
    "RouteEntry",
    "Rules",
    "Swaps",
    "Sysctls",
    "Tree",
    "Trees",
    "UnitState",
    "Units",
]
