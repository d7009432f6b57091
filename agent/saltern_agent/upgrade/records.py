"""What of an upgrade is on the disk, and what the new agent tells of itself: JSON, each file whole.

    DIR/order.json     what was handed over; while it is there, an upgrade is under way
    DIR/stage.json     where it is; not there: it was not begun
    DIR/ended.json     how the last one ended
    DIR/new.deb        the package that is tried
    DIR/old.deb        the way back; kept afterwards: the release before this one
    DIR/reserve        space that going back may need, where the disk is full by then
    DIR/upgrader.pyz   the program (program.py)
    RUN/reached        what the agent that runs tells of itself; dies with a boot

* A file appears under its name once its bytes are on the disk, and the name is before anything is
  done that it tells of. RUN is memory: there only the rename counts.
* What cannot be read as what it should be is not there: an order is written whole or not at all.
* Two releases speak by these files: the upgrader is of the one before, `reached` is written by the
  one after. What a release adds the other passes over, so what is here never changes its meaning.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from saltern_agent.upgrade.stages import BEGIN, Order, Package, Stage, Told

FORMAT = 1
T = TypeVar("T")


@dataclass(frozen=True)
class Ended:
    """How an upgrade ended. `at`: Unix seconds."""

    version: str
    sha256: str
    attempt: int
    done: bool
    why: str
    at: float


@dataclass(frozen=True)
class Records:
    """The files of one node's upgrades."""

    state: Path
    run: Path

    @property
    def order_path(self) -> Path:
        """Where the order is."""
        return self.state / "order.json"

    @property
    def new(self) -> Path:
        """The package that is tried."""
        return self.state / "new.deb"

    @property
    def old(self) -> Path:
        """The way back."""
        return self.state / "old.deb"

    @property
    def reserve(self) -> Path:
        """Space that is let go of when it is needed."""
        return self.state / "reserve"

    @property
    def program(self) -> Path:
        """The upgrader."""
        return self.state / "upgrader.pyz"

    def under_way(self) -> bool:
        """Say whether an upgrade is under way. Costs one call of the kernel."""
        return self.order_path.exists()

    def order(self) -> Order | None:
        """Give the order; None: there is none."""
        return _ordered(_read(self.order_path))

    def drop_unreadable(self) -> bool:
        """Take away an order that is none: nobody can go on with it, and an agent would rest.

        OSError: it is there, and cannot be read now.
        """
        try:
            content = self.order_path.read_bytes()
        except FileNotFoundError:
            return False
        if _ordered(_plain(content)) is not None:
            return False
        self.order_path.unlink()
        sync(self.state)
        return True

    def write_order(self, order: Order) -> None:
        """Hand over: from here on the upgrade ends, done or gone back. OSError."""
        (self.state / "stage.json").unlink(missing_ok=True)
        sync(self.state)
        write(self.order_path, asdict(order))

    def stage(self) -> Stage:
        """Give where it is."""
        return _made(Stage, _read(self._stage)) or BEGIN

    def keep(self, stage: Stage) -> None:
        """Have a stage on the disk; what is not wanted any more makes room for it. OSError."""
        try:
            write(self._stage, asdict(stage))
        except OSError:
            self.let_go_of_reserve()
            if stage.name != "installing":  # it is installed by then, or never will be
                self.new.unlink(missing_ok=True)
            write(self._stage, asdict(stage))

    def ended(self) -> Ended | None:
        """Give how the last one ended; None: there was none."""
        return _made(Ended, _read(self.state / "ended.json"))

    def end(self, ended: Ended) -> None:
        """Tell how it ended; then, and not before, none is under way any more. OSError.

        Nothing is touched after that: the next upgrade may have begun.
        """
        self.let_go_of_reserve()
        self.new.unlink(missing_ok=True)
        write(self.state / "ended.json", asdict(ended))
        self.order_path.unlink(missing_ok=True)
        sync(self.state)

    def let_go_of_reserve(self) -> None:
        """Make room."""
        with suppress(OSError):
            self.reserve.unlink(missing_ok=True)

    def told(self) -> Told | None:
        """Give what the agent tells of itself."""
        return _made(Told, _read(self._told))

    def tell(self, told: Told) -> None:
        """Tell it. OSError."""
        write(self._told, asdict(told), durable=False)

    @property
    def _stage(self) -> Path:
        return self.state / "stage.json"

    @property
    def _told(self) -> Path:
        return self.run / "reached"


def write(path: Path, plain: dict[str, Any], *, durable: bool = True) -> None:
    """Put a whole file in place of what is there. OSError."""
    temporary = path.with_name(f".{path.name}.part")  # one process writes each of them
    with temporary.open("w", encoding="utf-8") as file:
        json.dump({"format": FORMAT, **plain}, file)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    temporary.replace(path)
    if durable:
        sync(path.parent)


def sync(directory: Path) -> None:
    """Have a directory's names on its disk. OSError."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path) -> dict[str, Any]:
    """Give what a file of ours says; nothing where it is none."""
    try:
        return _plain(path.read_bytes())
    except OSError:
        return {}


def _plain(content: bytes) -> dict[str, Any]:
    try:
        plain = json.loads(content)
    except ValueError:
        return {}
    return plain if isinstance(plain, dict) and plain.get("format") == FORMAT else {}


def _ordered(plain: dict[str, Any]) -> Order | None:
    new, old = (_made(Package, plain.get(name)) for name in ("new", "old"))
    if new is None or old is None:
        return None
    return _made(Order, {**plain, "new": new, "old": old})


def _made(kind: type[T], plain: object) -> T | None:
    """Make a value of what it knows in a map; None: something is lacking."""
    known = {one.name for one in fields(kind)}  # type: ignore[arg-type]  # a dataclass, each
    if not isinstance(plain, dict):
        return None
    try:
        return kind(**{name: value for name, value in plain.items() if name in known})
    except TypeError:
        return None
