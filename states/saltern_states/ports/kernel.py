"""What the kernel of a node has now: parameters, modules, swap areas."""

from __future__ import annotations

from typing import Literal, Protocol


class Sysctls(Protocol):
    """Kernel parameters as they are now, by dotted key."""

    def read(self, key: str) -> str | None:
        """Give the value as the kernel prints it, without the newline; None: no such parameter."""
        ...

    def write(self, key: str, was: str, value: str) -> None:
        """Set it, if it still is `was`."""
        ...


class Modules(Protocol):
    """Kernel modules."""

    def state(self, name: str) -> Literal["built-in", "loaded", "absent"]:
        """Say whether the kernel has it now ("-" and "_" are one)."""
        ...

    def load(self, name: str) -> None:
        """modprobe it."""
        ...


class Swaps(Protocol):
    """Swap areas in use."""

    def active(self) -> tuple[str, ...]:
        """Give their names, sorted, as /proc/swaps prints them."""
        ...

    def off(self, name: str) -> None:
        """Stop using one."""
        ...
