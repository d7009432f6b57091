"""pyroute2's three rtnetlink messages, without the rest of pyroute2.

Importing the package runs its __init__, which imports all that it has: 376 modules and
28 MiB, asyncio among them. The messages alone are 49 modules and 5 MiB. So the package is
entered in sys.modules as a bare one while they are imported, and taken out again: whoever
imports pyroute2 after this gets the whole.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
import types
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Codec:
    """The classes that write rtnetlink messages."""

    link: Any  # ifinfmsg
    address: Any  # ifaddrmsg
    route: Any  # rtmsg


def load() -> Codec:
    """Import the messages; ImportError where pyroute2 is not installed."""
    bare = "pyroute2" not in sys.modules
    if bare:
        sys.modules["pyroute2"] = _bare_package()
    try:
        return Codec(
            link=importlib.import_module("pyroute2.netlink.rtnl.ifinfmsg").ifinfmsg,
            address=importlib.import_module("pyroute2.netlink.rtnl.ifaddrmsg").ifaddrmsg,
            route=importlib.import_module("pyroute2.netlink.rtnl.rtmsg").rtmsg,
        )
    finally:
        if bare:
            del sys.modules["pyroute2"]


def body(message: Any) -> bytes:  # noqa: ANN401  # pyroute2 has no types
    """Give a message's bytes without the netlink header."""
    message.encode()
    return bytes(message.data[16 : message.length])


def _bare_package() -> types.ModuleType:
    spec = importlib.machinery.PathFinder.find_spec("pyroute2")
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError("cannot find pyroute2; install saltern-agent with what it depends on")
    package = types.ModuleType("pyroute2")
    package.__path__ = list(spec.submodule_search_locations)
    return package
