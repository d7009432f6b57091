"""sysctl: the table says what diff() does; the property says that it converges."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_protocol.policy import Claim
from saltern_states.contract import WatchPath, WatchReading
from saltern_states.ports import MovedError
from saltern_states.sysctl import KIND, SetSysctl, Sysctl
from saltern_states.testing import FakeHost

from tests.states.laws import converge, lines, take_back

KEY = "net.ipv4.tcp_rmem"
SAVED = f"/etc/sysctl.d/90-saltern-{KEY}.conf"
LINE = b"net.ipv4.tcp_rmem = 4096 87380\n"
WANT = Sysctl(key=KEY, value="4096 87380")
READING = WatchReading(Path("/proc/sys/net/ipv4/tcp_rmem"))
CREATE = f"create {SAVED} ({len(LINE)} bytes, 0644 root:root)"


def node(live: str | None, saved: bytes | None) -> FakeHost:
    host = FakeHost()
    host.files.put_directory("/etc/sysctl.d")
    if live is not None:
        host.sysctls.values[KEY] = live
    if saved is not None:
        host.files.put_file(SAVED, saved)
    return host


@pytest.mark.parametrize(
    ("live", "saved", "told"),
    [
        pytest.param("4096\t87380", LINE, [], id="in place, re-spaced by the kernel"),
        pytest.param("1\t2", LINE, [f"set {KEY} = 4096 87380 (was 1 2)"], id="live value drifted"),
        pytest.param("4096\t87380", None, [CREATE], id="would not survive a reboot"),
        pytest.param(
            "4096\t87380",
            b"net.ipv4.tcp_rmem=1\n",
            [f"write {SAVED} ({len(LINE)} bytes, 0644 root:root)"],
            id="a reboot would bring another",
        ),
        pytest.param(
            None,
            None,
            [
                f"blocked: no {KEY} in this kernel; is its module loaded?",
                f"  then set {KEY} = 4096 87380",
                f"  then {CREATE}",
            ],
            id="no such parameter yet",
        ),
    ],
)
def test_diff(live: str | None, saved: bytes | None, told: list[str]) -> None:
    assert lines(converge(KIND, node(live, saved), WANT)) == told


def test_what_shall_not_persist_has_its_drop_in_removed() -> None:
    want = Sysctl(key=KEY, value=WANT.value, persist=False)

    assert lines(converge(KIND, node("4096\t87380", LINE), want)) == [f"remove {SAVED}"]


def test_without_its_directory_the_live_value_is_set_all_the_same() -> None:
    host = FakeHost()
    host.sysctls.values[KEY] = "1\t2"

    assert lines(converge(KIND, host, WANT)) == [
        f"set {KEY} = 4096 87380 (was 1 2)",
        "blocked: there is no directory /etc/sysctl.d",
        f"  then {CREATE}",
    ]


def test_removed_it_leaves_no_drop_in_and_keeps_the_live_value() -> None:
    host = node("4096\t87380", LINE)

    assert lines(take_back(KIND, host, WANT)) == [f"remove {SAVED}"]

    assert host.sysctls.read(KEY) == "4096\t87380"
    assert host.files.look(Path(SAVED)) is None


def test_a_value_that_moved_since_the_plan_is_left_alone() -> None:
    host = node("1\t2", LINE)
    (change,) = KIND.plan(host, WANT)
    assert isinstance(change, SetSysctl)
    host.sysctls.values[KEY] = "3\t4"

    with pytest.raises(MovedError, match=r"expected '1.t2', found '3.t4'"):
        KIND.apply(host, change)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"value": 1}, "Expected `str`, got `int` - at `$.value`"),
        ({"value": "1\n"}, "at `$.value`"),
        ({"value": "1\0"}, "at `$.value`"),
        ({"value": "1", "key": "../etc.passwd"}, "at `$.key`"),
        ({"value": "1", "persit": True}, "Object contains unknown field `persit`"),
    ],
    ids=["not a string", "a newline would end the line", "a NUL", "no key", "a typo"],
)
def test_a_wrong_spec_is_refused_with_its_path(typed: dict[str, object], told: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=re.escape(told)):
        msgspec.convert({"kind": "sysctl/1", "key": KEY, **typed}, Sysctl)


def test_claims_and_watch() -> None:
    assert KIND.claims(WANT) == (Claim("sysctl", KEY),)
    assert KIND.watch(WANT) == (WatchPath(Path(SAVED)), READING)


words = st.lists(st.from_regex(r"[0-9a-z]{1,8}", fullmatch=True), min_size=1, max_size=4)


@given(start=words, value=words, persist=st.booleans(), saved=st.none() | st.binary(max_size=20))
def test_one_pass_converges(
    start: list[str], value: list[str], persist: bool, saved: bytes | None
) -> None:
    host = node("\t".join(start), saved)

    converge(KIND, host, Sysctl(key=KEY, value=" ".join(value), persist=persist))

    assert host.sysctls.values[KEY].split() == value
    line = f"{KEY} = {' '.join(value)}\n".encode()
    assert host.files.read(Path(SAVED)) == (line if persist else None)
