"""run_core(): the whole master in one process and its front, until SIGTERM or SIGINT.

It ends in this order: the API answers what it was asked, the front is told to go (its nodes come
again by themselves), what core does beside is cancelled, the store is closed. Nothing is lost by
a kill at any moment: what was acknowledged is in the store, what was not comes again. A disk that
fails an fsync ends it too (core/vigilant.py).

    HOME/run/master.lock    held by the one master that runs on this HOME
    HOME/run/api.sock       the API
"""

from __future__ import annotations

import asyncio
import faulthandler
import fcntl
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from saltern_protocol.errors import for_terminal

from saltern_master.api.serve import serve
from saltern_master.core.comings import ready_lines
from saltern_master.core.core import Core
from saltern_master.core.front import supervise
from saltern_master.core.office import Office
from saltern_master.core.reach import reach_by
from saltern_master.core.settings import Settings
from saltern_master.core.supervised import Supervised
from saltern_master.core.vigilant import VigilantStore
from saltern_master.errors import MasterError
from saltern_master.front.frames import Confinement
from saltern_master.metrics.address import Address, address_of
from saltern_master.metrics.listen import serve_metrics
from saltern_master.pki.authorities import authorities
from saltern_master.signing.home import Home
from saltern_master.signing.private import refuse_shared
from saltern_master.signing.recorded import open_store

BLOBS_MODE = 0o711  # the front, which is not root, opens by name what it was asked for


class AlreadyRunsError(MasterError):
    """Another master runs on this home."""


def run_core(
    home: Path,
    *,
    listen: str,
    link_port: int,
    door_port: int,
    advertise: str = "",
    confinement: Confinement = "whole",
    metrics: str = "",
) -> None:
    """Run the master until it is told to stop; MasterError where it cannot begin."""
    os.umask(0o027)  # whoever started us; keys and the store have stricter modes of their own
    refuse_shared(home)
    settings = Settings(
        listen=listen,
        link_port=link_port,
        door_port=door_port,
        addresses=(advertise,) if advertise else (),
        confinement=confinement,
        metrics=address_of(metrics) if metrics else None,
    )
    supervised = Supervised(os.environ, os.getpid())
    if supervised.is_watched:
        faulthandler.enable()  # what a wedged core was at, when systemd ends it
    with _only_one(home):
        asyncio.run(_run(home, settings, supervised))


async def _run(path: Path, settings: Settings, supervised: Supervised) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    home = Home(path)
    with open_store(home) as opened:
        store = VigilantStore(opened)
        (path / "blobs").mkdir(mode=BLOBS_MODE, exist_ok=True)
        authority = authorities(home, int(_now())).of["kubernetes"]
        reach = reach_by(path, authority, _now, secrets.token_bytes)
        office = Office(home, store, settings, _now, secrets.token_bytes, reach, _log)
        await office.begin()
        await _work(office, settings, path / "run" / "api.sock", stop, store, supervised)


async def _work(
    office: Office,
    settings: Settings,
    socket: Path,
    stop: asyncio.Event,
    store: VigilantStore,
    supervised: Supervised,
) -> None:
    """Do everything until `stop`, or until a part of it fails: then all of it ends with that."""
    core = Core(office, secrets.token_bytes)
    office.start(_tell_ready(office, settings, socket, supervised))
    answering = asyncio.ensure_future(serve(core, socket, stop))
    beside = [
        asyncio.ensure_future(store.ended()),
        asyncio.ensure_future(office.run()),
        asyncio.ensure_future(office.notifying.keep(core.known)),
        asyncio.ensure_future(supervise(settings.front, office.line, office, _log)),
    ]
    if supervised.is_watched:
        beside.append(asyncio.ensure_future(supervised.turn()))
    if settings.metrics is not None:
        place, telling = settings.metrics, _tell_metrics
        beside += [asyncio.ensure_future(serve_metrics(core.metrics, place, stop, telling))]
    try:
        await asyncio.wait({answering, *beside}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        supervised.ending()
        stop.set()
        results = [*await asyncio.gather(answering, return_exceptions=True)]
        for one in reversed(beside):
            one.cancel()
            results += await asyncio.gather(one, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _tell_ready(
    office: Office, settings: Settings, socket: Path, supervised: Supervised
) -> None:
    """Say so when the front listens; the API does before that, or there is no master."""
    ready = await office.desk.seen.listening()
    for line in ready_lines(ready, settings, office.link_key, socket):
        _log(line)
    supervised.ready()


def _tell_metrics(address: Address) -> None:
    _log(f"ready: metrics for a Prometheus are on http://{address}/metrics")


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Be the only master on this home."""
    directory = home / "run"
    try:
        directory.mkdir(mode=0o750, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        lock = os.open(directory / "master.lock", flags, 0o600)
    except OSError as error:
        raise MasterError(
            f"cannot run a master on {home}: {error.strerror}; run: saltern init {home}"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise AlreadyRunsError(f"cannot run a master on {home}: another one does") from error
    try:
        yield
    finally:
        os.close(lock)


def _now() -> float:
    return time.time()  # noqa: TID251  the one place where core reads the clock


def _log(text: str) -> None:
    with suppress(OSError):  # a log whose disk is full ends no master; what waits is written later
        sys.stderr.write(f"{for_terminal(text)}\n")
        sys.stderr.flush()
