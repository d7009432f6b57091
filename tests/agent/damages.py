"""Ways to damage a watched file, its directory or what leads there; and what is no damage.

One table for every filesystem that the events are tried on.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

Damage = Callable[[Path], None]

FILE = Path("etc/app/conf.d/app.conf")
DIRECTORY = Path("etc/app/conf.d")


def lay(root: Path) -> None:
    """Make the tree that the damages are done to."""
    (root / DIRECTORY).mkdir(parents=True)
    (root / "elsewhere").mkdir()
    for name in ("app.conf", "neighbour.conf"):
        (root / DIRECTORY / name).write_text("one\n")


def edit(root: Path) -> None:
    with (root / FILE).open("r+") as file:
        file.write("two\n")


def append(root: Path) -> None:
    with (root / FILE).open("a") as file:
        file.write("two\n")


def truncate(root: Path) -> None:
    os.truncate(root / FILE, 1)


def replace(root: Path) -> None:
    new = root / "elsewhere/new"
    new.write_text("two\n")
    new.rename(root / FILE)


def delete(root: Path) -> None:
    (root / FILE).unlink()


def make_anew(root: Path) -> None:
    (root / FILE).unlink()
    (root / FILE).write_text("one\n")


def rename_away(root: Path) -> None:
    (root / FILE).rename(root / "elsewhere/app.conf")


def change_mode(root: Path) -> None:
    (root / FILE).chmod(0o600)


def edit_by_another_name(root: Path) -> None:
    other = root / "elsewhere/link"
    other.hardlink_to(root / FILE)
    with other.open("r+") as file:
        file.write("two\n")


def swap_in_symlink(root: Path) -> None:
    (root / FILE).unlink()
    (root / FILE).symlink_to("/dev/null")


def directory_in_its_place(root: Path) -> None:
    (root / FILE).unlink()
    (root / FILE).mkdir()


def replace_directory(root: Path) -> None:
    shutil.copytree(root / DIRECTORY, root / "elsewhere/conf.d")
    (root / DIRECTORY).rename(root / "elsewhere/old")
    (root / "elsewhere/conf.d").rename(root / DIRECTORY)


def directory_away_and_back(root: Path) -> None:
    (root / DIRECTORY).rename(root / "elsewhere/old")
    (root / "elsewhere/old").rename(root / DIRECTORY)


def parent_away(root: Path) -> None:
    (root / "etc/app").rename(root / "elsewhere/app")


def parent_away_and_back(root: Path) -> None:
    (root / "etc").rename(root / "etc.old")
    (root / "etc.old").rename(root / "etc")


def parent_swapped_for_symlink(root: Path) -> None:
    (root / "etc/app").rename(root / "elsewhere/app")
    (root / "etc/app").symlink_to(root / "elsewhere/app")


def delete_tree(root: Path) -> None:
    shutil.rmtree(root / "etc")


def tree_anew(root: Path) -> None:
    shutil.rmtree(root / "etc")
    (root / DIRECTORY).mkdir(parents=True)
    (root / FILE).write_text("two\n")


def add_entry(root: Path) -> None:
    (root / DIRECTORY / "stray.conf").write_text("")


def remove_entry(root: Path) -> None:
    (root / DIRECTORY / "neighbour.conf").unlink()


def change_directory_mode(root: Path) -> None:
    (root / DIRECTORY).chmod(0o700)


FILE_DAMAGES: tuple[Damage, ...] = (
    edit,
    append,
    truncate,
    replace,
    delete,
    make_anew,
    rename_away,
    change_mode,
    edit_by_another_name,
    swap_in_symlink,
    directory_in_its_place,
)
BOTH_DAMAGES: tuple[Damage, ...] = (
    replace_directory,
    directory_away_and_back,
    parent_away,
    parent_away_and_back,
    parent_swapped_for_symlink,
    delete_tree,
    tree_anew,
)
DIRECTORY_DAMAGES: tuple[Damage, ...] = (add_entry, remove_entry, change_directory_mode)


def read_it(root: Path) -> None:
    (root / FILE).read_text()
    sorted((root / DIRECTORY).iterdir())


def edit_neighbour(root: Path) -> None:
    neighbour = root / DIRECTORY / "neighbour.conf"
    neighbour.write_text("two\n")
    neighbour.chmod(0o600)


def own_temporary(root: Path) -> None:
    temporary = root / DIRECTORY / ".saltern-0123456789abcdef"
    temporary.write_text("two\n")
    temporary.unlink()


def beside_the_way(root: Path) -> None:
    (root / "etc/other").mkdir()
    (root / "etc/other/app.conf").write_text("two\n")
    (root / "etc/app/app.conf").write_text("two\n")
    (root / "etc/app/conf.d.bak").write_text("two\n")
    (root / "etc/app/conf.d.bak").rename(root / "etc/app/conf.e")
    (root / "etc/app").chmod(0o700)


HARMLESS: tuple[Damage, ...] = (read_it, edit_neighbour, own_temporary, beside_the_way)
