"""dpkg's record, the policy file and its sweep, and a tool that is waited for."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from saltern_agent.host.dpkg import POLICY, DebianPackages, configured, locked
from saltern_agent.host.transaction import cause, run
from saltern_states.ports import HostError

from tests.agent.deep import make_deep

STATUS = """Package: dpkg
Status: install ok installed
Architecture: amd64
Version: 1.21.22
Conffiles:
 /etc/dpkg/dpkg.cfg 0123

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.35-1
Multi-Arch: same
Description: with a line that looks like a field
 Version: 9
 .
 Status: install ok installed

Package: libc6
Status: hold ok installed
Architecture: amd64
Version: 2.36-9+deb12u10

Package: half
Status: install ok half-configured
Architecture: all
Version: 1

Package: broken
Status: install reinstreq installed
Architecture: all
Version: 1

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: waiting
Status: install ok triggers-pending
Architecture: all
Version: 1:2~rc1-1

Package: foreign
Status: install ok installed
Architecture: i386
Version: 3
"""


def system(place: Path) -> DebianPackages:
    (place / "record").mkdir()
    (place / "record/status").write_text(STATUS)
    (place / "tmp").mkdir()
    return DebianPackages(place / "record", place / "policy-rc.d", place / "tmp")


def test_what_is_configured_has_a_version() -> None:
    assert configured(STATUS) == {
        "dpkg": "1.21.22",
        "libc6": "2.36-9+deb12u10",
        "waiting": "1:2~rc1-1",
        "foreign": "3",
    }
    assert configured("") == {}


def test_the_record_is_read_again_when_it_was_replaced(tmp_path: Path) -> None:
    packages = system(tmp_path)
    assert packages.version("dpkg") == "1.21.22"
    assert packages.version("half") is None

    new = tmp_path / "record/status-new"
    new.write_text(STATUS.replace("1.21.22", "1.22.11"))
    os.replace(new, tmp_path / "record/status")

    assert packages.version("dpkg") == "1.22.11"


def test_a_record_that_is_not_there_is_no_empty_one(tmp_path: Path) -> None:
    packages = DebianPackages(tmp_path, tmp_path / "policy-rc.d", tmp_path)

    with pytest.raises(HostError, match=r"cannot read .*/status"):
        packages.version("dpkg")


@pytest.mark.parametrize(
    ("left", "after"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"policy-rc.d": POLICY}, {}, id="ours"),
        pytest.param({"policy-rc.d": b"theirs"}, {"policy-rc.d": b"theirs"}, id="another's"),
        pytest.param(
            {"policy-rc.d": POLICY, "policy-rc.d.kept-by-saltern": b"theirs"},
            {"policy-rc.d": b"theirs"},
            id="ours in the place of another's",
        ),
        pytest.param(
            {"policy-rc.d": b"theirs", "policy-rc.d.kept-by-saltern": b"theirs"},
            {"policy-rc.d": b"theirs"},
            id="set aside, not yet replaced",
        ),
        pytest.param(
            {"policy-rc.d.kept-by-saltern": b"theirs"}, {"policy-rc.d": b"theirs"}, id="taken away"
        ),
        pytest.param({".policy-rc.d.saltern": POLICY}, {}, id="not yet put in place"),
    ],
)
def test_what_a_crash_left_is_swept(
    tmp_path: Path, left: dict[str, bytes], after: dict[str, bytes]
) -> None:
    packages = system(tmp_path)
    for name, content in left.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "tmp/saltern-debs-x").mkdir()
    (tmp_path / "tmp/saltern-debs-x/0.deb").write_bytes(b"")
    make_deep(tmp_path / "tmp/saltern-debs-y")  # anybody may, where it is
    (tmp_path / "tmp/saltern-debs-z").symlink_to(tmp_path / "kept")
    (tmp_path / "kept").mkdir()

    packages.sweep()

    found = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert found == after
    assert [path.name for path in (tmp_path / "tmp").iterdir()] == ["saltern-debs-z"]
    assert (tmp_path / "kept").is_dir()


def test_a_lock_that_another_holds_is_waited_for_and_named(tmp_path: Path) -> None:
    lock = tmp_path / "lock-frontend"
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:  # locks of fcntl(2) are per process
        with locked("hold it", lock, 1):
            os.write(go, b"x")
            time.sleep(60)
        os._exit(0)
    try:
        os.read(ready, 1)
        held = pytest.raises(HostError, match=r"cannot try: another package manager has held")
        with held, locked("try", lock, 0.3):
            pass
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
    with locked("try again", lock, 5):
        pass


def test_a_tool_that_fails_is_told_with_its_last_lines() -> None:
    script = "for line in $(seq 1 100); do echo line $line; done; echo the end >&2; exit 7"
    with pytest.raises(HostError) as caught:
        run("try", ["/bin/sh", "-c", script], {"PATH": "/usr/bin:/bin"}, 10)

    assert str(caught.value) == "cannot try: /bin/sh gave 7: the end"
    told = caught.value.detail.splitlines()
    assert told[-2:] == ["line 100", "the end"]
    assert len(told) == 15


HELD = """Reading package lists...
The following packages have unmet dependencies:
 one : Depends: other (>= 2) but it is not going to be installed
E: Unable to correct problems, you have held broken packages.
"""
SCRIPT = """Setting up one (1) ...
dpkg: error processing package one (--configure):
 installed one package post-installation script subprocess returned error exit status 1
Errors were encountered while processing:
 one
E: Sub-process /usr/bin/dpkg returned an error code (1)
"""
NOWHERE = "Reading package lists...\nE: Unable to locate package one\n"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        pytest.param(NOWHERE, "E: Unable to locate package one", id="not there"),
        pytest.param(
            HELD,
            "one : Depends: other (>= 2) but it is not going to be installed; "
            "E: Unable to correct problems, you have held broken packages.",
            id="not resolved",
        ),
        pytest.param(
            SCRIPT,
            "dpkg: error processing package one (--configure): "
            "installed one package post-installation script subprocess returned error exit "
            "status 1",
            id="a maintainer's script",
        ),
        pytest.param("E: Sub-process x\n", "E: Sub-process x", id="nothing else"),
        pytest.param("one\n\ntwo \n\n", "two", id="another tool"),
        pytest.param("", "it said nothing", id="silent"),
        pytest.param("E: one\n" * 20, "E: one", id="the same again and again"),
        pytest.param("E: " + "x" * 900, "E: " + "x" * 397 + "…", id="long"),
    ],
)
def test_why_a_tool_failed_is_one_line(said: str, why: str) -> None:
    assert cause(said) == why


def test_a_tool_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    script = f"sleep 100 & echo $! > {mark}; echo begun; wait"
    begun = time.monotonic()
    with pytest.raises(HostError, match="was not done after 1 s; it ends: begun"):
        run("try", ["/bin/sh", "-c", script], {"PATH": "/usr/bin:/bin"}, 0.6)

    assert time.monotonic() - begun < 15
    child = int(mark.read_text())
    until = time.monotonic() + 10
    while is_running(child):
        assert time.monotonic() < until


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_tool_that_is_not_there_is_told() -> None:
    with pytest.raises(HostError, match="cannot try: cannot run /no/such: No such file"):
        run("try", ["/no/such"], {}, 1)


def build(place: Path, name: str, version: str = "1") -> Path:
    """Build a .deb file that is named as a blob is: by nothing that tells what it holds."""
    tree = place / f"{name}-{version}"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
        "Maintainer: Tests <tests@example.org>\nDescription: of a test\n"
    )
    built = place / str(len(list(place.iterdir())))
    command = ["/usr/bin/dpkg-deb", "--build", "--root-owner-group", str(tree), str(built)]
    run("build", command, {"PATH": "/usr/bin:/bin"}, 30)
    return built


@pytest.mark.skipif(not Path("/usr/bin/dpkg-deb").exists(), reason="no Debian")
def test_a_file_says_which_package_it_is_of(tmp_path: Path) -> None:
    packages = system(tmp_path)
    (tmp_path / "debs").mkdir()
    assert packages.named(build(tmp_path / "debs", "saltern-one", "1:2~rc1-1")) == (
        "saltern-one",
        "1:2~rc1-1",
    )
    with pytest.raises(HostError, match=r"cannot read /etc/hostname as a \.deb file: .*archive"):
        packages.named(Path("/etc/hostname"))


@pytest.mark.skipif(not Path("/usr/bin/dpkg-deb").exists(), reason="no Debian")
def test_files_that_are_of_one_package_or_of_none_are_refused_before_apt_get_runs(
    tmp_path: Path,
) -> None:
    packages = system(tmp_path)
    (tmp_path / "debs").mkdir()
    old, new = (build(tmp_path / "debs", "saltern-one", version) for version in "12")
    other = build(tmp_path / "debs", "saltern-two")

    with pytest.raises(HostError, match="saltern-one is the package of two of the files"):
        packages.install_files((old, other, new))
    with pytest.raises(HostError, match="cannot install packages: cannot read"):
        packages.install_files((other, tmp_path / "record/status"))

    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / "policy-rc.d").exists()
