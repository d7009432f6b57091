"""unit: a systemd unit, enabled and running, and started with the declared files.

A restart is state, not an event: a service that lives by files gets a drop-in that records
what it was started with (started.py), and is converged only while that record is of the
invocation that runs now and holds the declared hashes.

* What runs with the declared content is left alone, whatever somebody did to the file since:
  the file is another resource's business.
* `sha256` "" declares a file as it is on disk now: what was started with another starts anew.
* What must be started, restarted or reloaded waits until every declared file is on disk as
  declared: Blocked until then, so nothing restarts for nothing.
* Only services record; a socket, timer or target that declares files is refused.
* A unit that ends by itself (a oneshot without RemainAfterExit=) is never "running".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from saltern_protocol.policy import Claim

from saltern_states.changes import (
    RemovePath,
    SetAccess,
    SmallFile,
    observe_file,
    remove_file,
)
from saltern_states.contract import (
    BY_PACKAGE,
    AbsolutePath,
    Blocked,
    Change,
    Kind,
    Spec,
    UnitName,
    Watch,
    WatchPath,
    WatchUnit,
    mended,
)
from saltern_states.package import InstallPackages
from saltern_states.ports import Entry, Host, UnitState
from saltern_states.started import (
    DROP_IN,
    Record,
    drop_in,
    drop_in_path,
    in_force,
    parse,
    record_path,
    reload_path,
)
from saltern_states.unit_changes import (
    AT_REST,
    ENABLED,
    NOT_YET_ENABLED,
    RUNNING,
    DisableUnit,
    EnableUnit,
    ReloadDaemon,
    ReloadUnit,
    RestartUnit,
    StartUnit,
    StopUnit,
    UnitChange,
    UnmaskUnit,
    apply_unit,
    flat,
    is_old_copy,
    misplaced,
    path_of,
    put_drop_in,
)

TO_COME = "to come"
"""The hash of a content that is yet to be written, and that nobody knows: it is like no other."""


class LivesBy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that the unit reads, its content, and what a new content asks for.

    `sha256` "": whatever the file holds now, as long as one stands there.
    """

    path: AbsolutePath
    sha256: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z")]
    on_change: Literal["restart", "reload"] = "restart"

    def declared(self, there: str) -> str:
        """Give the hash that counts, `there` being that of what is on disk now; "": none does."""
        return self.sha256 or there


class Unit(Spec, frozen=True, kw_only=True, tag="unit/1"):
    """A unit. It is converged when the process that runs now was started with `files` as declared.

    `binary`: the file that its main process shall run, compared by /proc/MAINPID/exe.
    `ends_work`: what it runs for others ends with its process, as containers do with a docker that
    has no live-restore; so a restart asks for the node to be drained first.
    """

    unit: UnitName
    enabled: bool = True
    running: bool = True
    files: tuple[LivesBy, ...] = ()
    binary: AbsolutePath | None = None
    ends_work: bool = False

    def __post_init__(self) -> None:
        """Refuse what could never be checked."""
        if not self.unit.endswith(".service") and (self.files or self.binary):
            raise ValueError(
                f"{self.unit}: only a service records what it was started with; "
                "leave files and binary out"
            )
        if len({file.path for file in self.files}) < len(self.files):
            raise ValueError(f"{self.unit}: a file is declared twice")


@dataclass(frozen=True, slots=True)
class Observed:
    """What systemd says, what was recorded, and what is on disk now."""

    state: UnitState
    drop_in: SmallFile
    folder: Entry | None  # that holds the drop-ins
    siblings: tuple[str, ...]  # all names in it
    started: SmallFile
    reloaded: SmallFile
    on_disk: tuple[str, ...]  # SHA-256 of each declared file; "" where none stands there
    binary_there: bool
    runs_binary: bool

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self.state.active in RUNNING

    @property
    def masked(self) -> bool:
        """Whether a mask hides its unit file."""
        return self.state.load == "masked" or self.state.enabled.startswith("masked")


def observe(host: Host, want: Unit) -> Observed:
    """Ask systemd, and read the drop-in and the records."""
    state = host.units.state(want.unit)
    path = drop_in_path(want.unit)
    folder = host.files.look(path.parent)
    disk = [host.files.look(Path(file.path)) for file in want.files]
    there = want.binary is None or host.files.look(Path(want.binary)) is not None
    return Observed(
        state=state,
        drop_in=observe_file(host, path),
        folder=folder,
        siblings=host.files.names(path.parent) if folder and folder.type == "directory" else (),
        started=observe_file(host, record_path(want.unit)),
        reloaded=observe_file(host, reload_path(want.unit)),
        on_disk=tuple(entry.sha256 if entry else "" for entry in disk),
        binary_there=there,
        runs_binary=not want.binary
        or (
            there
            and state.main_pid > 0
            and host.units.runs_binary(state.main_pid, Path(want.binary))
        ),
    )


def diff(want: Unit, have: Observed) -> tuple[UnitChange | Blocked, ...]:
    """Give what is lacking, or what hinders it."""
    changes = lacking(want, have)
    if changes and (why := misplaced(drop_in_path(want.unit), have.drop_in, have.folder)):
        return (Blocked(why, changes),)
    why = hindrance(want, have, changes)
    return (Blocked(why, changes, BY_PACKAGE),) if why else changes


def lacking(want: Unit, have: Observed) -> tuple[UnitChange, ...]:
    """Give all changes in order, as if nothing stood in their way."""
    written = drop_in_changes(want, have)
    reload = written or (needed(want) and is_old_copy(have.state))
    return (
        *written,
        *((ReloadDaemon(unit=want.unit),) if reload else ()),
        *enabling(want, have),
        *activity(want, have),
        *disabling(want, have),
    )


def hindrance(want: Unit, have: Observed, changes: tuple[UnitChange, ...]) -> str:
    """Say what keeps the changes from being made; "" where nothing does."""
    if needed(want) and not have.masked:
        if not have.state.enabled:  # whatever systemd still holds of it
            return f"there is no unit {want.unit}"
        if have.state.load != "loaded" and not is_old_copy(have.state):
            return f"systemd cannot use the file of {want.unit}: {have.state.load}"
    begins = any(isinstance(change, StartUnit | RestartUnit | ReloadUnit) for change in changes)
    return not_ready(want, have) if begins else ""


def not_ready(want: Unit, have: Observed) -> str:
    """Say which of the things that the process lives by are not on disk as declared."""
    if not have.binary_there:
        return f"there is no {want.binary}"
    pairs = zip(want.files, have.on_disk, strict=True)
    wrong = [file.path for file, found in pairs if not found or file.declared(found) != found]
    return f"not as declared: {', '.join(wrong)}" if wrong else ""


def needed(want: Unit) -> bool:
    """Say whether there is anything that it shall do."""
    return want.enabled or want.running


def declared_drop_in(want: Unit) -> bytes:
    """Give the drop-in's text; b"" where none is called for."""
    if not want.files or not needed(want):
        return b""
    paths = sorted(file.path for file in want.files)
    again = sorted(file.path for file in want.files if file.on_change == "reload")
    return drop_in(want.unit, paths, again)


def drop_in_changes(want: Unit, have: Observed) -> tuple[UnitChange, ...]:
    """Write the drop-in, with its directory; or take away one that is called for no more."""
    text = declared_drop_in(want)
    return put_drop_in(drop_in_path(want.unit), text, have.drop_in, have.folder)


def enabling(want: Unit, have: Observed) -> tuple[UnitChange, ...]:
    """Unmask and enable. What a mask hides is not known, so it is enabled in any case."""
    unmask = (UnmaskUnit(unit=want.unit),) if have.masked and needed(want) else ()
    if not want.enabled or not (have.masked or have.state.enabled in NOT_YET_ENABLED):
        return unmask
    return (*unmask, EnableUnit(unit=want.unit))


def disabling(want: Unit, have: Observed) -> tuple[UnitChange, ...]:
    """Disable, where it shall not start at boot; what is masked starts never."""
    hidden = have.masked and want.running  # enabling() takes that mask away
    if want.enabled or not (hidden or have.state.enabled in ENABLED):
        return ()
    return (DisableUnit(unit=want.unit),)


def activity(want: Unit, have: Observed) -> tuple[UnitChange, ...]:
    """Stop, start, restart or reload: at most one."""
    state = have.state
    if not want.running:
        return () if state.active in AT_REST else (_stop(want, have),)
    if not have.running:
        return (StartUnit(unit=want.unit, was=state.active),)
    restart, reload = reasons(want, have)
    if restart:
        begun, why = state.invocation, (*restart, *reload)
        ends = want.ends_work
        return (RestartUnit(unit=want.unit, invocation=begun, why=why, ends_work=ends),)
    if reload:
        return (ReloadUnit(unit=want.unit, invocation=state.invocation, why=reload),)
    return ()


def _stop(want: Unit, have: Observed) -> StopUnit:
    return StopUnit(unit=want.unit, was=have.state.active, ends_work=want.ends_work)


def succeed(want: Unit, was: Unit) -> Unit:
    """Let what runs end as it was begun: its work ends with it if it did when it was started."""
    return msgspec.structs.replace(want, ends_work=want.ends_work or was.ends_work)


def reasons(want: Unit, have: Observed) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Say why what runs must be restarted, and why reloaded."""
    started = of_now(have.started, have.state)
    can_reload = have.state.can_reload or have.masked  # a mask hides whether it can
    reloaded = of_now(have.reloaded, have.state) if can_reload else None
    restart: list[str] = []
    reload: list[str] = []
    if want.files and started is not None and not started.current:
        restart.append("it was started from an old copy of its unit file")
    if not have.runs_binary:
        restart.append(f"it does not run the {want.binary} that is there now")
    for file, there in zip(want.files, have.on_disk, strict=True):
        again = file.on_change == "reload"
        found = in_force(file.path, started, reloaded if again else None)
        if file.declared(there) in (found, ""):
            continue
        why = f"it runs with another {file.path}"
        if found is None:
            why = f"nothing recorded which {file.path} it runs with"
        (reload if again and can_reload else restart).append(why)
    return tuple(restart), tuple(reload)


def of_now(record: SmallFile, state: UnitState) -> Record | None:
    """Give a record if it is of the invocation that runs now."""
    found = parse(record.content)
    return found if found is not None and found.invocation == state.invocation else None


def remove(want: Unit, have: Observed) -> tuple[UnitChange | Blocked, ...]:
    """Stop and disable it, and take the drop-in and the records away."""
    path, state = drop_in_path(want.unit), have.state
    stop = want.running and state.active not in AT_REST
    disable = want.enabled and state.enabled in ENABLED
    gone = flat(remove_file(path, have.drop_in))
    folder = have.folder if gone and have.siblings == (DROP_IN,) else None
    return (
        *((_stop(want, have),) if stop else ()),
        *((DisableUnit(unit=want.unit),) if disable else ()),
        *gone,
        *((RemovePath(path=path.parent, was=folder),) if folder else ()),
        *((ReloadDaemon(unit=want.unit),) if gone else ()),
        *flat(remove_file(record_path(want.unit), have.started)),
        *flat(remove_file(reload_path(want.unit), have.reloaded)),
    )


def ahead(
    want: Unit, have: Observed, before: tuple[Change, ...]
) -> tuple[UnitChange | Blocked, ...]:
    """Give what diff() will say once `before` has written files, unit files and binaries.

    Which package a binary is of is not known here: an upgrade of any that comes before the
    unit is taken to replace it.
    """
    written = {str(path_of(change)) for change in before if not isinstance(change, SetAccess)}
    own = f"/etc/systemd/system/{want.unit}"
    new = any(path == own or path.startswith(f"{own}.d/") for path in written)
    reload = new and have.state.load != "not-found"  # what systemd never read, it reads afresh
    replaced = want.binary is not None and (
        any(Path(path) in (Path(want.binary), *Path(want.binary).parents) for path in written)
        or any(isinstance(change, InstallPackages) and change.upgrades for change in before)
    )
    # A unit that is not there yet comes with a package, and Debian's packages enable their
    # services as they are installed (deb-systemd-helper, Debian policy 9.3.3).
    installs = any(isinstance(change, InstallPackages) for change in before)
    packaged = have.state.load == "not-found" and not new and installs
    then = replace(
        have,
        state=replace(
            have.state,
            needs_reload=have.state.needs_reload or reload,
            enabled="enabled" if packaged else have.state.enabled,
        ),
        runs_binary=have.runs_binary and not replaced,
        on_disk=tuple(
            TO_COME if not file.sha256 and file.path in written else found
            for file, found in zip(want.files, have.on_disk, strict=True)
        ),
    )
    return mended(diff(want, then), before)


def claims(want: Unit) -> tuple[Claim, ...]:
    """The unit; its drop-in's text is ours and says nothing of its own."""
    return (Claim("unit", want.unit),)


def occupies(want: Unit) -> tuple[str, ...]:
    """The drop-in, also where there shall be none, and what it records."""
    paths = (drop_in_path(want.unit), record_path(want.unit), reload_path(want.unit))
    return tuple(map(str, paths))


def watch(want: Unit) -> tuple[Watch, ...]:
    """The unit, its drop-in and records, its files and its binary."""
    paths = [file.path for file in want.files] + ([want.binary] if want.binary else [])
    if want.files:
        paths += [str(drop_in_path(want.unit)), str(record_path(want.unit))]
    return (WatchUnit(want.unit), *(WatchPath(Path(path)) for path in paths))


KIND: Kind[Unit, Observed, UnitChange] = Kind(
    spec=Unit,
    observe=observe,
    diff=diff,
    remove=remove,
    claims=claims,
    occupies=occupies,
    watch=watch,
    apply=apply_unit,
    ahead=ahead,
    succeed=succeed,
    example=Unit(
        unit="docker.service",
        files=(LivesBy(path="/etc/docker/daemon.json", sha256="0" * 64, on_change="reload"),),
        binary="/usr/sbin/dockerd",
    ),
)
