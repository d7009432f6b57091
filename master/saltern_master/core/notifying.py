"""Core's part of notifications: look, decide, commit, send in threads, and say who cannot be told.

    every LOOK seconds: settings (where the file is another one) -> look -> machine -> one commit
    beside: one sending for each receiver at a time, in THREADS threads of its own

* Without HOME/notify.yaml nothing is looked at, and no thread is begun; time alone is kept, so that
  the first receiver is told soon what stands.
* A file with faults changes nothing: what was in force stays so, the alarm notify-settings tells
  it. A receiver that cannot be told is the alarm notify-failing.
* Nothing here is waited for by others, and what fails here is logged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from saltern_protocol.errors import printable

from saltern_master.api.notices import (
    NotifyView,
    ReceiverView,
    TriedView,
    TroubleView,
)
from saltern_master.api.service import ServiceError
from saltern_master.core.alarms import Alarm
from saltern_master.core.front import Log
from saltern_master.errors import MasterError
from saltern_master.metrics.tally import Tally
from saltern_master.notify import outbox as lines
from saltern_master.notify.machine import Pace, idle, step
from saltern_master.notify.model import Held, Memory, Notice
from saltern_master.notify.outbox import Line, Outbox
from saltern_master.notify.sending import Sender, deliver, trial
from saltern_master.notify.settings import FILE, Notify, Receiver, read_settings, seconds
from saltern_master.notify.troubles import After, Known, look
from saltern_master.records import notices as records
from saltern_master.store import Store, Write

LOOK: Final = 10.0
SEND: Final = 1.0
THREADS: Final = 4
Knowing = Callable[[], Awaitable[Known]]


class Notifying:
    """Tells people who are not looking."""

    def __init__(
        self,
        home: Path,
        store: Store,
        clock: Callable[[], float],
        log: Log,
        tally: Tally,
        cluster: Callable[[], str],
        sender: Sender = deliver,
        pace: Pace = Pace(),  # noqa: B008 - it is frozen
        every: float = LOOK,
    ) -> None:
        self._home, self._store, self._clock, self._log = home, store, clock, log
        self._tally, self._sender, self._pace, self._every = tally, sender, pace, every
        self._settings: Notify | None = None
        self._stamp: tuple[int, int, int] | None = None
        self._wrong, self._wrong_since = "", 0.0
        self._memory, self._outbox = Memory(), dict[str, Line]()
        self._kept = self._memory  # as the store has it
        self._cluster = cluster
        self._pool: ThreadPoolExecutor | None = None
        self._sendings = set[asyncio.Task[None]]()

    async def keep(self, know: Knowing) -> None:
        """Go on until this is cancelled; what was remembered is read first. StoreError."""
        self._memory = self._kept = records.read_memory(self._store)
        waiting = records.read_waiting(self._store)
        self._outbox = {name: Line(waiting=those) for name, those in waiting.items()}
        try:
            due = 0.0
            clock = asyncio.get_running_loop().time
            while True:
                if clock() >= due:
                    due = clock() + self._every
                    await self._look(know)
                self._send()
                await asyncio.sleep(min(SEND, self._every))
        finally:
            for task in self._sendings:
                task.cancel()
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def waiting(self) -> dict[str, int]:
        """Give how many notices wait, by receiver."""
        return {name: len(line.waiting) for name, line in self._outbox.items()}

    def alarms(self) -> tuple[Alarm, ...]:
        """Give what is wrong with telling itself."""
        told = []
        if self._wrong:
            told.append(
                Alarm(
                    kind="notify-settings",
                    node="",
                    since=self._wrong_since,
                    why=f"{FILE} has faults, and changes nothing: {_one_line(self._wrong)}",
                    remedy="saltern notify test names them all; set the file right",
                )
            )
        failing = lines.failing(self._outbox, self._clock())
        if failing:
            told.append(
                Alarm(
                    kind="notify-failing",
                    node="",
                    since=min(line.failing for _, line in failing),
                    why="; ".join(_failing(name, line) for name, line in failing),
                    remedy="saltern notify list; then, to try: saltern notify test",
                )
            )
        return tuple(told)

    async def list(self) -> NotifyView:
        """Give who is told, how that goes, and what is wrong as far as it was or will be told."""
        self._reread()
        held = sorted(self._memory.held.items())
        settings = self._settings
        return NotifyView(
            settings=str(self._home / FILE),
            faults=self._wrong,
            receivers=tuple(
                _receiver_view(one, self._outbox.get(one.name, Line()))
                for one in (settings.receivers if settings is not None else ())
            ),
            troubles=tuple(_trouble_view(one) for _, one in held if not one.ended),
            settled=self._memory.settled,
        )

    async def test(self, receiver: str) -> tuple[TriedView, ...]:
        """Send each receiver, or one, a test; ServiceError: no such one, or faults of the file."""
        self._reread()
        if self._wrong:
            raise ServiceError("invalid", self._wrong)
        known = self._settings.receivers if self._settings is not None else ()
        chosen = [one for one in known if receiver in ("", one.name)]
        if not chosen:
            what = f"the receiver {receiver}" if receiver else "a receiver"
            text = f"cannot find {what} in {self._home / FILE}; see: saltern notify list"
            raise ServiceError("not-found", text)
        return tuple(await asyncio.gather(*map(self._try, chosen)))

    async def _try(self, receiver: Receiver) -> TriedView:
        try:
            said = await self._in_thread(receiver, trial(self._clock()))
        except MasterError as error:
            return TriedView(receiver=receiver.name, taken=False, said=str(error))
        return TriedView(receiver=receiver.name, taken=True, said=said)

    async def _look(self, know: Knowing) -> None:
        self._reread()
        settings = self._settings
        if settings is None:
            self._memory = idle(self._memory, self._clock(), self._pace)
            return
        try:
            known, now = await know(), self._clock()
            after = After(drift=seconds(settings.after.drift), away=seconds(settings.after.away))
            pace = Pace(
                gather=self._pace.gather,
                calm=self._pace.calm,
                most_calm=self._pace.most_calm,
                memory=self._pace.memory,
                again=seconds(settings.again),
                gap=self._pace.gap,
                settle=self._pace.settle,
            )
            memory, told = step(self._memory, look(known, after, now), now, pace)
            self._take(memory, lines.put(self._outbox, settings.receivers, told), told, now)
        except Exception as error:  # noqa: BLE001  core goes on; it is tried again at the next look
            self._log(f"notifications: cannot be decided now: {_words(error)}")

    def _take(self, memory: Memory, outbox: Outbox, told: Iterable[Notice], now: float) -> None:
        """Commit what was decided, then have it. StoreError: it is decided again."""
        outbox, dropped = lines.trimmed(outbox, now)
        numbers = {one.number for one in told}
        writes: list[Write] = [*records.memory_writes(self._kept, memory)]
        for name, line in outbox.items():
            news = [one for one in line.waiting if one.number in numbers]
            writes += [records.put_waiting(name, one) for one in news]
        for name, lost in dropped.items():
            writes += records.taken(name, (one.number for one in lost if one.number not in numbers))
        for name in self._outbox.keys() - outbox.keys():
            writes += records.taken(name, (one.number for one in self._outbox[name].waiting))
        if writes:
            self._store.commit(*writes)
        for name, lost in dropped.items():
            self._log(f"notifications: {name} is not told {len(lost)} that waited for too long")
            for _ in lost:
                self._tally.tried(name, "dropped")
        self._memory, self._kept, self._outbox = memory, memory, dict(outbox)

    def _send(self) -> None:
        """Begin to send what is due, each in a thread."""
        if self._settings is None:
            return
        known = {one.name: one for one in self._settings.receivers}
        for name, notice in lines.due(self._outbox, self._clock()):
            if name in known:
                self._outbox = dict(lines.begun(self._outbox, name))
                task = asyncio.ensure_future(self._tell(known[name], notice))
                self._sendings.add(task)
                task.add_done_callback(self._sendings.discard)

    async def _tell(self, receiver: Receiver, notice: Notice) -> None:
        name = receiver.name
        try:
            await self._in_thread(receiver, notice)
            self._store.commit(*records.taken(name, (notice.number,)))
        except Exception as error:  # noqa: BLE001  whatever it is, it is this receiver's alone
            why = _words(error)
            if not self._outbox.get(name, Line()).failing:
                self._log(f"notifications: {name} was not told, and is tried again: {why}")
            self._outbox = dict(lines.failed(self._outbox, name, why, self._clock()))
            self._tally.tried(name, "failed")
            return
        self._outbox = dict(lines.sent(self._outbox, name, notice.number, self._clock()))
        self._tally.tried(name, "delivered")

    async def _in_thread(self, receiver: Receiver, notice: Notice) -> str:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="notify")
        loop, now = asyncio.get_running_loop(), self._clock()
        told = (receiver, notice, self._cluster(), now)
        return await loop.run_in_executor(self._pool, self._sender, *told)

    def _reread(self) -> None:
        """Read the settings where their file, or none, is another than it was."""
        stamp = _stamp(self._home / FILE)
        if stamp == self._stamp and not (self._wrong and stamp is not None):
            return
        self._stamp = stamp
        try:
            self._settings = read_settings(self._home)
        except MasterError as error:
            if str(error) != self._wrong:
                self._log(f"notifications: {error}")
                self._wrong, self._wrong_since = str(error), self._clock()
            return
        if self._settings is not None:
            names = ", ".join(one.name for one in self._settings.receivers) or "nobody"
            self._log(f"notifications: {names} will be told")
        self._wrong = ""


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_ino, seen.st_mtime_ns, seen.st_size


def _one_line(text: str) -> str:
    """Give a text of a head and a line for each fault as one line."""
    head, *faults = (line.strip() for line in text.splitlines())
    return f"{head}: {'; '.join(faults)}" if faults else head


def _words(error: Exception) -> str:
    """Give an error of ours as it is, any other with its name."""
    text = printable(str(error))
    return text if isinstance(error, MasterError) else f"{type(error).__name__}: {text}"


def _failing(name: str, line: Line) -> str:
    count = len(line.waiting)
    return f"{name} was not told {count} notification{'s' if count > 1 else ''}: {line.why}"


def _receiver_view(receiver: Receiver, line: Line) -> ReceiverView:
    webhook, email = receiver.webhook, receiver.email
    by, to = ("webhook", "") if webhook is not None else ("email", "")
    if email is not None:
        to = ", ".join(email.to)
    elif webhook is not None:
        to = webhook.url.partition("://")[2].partition("/")[0].partition("?")[0]
    return ReceiverView(
        name=receiver.name,
        by=by,
        to=to,
        only=receiver.only,
        waiting=len(line.waiting),
        taken=line.taken,
        failing=line.failing,
        tries=line.tries,
        why=line.why,
        dropped=line.dropped,
    )


def _trouble_view(one: Held) -> TroubleView:
    trouble = one.trouble
    return TroubleView(
        event=trouble.event,
        word=trouble.word,
        node=trouble.node,
        subject=trouble.subject,
        since=trouble.since,
        told=one.told,
        gone=one.gone,
        why=trouble.why,
        remedy=trouble.remedy,
    )
