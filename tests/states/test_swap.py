"""swap: the table says what diff() does; the properties say that it converges and comes back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_protocol.policy import Claim
from saltern_states.changes import MAX_SHOWN_BYTES
from saltern_states.contract import WatchPath, WatchReading
from saltern_states.swap import FSTAB, KIND, Swap
from saltern_states.testing import FakeHost

from tests.states.laws import converge, lines, take_back

WANT = Swap()
ROOT = b"UUID=1 / ext4 errors=remount-ro 0 1\n"
AREA = b"/dev/sda2\tnone\tswap\tsw\t0\t0\n"
OFF = b"# saltern swap off: /dev/sda2\tnone\tswap\tsw\t0\t0\n"


def node(active: tuple[str, ...], fstab: bytes | None) -> FakeHost:
    host = FakeHost()
    host.files.put_directory("/etc")
    host.swaps.areas = set(active)
    if fstab is not None:
        host.files.put_file(FSTAB, fstab, 0o664)
    return host


@pytest.mark.parametrize(
    ("active", "fstab", "told", "after"),
    [
        pytest.param((), ROOT, [], ROOT, id="no swap"),
        pytest.param((), None, [], None, id="no fstab"),
        pytest.param(
            ("/dev/sda2", "/swapfile"),
            ROOT + AREA,
            [
                "stop swapping on /dev/sda2",
                "stop swapping on /swapfile",
                f"write /etc/fstab ({len(ROOT + OFF)} bytes, 0664 root:root)",
            ],
            ROOT + OFF,
            id="in use",
        ),
        pytest.param((), ROOT + OFF, [], ROOT + OFF, id="commented out by us"),
        pytest.param((), b"#" + AREA, [], b"#" + AREA, id="commented out by another"),
        pytest.param(
            (),
            b"/swap none ext4 swap 0 0\nswap swap\n\n",
            [],
            b"/swap none ext4 swap 0 0\nswap swap\n\n",
            id="no line of type swap",
        ),
        pytest.param(
            (),
            AREA[:-1],
            [f"write /etc/fstab ({len(OFF) - 1} bytes, 0664 root:root)"],
            OFF[:-1],
            id="the last line without its end",
        ),
    ],
)
def test_diff(
    active: tuple[str, ...], fstab: bytes | None, told: list[str], after: bytes | None
) -> None:
    host = node(active, fstab)

    assert lines(converge(KIND, host, WANT)) == told

    assert host.swaps.active() == ()
    assert host.files.read(FSTAB) == after


def test_an_fstab_that_cannot_be_written_hinders_only_itself() -> None:
    host = node(("/swapfile",), None)
    host.files.put_symlink(FSTAB)
    assert lines(converge(KIND, host, WANT)) == [
        "stop swapping on /swapfile",
        "blocked: /etc/fstab is no file (symlink); put the real one in its place",
    ]
    host.files.put_file(FSTAB, b"#" * (MAX_SHOWN_BYTES + 1))
    assert lines(converge(KIND, host, WANT)) == [
        "blocked: /etc/fstab has more than 65536 bytes; make it smaller"
    ]


def test_removed_it_gives_the_lines_back_and_turns_nothing_on() -> None:
    host = node((), ROOT + OFF + b"# " + AREA)

    (change,) = take_back(KIND, host, WANT)

    assert f"-{OFF.decode()}+{AREA.decode()}" in change.detail
    assert host.files.read(FSTAB) == ROOT + AREA + b"# " + AREA
    assert host.swaps.active() == ()


def test_claims_and_watch() -> None:
    assert KIND.claims(WANT) == (Claim("swap", "off"),)
    assert KIND.watch(WANT) == (WatchPath(Path("/etc/fstab")), WatchReading(Path("/proc/swaps")))


tables = st.lists(
    st.sampled_from([ROOT, AREA, b"#" + AREA, b"\n", b"  /s none  swap sw\n", b"\xff\xfe x\n"]),
    max_size=6,
).map(b"".join)


@given(fstab=tables, active=st.sets(st.sampled_from(["/dev/sda2", "/swapfile"])))
def test_one_pass_converges_and_its_removal_restores_every_byte(
    fstab: bytes, active: set[str]
) -> None:
    host = node(tuple(active), fstab)

    converge(KIND, host, WANT)
    assert host.swaps.active() == ()
    for line in (host.files.read(FSTAB) or b"").splitlines():
        fields = line.split()
        assert line.startswith(b"#") or len(fields) < 3 or fields[2] != b"swap"
    take_back(KIND, host, WANT)

    assert host.files.read(FSTAB) == fstab
