"""The laws of Packages on the real dpkg and apt-get, in a copy of this system."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from saltern_agent.host.dpkg import POLICY, DebianPackages
from saltern_states.debversion import compare
from saltern_states.ports import HostError

from tests.contracts.package_laws import *  # noqa: F403  # each of its tests is one of ours
from tests.system.other_root import OtherRoot

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not Path("/usr/bin/apt-get").exists(), reason="no Debian"),
]

POLICY_PATH = Path("/usr/sbin/policy-rc.d")
TELLS_POLICY = "/usr/sbin/policy-rc.d any start; echo $? > /root/told-by-policy"


class OtherPackages:
    """The port, used in the other root."""

    def __init__(self, root: OtherRoot) -> None:
        self.root = root

    def version(self, name: str) -> str | None:
        found = self.root.ask(DebianPackages().version, name)
        assert found is None or isinstance(found, str)
        return found

    def install_files(self, files: tuple[Path, ...]) -> None:
        self.root.ask(DebianPackages().install_files, files)

    def install(self, name: str, version: str) -> None:
        self.root.ask(DebianPackages().install, name, version)

    def remove(self, name: str) -> None:
        self.root.ask(DebianPackages().remove, name)

    def compare(self, one: str, other: str) -> int:
        return compare(one, other)


class DpkgGround:
    """A copy of this system, without its repositories."""

    def __init__(self, place: Path) -> None:
        self.root = OtherRoot(place)
        self.packages = OtherPackages(self.root)
        self.root.ask(no_repositories)

    def deb(self, name: str, version: str, *needs: str, script: str = "") -> Path:
        path = self.root.ask(make_deb, name, version, needs, script)
        assert isinstance(path, Path)
        return path


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[DpkgGround]:
    ground = DpkgGround(tmp_path)
    yield ground
    ground.root.close()


def no_repositories() -> None:
    """Leave apt no sources and no lists."""
    for folder in ("/etc/apt/sources.list.d", "/var/lib/apt/lists"):
        for path in Path(folder).glob("*"):
            if path.is_file():
                path.unlink()
    Path("/etc/apt/sources.list").write_text("")


def make_deb(name: str, version: str, needs: tuple[str, ...], script: str) -> Path:
    """Build a package; it is named by its hash, as a blob is."""
    tree = Path("/root/build", name)
    (tree / "DEBIAN").mkdir(parents=True, exist_ok=True)
    depends = f"Depends: {', '.join(needs)}\n" if needs else ""
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: all\n{depends}"
        "Maintainer: Tests <tests@example.org>\nDescription: of a test\n"
    )
    postinst = tree / "DEBIAN/postinst"
    postinst.write_text(f"#!/bin/sh\n{script}\n")
    postinst.chmod(0o755)
    built = Path("/root/build/built")
    command = ["/usr/bin/dpkg-deb", "--build", "--root-owner-group", str(tree), str(built)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    path = built.with_name(sha256(built.read_bytes()).hexdigest())
    built.rename(path)
    return path


def offer(deb: Path) -> None:
    """Let a repository on this disk have the package."""
    shop = Path("/root/shop")
    shop.mkdir(exist_ok=True)
    content = deb.read_bytes()
    (shop / "one.deb").write_bytes(content)
    show = ["/usr/bin/dpkg-deb", "--field", str(deb)]
    fields = subprocess.run(show, check=True, capture_output=True, timeout=30).stdout.decode()
    digest = sha256(content).hexdigest()
    (shop / "Packages").write_text(
        f"{fields}Filename: ./one.deb\nSize: {len(content)}\nSHA256: {digest}\n"
    )
    Path("/etc/apt/sources.list").write_text("deb [trusted=yes] file:/root/shop ./\n")


def text_of(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def write_policy(content: bytes) -> None:
    POLICY_PATH.write_bytes(content)
    POLICY_PATH.chmod(0o755)


def test_from_a_repository_whose_lists_are_not_there_yet(ground: DpkgGround) -> None:
    ground.root.ask(offer, ground.deb("saltern-top", "1"))

    ground.packages.install("saltern-top", "1")

    assert ground.packages.version("saltern-top") == "1"
    with pytest.raises(HostError, match="cannot install saltern-top=2"):
        ground.packages.install("saltern-top", "2")


def test_no_service_is_started_meanwhile_and_nothing_stays(ground: DpkgGround) -> None:
    ground.root.ask(os.path.lexists, POLICY_PATH) and ground.root.ask(os.unlink, POLICY_PATH)

    ground.packages.install_files((ground.deb("saltern-base", "1", script=TELLS_POLICY),))

    assert ground.root.ask(text_of, Path("/root/told-by-policy")) == "101\n"
    assert ground.root.ask(text_of, POLICY_PATH) is None
    assert ground.root.ask(os.listdir, "/usr/sbin").count("policy-rc.d.kept-by-saltern") == 0


def test_somebody_elses_policy_is_set_aside_and_put_back(ground: DpkgGround) -> None:
    ground.root.ask(write_policy, b"#!/bin/sh\nexit 0\n")

    ground.packages.install_files((ground.deb("saltern-base", "1", script=TELLS_POLICY),))

    assert ground.root.ask(text_of, Path("/root/told-by-policy")) == "101\n"
    assert ground.root.ask(text_of, POLICY_PATH) == "#!/bin/sh\nexit 0\n"


def test_what_a_maintainers_script_says_is_told_and_a_later_version_mends_it(
    ground: DpkgGround,
) -> None:
    broken = ground.deb("saltern-base", "1", script="echo it went wrong; exit 3")

    with pytest.raises(HostError, match=r"cannot install.*exit status 3") as caught:
        ground.packages.install_files((broken,))

    assert "it went wrong" in caught.value.detail
    assert ground.packages.version("saltern-base") is None
    assert ground.root.ask(text_of, POLICY_PATH) != POLICY.decode()
    ground.packages.install_files((ground.deb("saltern-base", "2"),))
    assert ground.packages.version("saltern-base") == "2"


def test_the_same_as_dpkg_says_of_every_package_here() -> None:
    command = [
        "/usr/bin/dpkg-query",
        "--show",
        "--showformat=${Package} ${db:Status-Status} ${Version}\\n",
    ]
    said = subprocess.run(command, check=True, capture_output=True, timeout=30).stdout.decode()
    rows = [line.split() for line in said.splitlines() if line.split()[1] == "installed"]
    packages = DebianPackages()

    assert len(rows) > 50
    assert {name: packages.version(name) for name, _, _ in rows} == {
        name: version for name, _, version in rows
    }
