"""Building from a source package: what is decided, what is resumed, who waits for whom."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from saltern_master.binaries.apt_source import apt_configuration, machine_lists, source_lists
from saltern_master.binaries.build_tools import Steps, take_turns
from saltern_master.binaries.components import COMPONENTS, BinaryError
from saltern_master.binaries.debian_source import build, linker_flags, workshop
from saltern_master.binaries.openapi import tagged_packages

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}


def unheard(line: str) -> None:
    """Where progress goes that no test looks at."""


QUIET = Steps(unheard)


def until(seen: Callable[[], bool]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + 20
    while not seen():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)  # between two looks; the condition decides


def ended(pid: int) -> bool:
    """Whether a process is gone, or a zombie that its new parent has not taken in yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize(
    ("name", "text", "made"),
    [
        pytest.param(
            "debian.sources",
            "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\n",
            "Types: deb-src\nURIs: http://mirror.example/debian\nSuites: bookworm\n",
            id="a stanza",
        ),
        pytest.param(
            "debian.sources",
            "types:  deb deb-src\nEnabled: no\n# Types: deb\n",
            "Types: deb-src\nEnabled: no\n# Types: deb\n",
            id="a stanza that is off stays off, a comment a comment",
        ),
        pytest.param(
            "sources.list",
            "deb [signed-by=/k] http://m.example/ x main\n# deb http://n.example/ x main\n",
            "deb-src [signed-by=/k] http://m.example/ x main\n# deb http://n.example/ x main\n",
            id="one line",
        ),
        pytest.param(
            "sources.list",
            "deb http://m.example/ x main\ndeb-src http://m.example/ x main\n",
            "deb-src http://m.example/ x main\n",
            id="sources that are there already come once",
        ),
        pytest.param("a.list", "debris\n", "debris\n", id="another word"),
    ],
)
def test_source_lists(name: str, text: str, made: str) -> None:
    assert source_lists({name: text}) == {name: made}


def test_the_machine_s_lists_are_read_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    for name in ("a.list", "b.sources", "c.list.disabled", "d.save"):
        (tmp_path / "sources.list.d" / name).write_text(name)
    assert machine_lists(tmp_path) == {"a.list": "a.list", "b.sources": "b.sources"}

    (tmp_path / "sources.list").write_text("main")
    assert list(machine_lists(tmp_path)) == ["sources.list", "a.list", "b.sources"]


def test_a_machine_without_apt_is_told(tmp_path: Path) -> None:
    with pytest.raises(BinaryError, match=r"cannot find apt's sources.*is this Debian\?"):
        machine_lists(tmp_path)


def test_apt_writes_only_below_its_directory(tmp_path: Path) -> None:
    places = [
        line.split('"')[1]
        for line in apt_configuration(tmp_path).splitlines()
        if line.startswith("Dir::")
    ]
    assert places == [
        "/dev/null",
        f"{tmp_path}/etc",
        f"{tmp_path}/lists",
        f"{tmp_path}/archives",
    ]


def test_the_version_is_set_where_the_project_sets_it() -> None:
    at = "k8s.io/kubernetes/vendor/k8s.io"
    assert linker_flags("1.20.2").split(" -X ") == [
        "-s -w",
        f"{at}/component-base/version.gitVersion=v1.20.2",
        f"{at}/component-base/version.gitMajor=1",
        f"{at}/component-base/version.gitMinor=20",
        f"{at}/component-base/version.gitTreeState=archive",
        f"{at}/client-go/pkg/version.gitVersion=v1.20.2",
        f"{at}/client-go/pkg/version.gitMajor=1",
        f"{at}/client-go/pkg/version.gitMinor=20",
        f"{at}/client-go/pkg/version.gitTreeState=archive",
    ]


def test_tagged_packages() -> None:
    tag = "package x\n\n// +k8s:openapi-gen=true\n"
    files = [
        ("staging/src/k8s.io/api/core/v1/doc.go", tag),
        ("staging/src/k8s.io/api/core/v1/other.go", "//+k8s:openapi-gen=false\n"),
        ("pkg/a/types.go", tag),
        ("pkg/b/types.go", "package b\n// says +k8s:openapi-gen=true in prose\n"),
        ("pkg/c/types.go", "// +k8s:deepcopy-gen=package\n"),
        ("staging/src/k8s.io/code-generator/x/doc.go", tag),
        ("staging/src/k8s.io/sample-apiserver/x/doc.go", tag),
    ]
    assert tagged_packages(files) == ["pkg/a", "vendor/k8s.io/api/core/v1"]


def test_what_is_built_is_not_built_again(tmp_path: Path) -> None:
    shop = workshop(tmp_path, "1.20.2")
    shop.programs.mkdir(parents=True)
    for name in COMPONENTS:
        (shop.programs / name).touch()
    said: list[str] = []

    assert build(shop, ["kubectl", "kubelet"], Steps(said.append)) == {
        "kubelet": tmp_path / "kubernetes/1.20.2/bin/kubelet",
        "kubectl": tmp_path / "kubernetes/1.20.2/bin/kubectl",
    }
    assert said == []


def test_the_work_goes_when_every_component_is_there(tmp_path: Path) -> None:
    shop = workshop(tmp_path, "1.20.2")
    shop.programs.mkdir(parents=True)
    shop.tree.mkdir(parents=True)
    for name in COMPONENTS[:-1]:
        (shop.programs / name).touch()
    build(shop, ["kubelet"], QUIET)
    assert shop.tree.is_dir()

    (shop.programs / COMPONENTS[-1]).touch()
    build(shop, ["kubelet"], QUIET)
    assert not shop.work.exists()


def test_another_version_is_not_built(tmp_path: Path) -> None:
    with pytest.raises(BinaryError, match=r"cannot build 1\.21\.0.*holds 1\.20\.2.*--from DIR"):
        workshop(tmp_path, "1.21.0")


def test_many_builders_do_the_work_once(tmp_path: Path) -> None:
    done = tmp_path / "done"
    worked: list[int] = []

    def work() -> None:
        worked.append(threading.get_ident())
        done.touch()

    with ThreadPoolExecutor(8) as pool:
        for turn in [
            pool.submit(take_turns, tmp_path / ".lock", done.exists, work, QUIET) for _ in range(8)
        ]:
            turn.result(timeout=20)

    assert len(worked) == 1


def test_a_builder_that_fails_gives_its_turn_to_the_next(tmp_path: Path) -> None:
    done = tmp_path / "done"

    def fail() -> None:
        raise BinaryError("cannot go on")

    with pytest.raises(BinaryError, match="cannot go on"):
        take_turns(tmp_path / ".lock", done.exists, fail, QUIET)
    take_turns(tmp_path / ".lock", done.exists, done.touch, QUIET)

    assert done.exists()


def test_who_waits_says_so_and_stops_when_it_is_done(tmp_path: Path) -> None:
    working, may_end = threading.Event(), threading.Event()
    done = tmp_path / "done"
    said: list[str] = []

    def slow() -> None:
        working.set()
        assert may_end.wait(20)
        done.touch()

    def say(line: str) -> None:
        said.append(line)
        may_end.set()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(take_turns, tmp_path / ".lock", done.exists, slow, QUIET)
        assert working.wait(20)
        take_turns(tmp_path / ".lock", done.exists, pytest.fail, Steps(say))
        first.result(timeout=20)

    assert said == [f"another build is at work ({tmp_path}/.lock is held); waiting …"]


def test_a_step_that_fails_quotes_its_program(tmp_path: Path) -> None:
    said: list[str] = []
    argv = ["/bin/sh", "-c", "echo one; echo two >&2; exit 3"]
    with pytest.raises(BinaryError, match=r"cannot try it: exit 3: one / two; all is in .*log"):
        Steps(said.append).run("try it", argv, tmp_path, ENVIRONMENT, tmp_path / "log", seconds=20)
    assert said == ["try it …"]


def test_a_step_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    argv = ["/bin/sh", "-c", "sleep 1000 & echo $! > child; wait"]
    with pytest.raises(BinaryError, match="cannot hang: not done after"):
        Steps(unheard, pulse=0.1).run(
            "hang", argv, tmp_path, ENVIRONMENT, tmp_path / "log", seconds=1
        )
    child = int((tmp_path / "child").read_text())
    until(lambda: ended(child))


def test_a_step_ends_with_a_builder_that_is_killed(tmp_path: Path) -> None:
    builder = f"""
from pathlib import Path
from saltern_master.binaries.build_tools import Steps
argv = ["/bin/sh", "-c", "echo $$ > pid.new && mv pid.new pid && exec sleep 1000"]
Steps(print).run("sleep", argv, Path({str(tmp_path)!r}), {{}}, Path("/dev/null"), seconds=900)
"""
    process = subprocess.Popen([sys.executable, "-c", builder], stdout=subprocess.DEVNULL)
    until((tmp_path / "pid").exists)
    process.kill()
    process.wait()

    child = int((tmp_path / "pid").read_text())
    until(lambda: ended(child))
