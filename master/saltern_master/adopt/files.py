"""Files and directories of a reading -> resources that hold them to the byte, or why not. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import msgspec
from saltern_protocol.reading import PathFact
from saltern_states.directory import Directory
from saltern_states.file import File

from saltern_master.adopt.part import Found, Held, Left, held

HELD_FOLDERS: Final = ("/etc/docker", "/etc/kubernetes", "/etc/kubernetes/manifests")
MANIFESTS: Final = "/etc/kubernetes/manifests"
OF_PACKAGES: Final = ("/lib/", "/usr/lib/", "/usr/local/lib/")
PROGRAMS: Final = ("/usr/local/bin/", "/usr/bin/")
OURS: Final = re.compile(
    r"/etc/systemd/system/[^/]+\.d/[^/]*saltern[^/]*\Z|/etc/[^/]+/[^/]*saltern-"
)
_ODD: Final = re.compile(r"[^a-zA-Z0-9._:/@-]")
MAX_ID: Final = 128


def path_resources(facts: Mapping[str, PathFact]) -> Found:
    """Give all that stands at paths, directories first."""
    for path, fact in sorted(facts.items()):
        if fact.type == "directory":
            yield from _directory(path, fact, facts)
    for path, fact in sorted(facts.items()):
        if fact.type != "directory":
            yield _file(path, fact)


def name_of(path: str) -> str:
    """Give the id of what stands at a path: "adopted/etc/docker/daemon.json".

    A path that no id can have ends in a part of its hash, so that no two share an id.
    """
    name = f"adopted{_ODD.sub('-', path)}"
    if len(name) <= MAX_ID and not _ODD.search(path):
        return name
    return f"{name[: MAX_ID - 9]}-{sha256(path.encode('utf-8', 'replace')).hexdigest()[:8]}"


def _directory(path: str, fact: PathFact, facts: Mapping[str, PathFact]) -> Found:
    """Hold the directories that the node lives by; of the others only the names are told."""
    if path in HELD_FOLDERS:
        yield _held_directory(path, fact)
    known = (f"{path}/{name}" in facts for name in fact.names)
    names = [name for name, is_known in zip(fact.names, known, strict=True) if not is_known]
    if names:
        why = "its files are left where they are: keys never leave a node, and other folders are "
        yield Left(f"{path}: {', '.join(names)}", f"{why}not read")
    if fact.more:
        yield Left(f"{path}: {fact.more} more names", "too many are in it to be told")


def _held_directory(path: str, fact: PathFact) -> Held | Left:
    only = fact.names if path == MANIFESTS and not fact.more else None
    spec = _made(
        Directory,
        {"path": path, "mode": _mode(fact), "owner": fact.owner, "group": fact.group, "only": only},
    )
    if isinstance(spec, str):
        return Left(path, spec)
    where = "beside these" if only else "here"
    why = f"a file that comes {where} is removed: the kubelet would run it"
    note = "" if only is None else why
    return held(name_of(path), spec, note)


def _file(path: str, fact: PathFact) -> Held | Left:
    if fact.type != "file":
        return Left(path, fact.why or f"it is no regular file ({fact.type})")
    if why := _kept_elsewhere(path):
        return Left(path, why)
    if path.startswith(PROGRAMS):
        return Left(path, _program(fact))
    if fact.text is None:
        return Left(path, fact.why or "its text was not told")
    fields = {"path": path, "text": fact.text, "mode": _mode(fact)}
    spec = _made(File, {**fields, "owner": fact.owner, "group": fact.group})
    return Left(path, spec) if isinstance(spec, str) else held(name_of(path), spec)


def _kept_elsewhere(path: str) -> str:
    """Say who else keeps what stands at a path, or how long it lasts; "" for a file of hands."""
    if path.startswith(OF_PACKAGES):
        return "it is of a package, which keeps it"
    if path.startswith("/run/"):
        return "it is gone with the next boot: make it last in /etc, and read again"
    if OURS.match(path):
        return "it is Saltern's own: it comes with the resource that it follows from"
    return ""


def _program(fact: PathFact) -> str:
    return (
        f"a program of {fact.size} bytes (SHA-256 {fact.sha256 or 'not told'}): its unit is held "
        "to run the file that is there; to hold its content too, bring it (saltern blobs add) and "
        "declare an artifact/1"
    )


def _mode(fact: PathFact) -> str:
    return f"{fact.mode:04o}"


def _made(kind: type[File | Directory], fields: dict[str, object]) -> File | Directory | str:
    """Give the Spec, or why none can say this: a strange name, a text too long."""
    try:
        tag = kind.__struct_config__.tag
        return msgspec.convert({"kind": tag, **fields}, kind)
    except msgspec.ValidationError as error:
        return f"no {kind.__name__.lower()} resource can say it: {error}"
