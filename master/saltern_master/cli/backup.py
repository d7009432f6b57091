"""saltern backup and saltern restore: HOME as one file, and the way back, without the master."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from saltern_master.cli.amounts import mb, progress
from saltern_master.cli.listing import Output, fields, write
from saltern_master.cli.moments import clock, moment, zone
from saltern_master.cli.output import say
from saltern_master.cli.own_home import OwnHome
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import FileError, UsageError, refusals_told
from saltern_master.cli.remote import HomePath

if TYPE_CHECKING:
    from saltern_master.backup.manifest import LeftOut, Manifest

FilePath = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]


def backup(
    file: FilePath,
    home: HomePath = DEFAULT_HOME,
    without_blobs: Annotated[
        bool,
        typer.Option(
            "--without-blobs", help="Leave out what binaries, images and packages add can bring."
        ),
    ] = False,
    without_offline_keys: Annotated[
        bool, typer.Option("--without-offline-keys", help="Leave out the root and policy keys.")
    ] = False,
    show: Annotated[
        bool, typer.Option("--show", help="Make nothing: say what is in the backup FILE.")
    ] = False,
    output: Output = Output.TABLE,
) -> None:
    """Copy all that the master must not lose to a new FILE, while it runs. FILE holds its keys."""
    with refusals_told():
        if show:
            if without_blobs or without_offline_keys:
                raise UsageError("cannot leave anything out with --show: it only reads FILE")
            _show(file, output)
            return
        from saltern_master.backup.take import take
        from saltern_master.signing.home import Home

        without = _left_out(without_blobs, without_offline_keys)
        made = take(Home(home), file, without, clock(), progress())
        write(_told(made, file), output, _lines(made, file, output))
        _warn(made, file)


def restore(file: FilePath, home: OwnHome = DEFAULT_HOME) -> None:
    """Bring a backup back, where no master runs and HOME is empty or not there."""
    with refusals_told():
        _there(file)
        from saltern_master.backup.restore import restore as put_back

        made = put_back(home, file, clock(), progress())
        for line in _afterwards(made, home):
            say(line)


def _left_out(blobs: bool, keys: bool) -> tuple[LeftOut, ...]:
    found: list[LeftOut] = []
    if blobs:
        found.append("blobs")
    if keys:
        found.append("offline-keys")
    return tuple(found)


def _show(file: Path, output: Output) -> None:
    _there(file)
    from saltern_master.backup.archive import read_manifest

    manifest = read_manifest(file)
    write(_told(manifest, file), output, _lines(manifest, file, output))


def _there(file: Path) -> None:
    if not file.is_file():
        raise FileError(f"cannot read {file}: there is no such file")


class Told(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A backup, as programs are shown it."""

    file: str
    manifest: object
    size: int
    keys: tuple[str, ...]


def _told(manifest: Manifest, file: Path) -> Told:
    return Told(file=str(file), manifest=manifest, size=manifest.size, keys=manifest.keys)


def _lines(manifest: Manifest, file: Path, output: Output) -> Iterator[str]:
    blobs = [part for part in manifest.parts if part.name.startswith("blobs/")]
    nodes = [f"{one.name} ({one.state}, version {one.version})" for one in manifest.nodes]
    yield from fields(
        (
            ("backup", str(file)),
            ("cluster", manifest.cluster),
            ("taken", moment(manifest.taken, clock(), zone())),
            ("release", manifest.release),
            ("revision", str(manifest.revision)),
            ("files", f"{len(manifest.parts) - len(blobs)}, and {len(blobs)} blobs"),
            ("size", mb(manifest.size)),
            ("keys", " ".join(manifest.keys)),
            ("left out", ", ".join(manifest.left_out)),
            ("blobs missing", str(len(manifest.missing))),
            ("nodes", ", ".join(nodes)),
        )
    )
    if output is Output.WIDE:
        yield from (f"{part.sha256}  {part.size:>12}  {part.name}" for part in manifest.parts)


def _warn(manifest: Manifest, file: Path) -> None:
    say(f"{file} holds {len(manifest.keys)} secret keys of the cluster: keep it as you keep those")
    if "keys/root.key" in manifest.keys:
        say("keys/root.key is one of them, which belongs off this machine: --without-offline-keys")


def _afterwards(manifest: Manifest, home: Path) -> Iterator[str]:
    taken = moment(manifest.taken, clock(), zone())
    speak = [one.name for one in manifest.nodes if one.state in ("joined", "removing")]
    yield f"restored {home} as it was {taken}; what came after that is not in it:"
    yield f"  nodes that may speak: {', '.join(speak) or 'none'}; revoke again who was revoked"
    yield "  nodes that joined since are strangers: make tokens and join them again"
    yield "  then start the master, and apply your cluster file again; saltern status tells more"
    if manifest.missing:
        yield (
            f"  {len(manifest.missing)} blobs are not here: bring them with saltern binaries, "
            "images and packages add, before you apply"
        )
    if "offline-keys" in manifest.left_out:
        yield "  the root and policy keys are not here: bring them from where they are, when needed"
