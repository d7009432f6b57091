"""Packages by closure into a bare node, and docker there, also where oom scores cannot be lowered.

The packages come from the machine's own Debian mirror, or from the cache.
"""

import hashlib
import re
from pathlib import Path

import pytest
from saltern_master import cache, packages
from saltern_master.lab import Machine, host, rootfs
from saltern_master.packages import Deb, PackagesError

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

NAMES = ("docker.io", "ebtables")


def silent(_line: str) -> None:
    """Say nothing."""


@pytest.fixture(scope="module")
def status() -> Path:
    return rootfs.ready(silent).status


@pytest.fixture(scope="module")
def debs(status: Path) -> tuple[Deb, ...]:
    return packages.fetch_closure(NAMES, status, cache.root() / "debs", silent)


def test_a_closure_is_what_the_base_lacks(debs: tuple[Deb, ...], status: Path) -> None:
    names = {deb.package for deb in debs}
    assert names >= {"docker.io", "ebtables", "containerd", "runc"}
    installed = set(re.findall(r"^Package: (.*)$", status.read_text(), re.M))
    assert "libc6" in installed
    assert not names & installed
    for deb in debs:
        assert hashlib.sha256(Path(deb.path).read_bytes()).hexdigest() == deb.sha256
        assert Path(deb.path).stat().st_size == deb.size


def test_a_closure_is_remembered_until_a_file_of_it_is_gone_or_hurt(
    status: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    first = packages.fetch_closure(["ethtool"], status, tmp_path, said.append)
    assert said
    said.clear()
    assert packages.fetch_closure(["ethtool"], status, tmp_path, said.append) == first
    assert said == [], "it was fetched again"
    hurt = Path(first[0].path)
    hurt.write_bytes(hurt.read_bytes()[:-1] + b"?")
    assert packages.fetch_closure(["ethtool"], status, tmp_path, said.append) == first
    assert said, "a hurt file was taken"


@pytest.mark.parametrize("name", ["no-such-package-anywhere", "ebtables=0.0"])
def test_a_package_that_is_not_there_is_told(status: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(PackagesError, match=f"cannot find a closure of {name}"):
        packages.fetch_closure([name], status, tmp_path, silent)


@pytest.mark.parametrize("name", ["--help", "a/b", "A", "a b", "curl-", ""])
def test_a_name_that_is_none_is_refused(status: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(PackagesError, match="give names of Debian packages"):
        packages.fetch_closure([name], status, tmp_path, silent)


@pytest.fixture(scope="module")
def docker(node: Machine, debs: tuple[Deb, ...]) -> Machine:
    """The node with docker, and with an image of its own `cat`."""
    for deb in debs:
        node.copy_in(Path(deb.path), f"/root/debs/{Path(deb.path).name}")
    install = "export DEBIAN_FRONTEND=noninteractive; dpkg --install /root/debs/*.deb"
    done = node.exec(["sh", "-c", install], timeout=300)
    assert done.returncode == 0, done.stderr
    files = "usr/bin/cat lib64/ld-linux-x86-64.so.2 lib/x86_64-linux-gnu/libc.so.6"
    image = f"tar -C / -ch {files} | docker import --change 'ENTRYPOINT [\"/usr/bin/cat\"]' - cat:1"
    done = node.exec(["sh", "-c", image])
    assert done.returncode == 0, done.stderr
    return node


def test_docker_runs_on_a_real_disk(docker: Machine) -> None:
    done = docker.exec(["docker", "info", "--format", "{{.Driver}} {{.CgroupDriver}}"])
    assert done.stdout.split()[0] == "overlay2"
    assert docker.exec(["docker", "run", "--rm", "cat:1", "/etc/hostname"]).returncode == 0


@pytest.mark.parametrize("score", [-998, 0, 500])
def test_a_container_may_ask_for_any_oom_score(docker: Machine, score: int) -> None:
    run = ["docker", "run", "--rm", f"--oom-score-adj={score}", "cat:1", "/proc/self/oom_score_adj"]
    done = docker.exec(run)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == (score if host.find().may_lower_oom else max(score, 0))


def test_nothing_but_the_score_is_changed(docker: Machine) -> None:
    value = '"oomScoreAdj":-5 \\"oomScoreAdj\\":-5'
    run = ["docker", "run", "--rm", "--oom-score-adj=-5", "--env", f"A={value}"]
    done = docker.exec([*run, "cat:1", "/proc/self/environ"])
    assert f"A={value}" in done.stdout.split("\0")
