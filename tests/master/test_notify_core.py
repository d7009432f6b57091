"""Notifications of a running core: from what nodes say to a real receiver, through restarts."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
from saltern_master.api.client import Client
from saltern_master.api.service import ServiceError
from saltern_master.core.core import Core
from saltern_master.core.notifying import Notifying
from saltern_master.notify.machine import Pace
from saltern_master.notify.model import Notice
from saltern_master.notify.outbox import FAILING
from saltern_master.notify.sending import Sender, deliver
from saltern_master.notify.settings import FILE, Receiver
from saltern_master.store import Memory

from tests.master.core_stand import Stand, core_stand, now
from tests.master.homes import made_home
from tests.master.receivers import Hook, Mailbox, hook_server, mail_server

SECONDS = 60
RUN = "from saltern_master.cli import main; main()"
QUICK = Pace(gather=0.0, calm=0.0, gap=1e9, settle=0.0)
"""What is seen at a look is told at once: how patient the machine is, its own tests say."""


class Clock:
    """The time, plus what a test adds."""

    def __init__(self) -> None:
        self.later = 0.0

    def __call__(self) -> float:
        return now() + self.later


def settings(home: Path, *receivers: str) -> None:
    secret = home / "secret"
    secret.write_bytes(b"s")
    secret.chmod(0o600)
    lines = ["apiVersion: saltern-notify/v1", "receivers:", *receivers]
    (home / FILE).write_text("\n".join(lines) + "\n")
    (home / FILE).chmod(0o600)


def hook_line(home: Path, hook: Hook, name: str = "ops") -> str:
    return f'- {{name: {name}, webhook: {{url: "{hook.url}", secretFile: {home}/secret}}}}'


def mail_line(box: Mailbox) -> str:
    return (
        f"- {{name: night, email: {{server: 127.0.0.1, port: {box.port}, security: none, "
        "from: saltern@example.org, to: [ann@example.org]}}"
    )


@asynccontextmanager
async def telling(
    stand: Stand, clock: Clock, sender: Sender = deliver, pace: Pace = QUICK
) -> AsyncIterator[Notifying]:
    """Tell of a core in quick looks."""
    office = stand.office
    made = Notifying(
        stand.home.path,
        stand.store,
        clock,
        stand.log.append,
        office.desk.seen.tally,
        lambda: office.rolling.signer.cluster,
        sender,
        pace=pace,
        every=0.02,
    )
    office.notifying = made
    core = stand.service
    assert isinstance(core, Core)
    task = asyncio.create_task(made.keep(core.known))
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not what():
            await asyncio.sleep(0.01)


def told(hook: Hook) -> list[tuple[str, str, str]]:
    found = [json.loads(one.body) for one in hook.posted]
    return [(one["status"], one["event"], one["word"]) for one in found]


BEGUN, ENDED = ("begins", "alarm", "locked"), ("ended", "alarm", "locked")


def test_an_alarm_is_told_when_it_begins_and_when_it_ends(tmp_path: Path) -> None:
    home = made_home(tmp_path)

    async def whole(hook: Hook, box: Mailbox) -> None:
        settings(home.path, hook_line(home.path, hook), mail_line(box))
        async with core_stand(home) as stand, telling(stand, Clock()):
            await stand.joined("w1")
            await stand.lock("w1")
            await until(lambda: told(hook) == [BEGUN] and len(box.mailed) == 1)
            await stand.service.unlock("w1")
            await until(lambda: told(hook) == [BEGUN, ENDED] and len(box.mailed) == 2)
            await until(lambda: not any(stand.office.notifying.waiting.values()))

            view = await stand.service.notifications()
            assert [(one.name, one.waiting, one.tries) for one in view.receivers] == [
                ("ops", 0, 0),
                ("night", 0, 0),
            ]
            assert view.troubles == ()
            text, _ = await stand.service.metrics("")
            assert b'notify_tries_total{receiver="ops",result="delivered"} 2.0' in text

    with hook_server() as hook, mail_server() as box:
        asyncio.run(whole(hook, box))
    assert str(box.mailed[0].message["Subject"]).endswith("] alarm locked: w1")


def test_a_core_that_is_started_again_tells_nothing_anew_and_loses_nothing(tmp_path: Path) -> None:
    home, memory, clock = made_home(tmp_path), Memory(), Clock()

    async def first(hook: Hook) -> None:
        async with core_stand(home, memory) as stand, telling(stand, clock) as notifying:
            await stand.joined("w1")
            await stand.lock("w1")
            await until(lambda: told(hook) == [BEGUN])
            # Who ends before it has noted that somebody was told tells it again, with the same id.
            await until(lambda: notifying.waiting == {"ops": 0})

    async def second(hook: Hook) -> None:
        hook.answers = [(500, b"")] * 20
        async with core_stand(home, memory) as stand, telling(stand, clock) as notifying:
            await stand.service.unlock("w1")
            await until(lambda: notifying.waiting == {"ops": 1} and len(hook.posted) > 1)
        hook.answers = []

    async def third(hook: Hook) -> None:
        async with core_stand(home, memory) as stand, telling(stand, clock) as notifying:
            await until(lambda: notifying.waiting == {"ops": 0})

    with hook_server() as hook:
        settings(home.path, hook_line(home.path, hook))
        for part in (first, second, third):
            asyncio.run(part(hook))
    again = len(hook.posted) - 1
    assert again > 1
    assert told(hook) == [BEGUN, *[ENDED] * again]
    first_id, *ids = [json.loads(one.body)["id"] for one in hook.posted]
    assert set(ids) == {ids[0]}
    assert ids[0] != first_id


def test_a_receiver_that_is_away_is_tried_again_and_told_as_an_alarm(tmp_path: Path) -> None:
    home, clock = made_home(tmp_path), Clock()

    async def whole(hook: Hook) -> None:
        hook.answers = [(503, b"not now"), (503, b"not now")]
        async with core_stand(home) as stand, telling(stand, clock):
            await stand.joined("w1")
            await stand.lock("w1")
            await until(lambda: len(hook.posted) == 1)
            await until(lambda: any("ops was not told" in one for one in stand.log))
            clock.later += FAILING
            await until(lambda: len(hook.posted) >= 2)
            alarms = [one for one in (await stand.service.status()).alarms if "notify" in one.kind]
            assert [one.kind for one in alarms] in ([], ["notify-failing"])
            clock.later += FAILING
            await until(lambda: BEGUN in told(hook)[2:])
            await until(lambda: stand.office.notifying.alarms() == ())

    with hook_server() as hook:
        settings(home.path, hook_line(home.path, hook))
        asyncio.run(whole(hook))


def test_one_receiver_holds_up_no_other_and_core_even_less(tmp_path: Path) -> None:
    home = made_home(tmp_path)

    async def whole(hook: Hook, deaf: asyncio.Server) -> None:
        port = deaf.sockets[0].getsockname()[1]
        slow = Hook(port=port)
        settings(home.path, hook_line(home.path, slow, "deaf"), hook_line(home.path, hook))
        async with core_stand(home) as stand, telling(stand, Clock()):
            await stand.joined("w1")
            await stand.lock("w1")
            await until(lambda: told(hook) == [BEGUN])
            await until(lambda: stand.office.notifying.waiting == {"deaf": 1, "ops": 0})

    async def with_deaf(hook: Hook) -> None:
        writers = list[asyncio.StreamWriter]()

        async def keep_silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)

        server = await asyncio.start_server(keep_silent, "127.0.0.1", 0)
        try:
            await whole(hook, server)
        finally:
            server.close()
            await server.wait_closed()
            for one in writers:
                one.transport.abort()

    with hook_server() as hook:
        asyncio.run(with_deaf(hook))


def test_settings_with_faults_change_nothing_and_are_an_alarm(tmp_path: Path) -> None:
    home = made_home(tmp_path)

    async def whole(hook: Hook) -> None:
        async with core_stand(home) as stand, telling(stand, Clock()):
            settings(home.path, hook_line(home.path, hook))
            await until(lambda: any("ops will be told" in one for one in stand.log))
            (home.path / FILE).write_text("receivers: 1\n")
            await until(
                lambda: [one.kind for one in stand.office.notifying.alarms()] == ["notify-settings"]
            )
            (alarm,) = stand.office.notifying.alarms()
            assert alarm.why == (
                "notify.yaml has faults, and changes nothing: cannot take notify.yaml: 2 faults: "
                "apiVersion: line 1: is missing; "
                "receivers: line 1: expected a list, found 1"
            )
            with pytest.raises(ServiceError, match="receivers: line 1: expected a list") as error:
                await stand.service.test_notifications("")
            assert error.value.code == "invalid"
            await stand.joined("w1")
            await stand.lock("w1")
            await until(lambda: BEGUN in told(hook))
            settings(home.path, hook_line(home.path, hook))
            await until(lambda: stand.office.notifying.alarms() == ())

    with hook_server() as hook:
        asyncio.run(whole(hook))


def test_a_test_before_the_first_look_says_whose_it_is(tmp_path: Path) -> None:
    home = made_home(tmp_path)

    async def whole(hook: Hook) -> None:
        settings(home.path, hook_line(home.path, hook))
        async with core_stand(home) as stand:
            cluster = (await stand.service.status()).cluster
            await stand.service.test_notifications("")
            said = json.loads(hook.posted[0].body)
            assert cluster
            assert (said["cluster"], said["id"]) == (cluster, f"{cluster}-0")

    with hook_server() as hook:
        asyncio.run(whole(hook))


def test_a_test_is_sent_at_once_and_says_what_came_back(tmp_path: Path) -> None:
    home = made_home(tmp_path)

    async def whole(hook: Hook, box: Mailbox) -> None:
        async with core_stand(home) as stand, telling(stand, Clock()):
            with pytest.raises(ServiceError, match="cannot find a receiver") as error:
                await stand.service.test_notifications("")
            assert error.value.code == "not-found"
            settings(home.path, hook_line(home.path, hook), mail_line(box))
            hook.answers = [(401, b"who are you?")]
            tried = await stand.service.test_notifications("")
            assert [(one.receiver, one.taken) for one in tried] == [("ops", False), ("night", True)]
            assert "answered 401 Unauthorized: who are you?" in tried[0].said
            (once,) = await stand.service.test_notifications("ops")
            assert (once.taken, once.said) == (True, "204 No Content")
            with pytest.raises(ServiceError, match="cannot find the receiver day"):
                await stand.service.test_notifications("day")

    with hook_server() as hook, mail_server() as box:
        asyncio.run(whole(hook, box))
    assert told(hook) == [("test", "test", "")] * 2
    assert "a test: nothing is wrong" in box.mailed[0].message["Subject"]


def test_without_settings_nothing_is_looked_at(tmp_path: Path) -> None:
    async def whole() -> None:
        async with core_stand(made_home(tmp_path)) as stand, telling(stand, Clock()):
            await stand.joined("w1")
            await stand.lock("w1")
            await asyncio.sleep(0.1)
            assert stand.store.list("notify/") == ()
            view = await stand.service.notifications()
            assert (view.receivers, view.troubles, view.faults) == ((), (), "")

    asyncio.run(whole())


def test_the_first_receiver_of_a_running_master_does_not_wait_for_it_to_settle(
    tmp_path: Path,
) -> None:
    home, clock = made_home(tmp_path), Clock()
    pace = Pace(gather=0.0, calm=0.0, gap=1e9, settle=1000.0)

    async def whole(hook: Hook) -> None:
        async with core_stand(home) as stand, telling(stand, clock, pace=pace):
            await stand.joined("w1")
            await stand.lock("w1")
            async with asyncio.timeout(SECONDS):
                while not (await stand.service.notifications()).settled:
                    await asyncio.sleep(0.01)
            clock.later += 1001.0
            settings(home.path, hook_line(home.path, hook))
            await until(lambda: told(hook) == [BEGUN])

    with hook_server() as hook:
        asyncio.run(whole(hook))


class Failing:
    """A sender with a fault of its own, once."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __call__(self, receiver: Receiver, notice: Notice, cluster: str, at: float, /) -> str:
        self.told.append(notice.status)
        if len(self.told) == 1:
            raise ZeroDivisionError("a fault of ours")
        return "ok"


def test_a_fault_of_ours_is_logged_and_tried_again(tmp_path: Path) -> None:
    home, sender, clock = made_home(tmp_path), Failing(), Clock()

    async def whole() -> None:
        settings(home.path, hook_line(home.path, Hook(port=1)))
        async with core_stand(home) as stand, telling(stand, clock, sender) as notifying:
            await stand.joined("w1")
            await stand.lock("w1")
            await until(lambda: any("ZeroDivisionError: a fault" in one for one in stand.log))
            clock.later += FAILING
            await until(lambda: notifying.waiting == {"ops": 0})

    asyncio.run(whole())
    assert sender.told[:2] == ["begins", "begins"]


def test_a_whole_master_tells_metrics_over_tcp_and_people_by_webhook(tmp_path: Path) -> None:
    home = made_home(tmp_path)
    told_ready = re.compile(r"metrics for a Prometheus are on (http://127\.0\.0\.1:[0-9]+/metrics)")
    command = [sys.executable, "-c", RUN, "master", "run", "--home", str(home.path)]
    command += ["--listen", "127.0.0.1", "--link-port", "0", "--door-port", "0"]
    command += ["--metrics", "127.0.0.1:0"]
    with hook_server() as hook:
        settings(home.path, hook_line(home.path, hook))
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            assert process.stderr is not None
            found = next(told_ready.search(one) for one in process.stderr if "Prometheus" in one)
            assert found is not None
            with urlopen(found[1], timeout=SECONDS) as answer:
                assert b"saltern_build_info" in answer.read()
            (tried,) = Client(home.path / "run" / "api.sock").test_notifications("ops")
        finally:
            process.terminate()
            process.communicate(timeout=SECONDS)
    assert (tried.taken, tried.said) == (True, "204 No Content")
    assert process.returncode == 0
