"""Kernel parameters, modules and swap areas in memory, as a kernel treats them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from saltern_states.ports import HostError, MovedError


class FakeSysctls:
    """Parameters in a dict. Rows of numbers read back with tabs, as the kernel prints them."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self.values = dict(values or {})
        self.read_only: set[str] = set()

    def read(self, key: str) -> str | None:
        """Give the value."""
        return self.values.get(key)

    def write(self, key: str, was: str, value: str) -> None:
        """Set it, if it still is `was`."""
        have = self.values.get(key)
        if have is None:
            raise HostError(f"cannot set {key}: this kernel has no such parameter")
        if have != was:
            raise MovedError(f"cannot set {key}: expected {was!r}, found {have!r}; plan again")
        if key in self.read_only:
            raise HostError(f"cannot set {key} to {value!r}: it is read-only here")
        words = value.split()
        numbers = all(word.lstrip("-").isdecimal() for word in words)
        self.values[key] = "\t".join(words) if numbers else value


class FakeModules:
    """Modules by name: what is built in, what is loaded, and what modprobe would find."""

    def __init__(
        self,
        built_in: Iterable[str] = (),
        loaded: Iterable[str] = (),
        loadable: Iterable[str] = (),
    ) -> None:
        self.built_in = {_plain(name) for name in built_in}
        self.loaded = {_plain(name) for name in loaded}
        self.loadable = {_plain(name) for name in loadable}

    def state(self, name: str) -> Literal["built-in", "loaded", "absent"]:
        """Say whether the kernel has it."""
        if _plain(name) in self.built_in:
            return "built-in"
        return "loaded" if _plain(name) in self.loaded else "absent"

    def load(self, name: str) -> None:
        """Load it, if modprobe would find it."""
        if self.state(name) != "absent":
            return
        if _plain(name) not in {_plain(each) for each in self.loadable}:
            raise HostError(
                f"cannot load module {name}: modprobe: FATAL: Module {name} not found; "
                "install the package of the running kernel's modules"
            )
        self.loaded.add(_plain(name))


class FakeSwaps:
    """Swap areas in use."""

    def __init__(self, areas: Iterable[str] = ()) -> None:
        self.areas = set(areas)

    def active(self) -> tuple[str, ...]:
        """Give their names, sorted."""
        return tuple(sorted(self.areas))

    def off(self, name: str) -> None:
        """Stop using one."""
        if name not in self.areas:
            raise MovedError(f"cannot stop swapping on {name}: it is not in use; plan again")
        self.areas.remove(name)


def _plain(name: str) -> str:
    return name.replace("-", "_")
