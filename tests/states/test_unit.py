"""unit: what is asked of systemd in each case, and that a restart is state, not an event."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from saltern_states.changes import WriteFile
from saltern_states.contract import Blocked
from saltern_states.package import Coming, InstallPackages
from saltern_states.ports import HostError, MovedError
from saltern_states.started import drop_in_path, record_path, reload_path
from saltern_states.testing import FakeHost
from saltern_states.unit import KIND, LivesBy, Unit

from tests.states.laws import converge, lines, take_back
from tests.states.unit_node import (
    ANOTHER_BINARY,
    ANOTHER_CONFIG,
    ANOTHER_TOKENS,
    CONFIG,
    DAEMON_RELOAD,
    DROP_IN,
    TEXT,
    TOKENS,
    UNIT,
    WANT,
    bare,
    converged_by,
    hash_of,
    lost_its_record,
    put,
    ran_into_its_start_limit,
    reloaded_then_masked,
    reloaded_with,
    restarted_with,
    restarted_without_daemon_reload,
    restarted_without_drop_in,
    running,
)

CASES = [
    pytest.param(lambda host: None, [], id="as it shall be"),
    pytest.param(
        lambda host: host.units.stop(UNIT), [f"start {UNIT} (was inactive)"], id="stopped"
    ),
    pytest.param(ran_into_its_start_limit, [f"start {UNIT} (was failed)"], id="failed"),
    pytest.param(lambda host: host.units.disable(UNIT), [f"enable {UNIT}"], id="disabled"),
    pytest.param(
        lambda host: host.units.mask(UNIT),
        [f"unmask {UNIT}", f"enable {UNIT}"],
        id="masked, running",
    ),
    pytest.param(
        lambda host: (host.units.stop(UNIT), host.units.mask(UNIT)),
        [f"unmask {UNIT}", f"enable {UNIT}", f"start {UNIT} (was inactive)"],
        id="masked, stopped",
    ),
    pytest.param(
        put("/usr/bin/kubelet", "two"), [f"restart {UNIT}: {ANOTHER_BINARY}"], id="binary replaced"
    ),
    pytest.param(
        put(CONFIG, "stranger"), [], id="a file was edited, the process knows nothing of it"
    ),
    pytest.param(
        restarted_with(CONFIG, "stranger"),
        [f"restart {UNIT}: {ANOTHER_CONFIG}"],
        id="edited, restarted, put back",
    ),
    pytest.param(
        restarted_with(TOKENS, "stranger"),
        [f"reload {UNIT}: {ANOTHER_TOKENS}"],
        id="edited, restarted, put back: a reload will do",
    ),
    pytest.param(
        reloaded_with, [f"reload {UNIT}: {ANOTHER_TOKENS}"], id="edited, reloaded, put back"
    ),
    pytest.param(
        reloaded_then_masked,
        [f"unmask {UNIT}", f"enable {UNIT}", f"reload {UNIT}: {ANOTHER_TOKENS}"],
        id="edited, reloaded, put back, masked",
    ),
    pytest.param(
        restarted_without_daemon_reload,
        [DAEMON_RELOAD, f"restart {UNIT}: it was started from an old copy of its unit file"],
        id="restarted without daemon-reload",
    ),
    pytest.param(
        restarted_without_drop_in,
        [
            f"restart {UNIT}: nothing recorded which {CONFIG} it runs with; "
            f"nothing recorded which {TOKENS} it runs with"
        ],
        id="an invocation without our drop-in",
    ),
    pytest.param(
        lost_its_record,
        [
            f"restart {UNIT}: nothing recorded which {CONFIG} it runs with; "
            f"nothing recorded which {TOKENS} it runs with"
        ],
        id="the record is gone",
    ),
    pytest.param(
        put(f"/etc/systemd/system/{UNIT}.d/10-other.conf", "[Service]\n"),
        [DAEMON_RELOAD],
        id="another drop-in came, not yet read",
    ),
]


@pytest.mark.parametrize(("damage", "told"), CASES)
def test_what_is_lacking_is_done_and_nothing_else(
    damage: Callable[[FakeHost], None], told: list[str]
) -> None:
    host = running()
    damage(host)

    assert lines(converge(KIND, host, WANT)) == told


def test_a_unit_that_never_ran_gets_its_drop_in_first() -> None:
    host = bare()

    told = lines(converge(KIND, host, WANT))

    assert told[0] == f"make directory {Path(DROP_IN).parent} (0755 root:root)"
    assert told[1].startswith(f"create {DROP_IN} (")
    assert told[2:] == [DAEMON_RELOAD, f"enable {UNIT}", f"start {UNIT} (was inactive)"]


def test_a_process_that_was_there_before_us_is_restarted_once() -> None:
    host = bare()
    host.units.enable(UNIT)
    host.units.start(UNIT)

    told = lines(converge(KIND, host, WANT))

    assert told[-1].startswith(f"restart {UNIT}: nothing recorded which {CONFIG} it runs with")
    assert KIND.plan(host, WANT) == ()


def test_where_a_reload_is_enough_an_adopted_process_is_only_reloaded() -> None:
    host = bare()
    host.units.start(UNIT)
    want = Unit(unit=UNIT, files=WANT.files[1:])

    told = lines(converge(KIND, host, want))

    assert told[-1] == f"reload {UNIT}: nothing recorded which {TOKENS} it runs with"


def test_what_cannot_reload_is_restarted() -> None:
    host = bare()
    host.units.install(UNIT, TEXT.replace("ExecReload=/bin/kill -HUP\n", ""))
    converge(KIND, host, WANT)
    restarted_with(TOKENS, "stranger")(host)

    assert lines(converge(KIND, host, WANT)) == [f"restart {UNIT}: {ANOTHER_TOKENS}"]


NEW = Unit(
    unit=UNIT,
    binary=WANT.binary,
    files=(LivesBy(path=CONFIG, sha256=hash_of("a: 2\n")), WANT.files[1]),
)


def test_a_crash_between_write_and_restart_is_seen() -> None:
    host = running()
    host.files.put_file(CONFIG, b"a: 2\n")

    assert lines(converge(KIND, host, NEW)) == [f"restart {UNIT}: {ANOTHER_CONFIG}"]


def test_nothing_restarts_before_the_file_is_there() -> None:
    host = running()

    planned = KIND.plan(host, NEW)

    restart = f"restart {UNIT}: {ANOTHER_CONFIG}"
    assert lines(planned) == [f"blocked: not as declared: {CONFIG}", f"  then {restart}"]
    assert isinstance(planned[0], Blocked)
    host.files.put_file(CONFIG, b"a: 2\n")
    assert KIND.plan(host, NEW) == planned[0].then


def write(path: str) -> WriteFile:
    return WriteFile(
        path=Path(path), was=None, before=None, content=b"", mode=0o644, owner="root", group="root"
    )


@pytest.mark.parametrize(
    ("before", "told"),
    [
        pytest.param(write("/etc/hosts"), [], id="of no concern"),
        pytest.param(
            write("/usr/bin/kubelet"), [f"restart {UNIT}: {ANOTHER_BINARY}"], id="its binary"
        ),
        pytest.param(
            write("/usr/bin"), [f"restart {UNIT}: {ANOTHER_BINARY}"], id="a tree around it"
        ),
        pytest.param(write(f"/etc/systemd/system/{UNIT}"), [DAEMON_RELOAD], id="its unit file"),
        pytest.param(
            write(f"/etc/systemd/system/{UNIT}.d/10-x.conf"), [DAEMON_RELOAD], id="another drop-in"
        ),
        pytest.param(
            InstallPackages(packages=(Coming("kubelet", "1", "2"),)),
            [f"restart {UNIT}: {ANOTHER_BINARY}"],
            id="an upgrade",
        ),
        pytest.param(InstallPackages(packages=(Coming("x", None, "2"),)), [], id="a new package"),
    ],
)
def test_a_plan_foresees_what_comes_before(before: WriteFile, told: list[str]) -> None:
    host = running()
    have = KIND.observe(host, WANT)

    assert lines(KIND.foresee(WANT, have, (before,))) == told


def test_a_packages_own_scripts_enable_the_unit_that_it_brings() -> None:
    host = FakeHost()
    brought = InstallPackages(packages=(Coming("kubelet", None, "1"),))

    told = lines(KIND.foresee(WANT, KIND.observe(host, WANT), (brought,)))

    assert told[-2:] == [DAEMON_RELOAD, f"start {UNIT} (was inactive)"]


def taken(path: str) -> Callable[[FakeHost], None]:
    return lambda host: host.files.take(path)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (taken(f"/usr/lib/systemd/system/{UNIT}"), f"blocked: there is no unit {UNIT}"),
        (taken("/usr/bin/kubelet"), "blocked: there is no /usr/bin/kubelet"),
        (
            lambda host: (host.files.take(DROP_IN), host.files.put_symlink(DROP_IN)),
            f"blocked: {DROP_IN} is a symlink, not a file; take it away first",
        ),
        (
            lambda host: (host.units.stop(UNIT), host.files.take(CONFIG)),
            f"blocked: not as declared: {CONFIG}",
        ),
    ],
)
def test_what_hinders_is_said(damage: Callable[[FakeHost], None], why: str) -> None:
    host = running()
    damage(host)

    assert lines(converge(KIND, host, WANT))[0] == why


@pytest.mark.parametrize(
    ("want", "told"),
    [
        (Unit(unit=UNIT, running=False), [f"stop {UNIT} (was active)"]),
        (Unit(unit=UNIT, enabled=False), [f"disable {UNIT}"]),
        (
            Unit(unit=UNIT, enabled=False, running=False),
            [f"stop {UNIT} (was active)", f"disable {UNIT}"],
        ),
    ],
)
def test_what_shall_not_be_ends_and_the_drop_in_with_it(want: Unit, told: list[str]) -> None:
    host = running()

    assert lines(converge(KIND, host, want)) == [f"remove {DROP_IN}", DAEMON_RELOAD, *told]


@pytest.mark.parametrize("install", [True, False])
def test_what_shall_not_be_and_is_not_is_left_alone(install: bool) -> None:
    host = bare() if install else FakeHost()
    host.units.mask(UNIT)

    assert KIND.plan(host, Unit(unit=UNIT, enabled=False, running=False)) == ()


def test_removal_leaves_nothing_of_ours() -> None:
    host = running()
    host.units.reload(UNIT)

    told = lines(take_back(KIND, host, WANT))

    assert told == [
        f"stop {UNIT} (was active)",
        f"disable {UNIT}",
        f"remove {DROP_IN}",
        f"remove {Path(DROP_IN).parent}",
        DAEMON_RELOAD,
        f"remove {record_path(UNIT)}",
        f"remove {reload_path(UNIT)}",
    ]


def test_removal_leaves_what_others_put_beside_it() -> None:
    host = running()
    other = drop_in_path(UNIT).with_name("10-other.conf")
    host.files.put_file(other, b"[Service]\n")

    take_back(KIND, host, WANT)

    assert host.files.read(other) == b"[Service]\n"


def test_what_was_restarted_meanwhile_is_looked_at_again() -> None:
    host = running()
    host.files.put_file("/usr/bin/kubelet", b"two")
    (restart,) = converged_by(host)
    host.units.restart(UNIT)

    with pytest.raises(MovedError, match="plan again"):
        KIND.apply(host, restart)
    assert KIND.plan(host, WANT) == ()


def test_what_was_started_meanwhile_is_looked_at_again() -> None:
    host = running()
    host.units.stop(UNIT)
    (start,) = converged_by(host)
    host.units.start(UNIT)

    with pytest.raises(MovedError, match="somebody else did"):
        KIND.apply(host, start)


def test_a_start_that_fails_is_told() -> None:
    host = running()
    host.units.stop(UNIT)
    host.units.fail[UNIT] = "timeout"
    (start,) = converged_by(host)

    with pytest.raises(HostError, match=r"cannot start kubelet\.service: .*timeout"):
        KIND.apply(host, start)


DAMAGES = [case.values[0] for case in CASES] + [
    restarted_with(CONFIG, "a: 2\n"),
    put(CONFIG, "a: 2\n"),
    put(CONFIG, "a: 1\n"),
    lambda host: host.units.reload_daemon(),
]


@given(
    st.lists(st.sampled_from(DAMAGES), max_size=5),
    st.sampled_from([WANT, NEW, Unit(unit=UNIT, enabled=False), Unit(unit=UNIT, running=False)]),
)
@settings(max_examples=150, deadline=None)
def test_whatever_was_done_it_converges_and_goes(
    damages: list[Callable[[FakeHost], None]], want: Unit
) -> None:
    host = running()
    for damage in damages:
        try:
            damage(host)
        except HostError:  # a masked unit is not restarted by anybody
            continue

    converge(KIND, host, want)
    take_back(KIND, host, want)
