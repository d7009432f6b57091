"""python -m tests.faults.path_worker DIRECTORY SEED COUNT: hostile names through every gate.

Runs under strace (path_watch.py). Prints JSON: how many names were tried, how many went through
a gate, the longest that one gate took with one, and what was raised that is no refusal of ours.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from ruamel.yaml import YAML
from saltern_agent.host.image_archive import check as check_image
from saltern_agent.host.link_keys import NodeKeys
from saltern_agent.places import Places, SettingsError, read_identity, read_master
from saltern_master.api.requests import NewToken, NodePath
from saltern_master.cluster.load import load
from saltern_master.compile.allocation import Allocation
from saltern_master.compile.cluster import compile_cluster
from saltern_master.errors import MasterError
from saltern_master.front.blobs import open_blobs, read_part
from saltern_master.images.archive import check_name
from saltern_master.library.blobs import blob_path
from saltern_master.signing.home import Home
from saltern_protocol.errors import ProtocolError
from saltern_protocol.token import JoinToken
from saltern_states.body import Resource, read_resource
from saltern_states.contract import Blocked
from saltern_states.kinds import kind_of
from saltern_states.ports import Host, HostError

from tests.faults.every_field import FULL, at_place, places, plain, put
from tests.faults.hostile_ground import HostileGround, blob_name
from tests.faults.hostile_names import hostile_names
from tests.faults.path_watch import BEGIN, END, mark
from tests.master.clusters import FULL as CLUSTER
from tests.master.clusters import STOCK

LIMIT = 1.5  # seconds after which a name is given up
REFUSALS = (HostError, MasterError, ProtocolError, SettingsError, msgspec.ValidationError)
Gate = Callable[[str], object]


class HungError(Exception):
    """A name took longer than LIMIT."""


def main() -> None:
    """Try the names; print what came of them."""
    directory, seed, most = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    ground = HostileGround(directory)
    gates = [*port_gates(ground), *spec_gates(ground.host()), *master_gates(ground)]
    signal.signal(signal.SIGALRM, _hung)
    for gate in gates:
        signal.setitimer(signal.ITIMER_REAL, LIMIT)
        with suppress(Exception):  # what is imported late is imported here
            gate("etc/own/first")
        signal.setitimer(signal.ITIMER_REAL, 0)
    longest, through, strange = 0.0, 0, list[str]()
    names = tuple(hostile_names(seed, most))
    mark(BEGIN)
    for name in names:
        for gate in gates:
            began = time.monotonic()
            signal.setitimer(signal.ITIMER_REAL, LIMIT)
            try:
                gate(name)
                through += 1
            except REFUSALS:
                pass
            except Exception as error:  # noqa: BLE001  each is a finding
                at = error.__traceback__.tb_next if error.__traceback__ else None
                where = at.tb_frame.f_code if at else None
                strange.append(f"{where} {name[:80]!r}: {type(error).__name__}: {str(error)[:200]}")
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            longest = max(longest, time.monotonic() - began)
    mark(END)
    told = {"tried": len(names), "through": through, "longest": longest, "strange": strange}
    print(json.dumps(told))


def _hung(_number: int, _frame: object) -> None:
    raise HungError(f"longer than {LIMIT} s")


def port_gates(ground: HostileGround) -> list[Gate]:
    """The real ports, asked past all Specs: whatever a Spec lets through, these hold."""
    files, trees, blobs = ground.files, ground.trees, ground.blobs
    owner, group = ground.accounts.names(os.geteuid(), os.getegid())
    asked: list[Gate] = [
        lambda path: files.look(Path(path)),
        lambda path: files.read(Path(path)),
        lambda path: files.names(Path(path)),
        lambda path: files.write(Path(path), None, b"mine", 0o644, owner, group),
        lambda path: _over(ground, Path(path), owner, group),
        lambda path: files.make_directory(Path(path), 0o755, owner, group),
        lambda path: files.sweep([Path(path)]),
        lambda path: trees.look(Path(path)),
    ]
    blob = blob_name(b"content")
    blobs.add(blob, [b"content"])
    return [
        *(partial(_below, gate, top) for gate in asked for top in ("", "/", "/etc/")),
        partial(_member, ground, "file"),
        partial(_member, ground, "link"),
        blobs.has,
        blobs.path,
        blobs.drop,
        lambda name: blobs.add(name, [b"content"]),
        ground.sysctls.read,
        lambda key: ground.sysctls.write(key, "1", "2"),
        ground.modules.state,
        ground.modules.load,
        lambda name: ground.accounts.unknown(name, name),
        lambda text: check_image(io.BytesIO(_archive(text, "link")), text),
    ]


def _below(gate: Gate, top: str, name: str) -> object:
    return gate(f"{top}{name}")


def _over(ground: HostileGround, path: Path, owner: str, group: str) -> None:
    """Change what stands there, and take it away."""
    was = ground.files.look(path)
    if was is not None:
        ground.files.set_access(path, was, 0o640, owner, group)
        ground.files.write(path, ground.files.look(path), b"mine", 0o644, owner, group)
        ground.files.remove(path, ground.files.look(path) or was)


def _member(ground: HostileGround, what: str, name: str) -> None:
    """Unpack an archive with a member of that name, or a link with that target."""
    content = _archive(name, what)
    blob = blob_name(content)
    ground.blobs.add(blob, [content])
    owner, group = ground.accounts.names(os.geteuid(), os.getegid())
    path = Path("/opt/tree")
    try:
        ground.trees.unpack(path, ground.trees.look(path), blob, 0o755, owner, group)
    finally:
        ground.blobs.drop(blob)


def _archive(name: str, what: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", errors="surrogateescape") as tar:
        member = tarfile.TarInfo(name if what == "file" else "link")
        if what == "link":
            member.type, member.linkname = tarfile.SYMTYPE, name
        content = b"" if what == "link" else b"mine"
        member.size = len(content)
        with suppress(UnicodeError):  # no archive can hold it
            tar.addfile(member, io.BytesIO(content))
    return made.getvalue()


def spec_gates(host: Host) -> Iterator[Gate]:
    """Every string field of every kind; what its Spec lets through is made on the real disk."""
    for spec in FULL:
        value = plain(spec)
        for at in places(value):
            if at == ("kind",):
                continue
            tops = ("", "/", "/etc/") if at_place(value, at).startswith("/") else ("",)
            for top in tops:
                yield partial(_spec, host, value, at, top)


def _spec(host: Host, value: Any, at: tuple[str | int, ...], top: str, name: str) -> None:  # noqa: ANN401
    if any("\ud800" <= letter <= "\udfff" for letter in name):
        raise HostError("no bytes are decoded to that")
    read = read_resource({"id": "x", "spec": put(value, at, f"{top}{name}")}, "$")
    if not isinstance(read, Resource):
        raise HostError("refused")
    kind = kind_of(read.spec)
    for plan in (kind.plan, kind.plan_removal):
        for change in plan(host, read.spec):
            if not isinstance(change, Blocked):
                kind.apply(host, change)


def master_gates(ground: HostileGround) -> list[Gate]:
    """Everything on the master's side that makes a path of a name, and the agent's own places."""
    home = Home(ground.state / "home")
    (home.path / "facts").mkdir(parents=True)
    (home.path / "blobs").mkdir()
    blobs = open_blobs(str(home.path / "blobs"))
    cluster = plain_yaml()
    fields = [at for at in places(cluster) if at[0] != "apiVersion"]
    turn = count()
    return [
        lambda name: home.facts_file(name).is_file(),
        lambda name: blob_path(home.path / "blobs", name).is_file(),
        lambda name: read_part(blobs, name.encode(errors="replace"), 0),
        JoinToken.parse,
        check_name,
        lambda name: msgspec.convert({"name": name}, NodePath),
        lambda name: msgspec.convert({"node": name, "node_class": name}, NewToken),
        lambda name: _cluster(put(cluster, fields[next(turn) % len(fields)], name)),
        lambda name: _places(ground, name),
    ]


def plain_yaml() -> Any:  # noqa: ANN401  # as plain()
    """Give the cluster file as plain values."""
    return json.loads(json.dumps(YAML(typ="safe").load(CLUSTER)))


def _cluster(tree: object) -> None:
    compile_cluster(load(json.dumps(tree).encode()), {}, Allocation(), STOCK, None)


def _places(ground: HostileGround, name: str) -> None:
    """Let a link of that target, then a pipe, stand where the agent keeps what it is."""
    config = ground.state / "config"
    config.mkdir(exist_ok=True)
    places = Places(config, ground.state / "own", ground.state / "run", ground.node)
    for make in (partial(_link, name), os.mkfifo):
        for one in ("identity", "master", "link.key", "sealing.key"):
            (config / one).unlink(missing_ok=True)
            with suppress(OSError, ValueError):
                make(config / one)
        for read in (read_identity, read_master, _keys):
            with suppress(SettingsError):
                read(places)


def _link(name: str, path: Path) -> None:
    path.symlink_to(name)


def _keys(places: Places) -> object:
    return NodeKeys.read(places.config)


if __name__ == "__main__":
    main()
