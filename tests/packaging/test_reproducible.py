"""Two builds are the same to the byte: elsewhere, later, on a machine of another name.

The first package is looked into as well: what is in it, whose it is, and that it runs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from saltern_build import tools, wheels
from saltern_build.release import DISTRIBUTIONS

from tests.packaging.checkouts import build, copied

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

PYTHON = "/usr/bin/python3.11"
ELSEWHERE = ("/usr/bin/unshare", "--uts", "--", "/bin/sh", "-c", 'hostname other && exec "$@"', "-")
MOST_MEGABYTES = 40
IMPORT_ALL = """
import importlib, pathlib, sys
sys.path.insert(0, sys.argv[1])
assert not [path for path in sys.path if "packages" in path], sys.path
top = pathlib.Path(sys.argv[1])
names = sorted(".".join(one.relative_to(top).with_suffix("").parts).removesuffix(".__init__")
               for one in top.glob("saltern_*/**/*.py") if one.name != "__main__.py")
for name in names:
    importlib.import_module(name)
print(len(names), *{pathlib.Path(m.__file__).is_relative_to(top) or m.__name__ for n, m
      in sys.modules.items() if n.partition(".")[0] in ("zmq", "cryptography", "pyroute2",
      "jeepney", "msgpack", "msgspec", "_cffi_backend") and getattr(m, "__file__", None)})
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of this checkout, which nobody edits meanwhile."""
    return copied(tmp_path_factory.mktemp("first") / "checkout")


@pytest.fixture(scope="module")
def package(checkout: Path) -> Path:
    """Give the agent's package for this Debian's Python."""
    return build(checkout, "agent:deb12", checkout.parent)


@pytest.fixture(scope="module")
def unpacked(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give its files."""
    folder = tmp_path_factory.mktemp("unpacked")
    run("/usr/bin/dpkg-deb", "--extract", str(package), str(folder))
    return folder


def run(*command: str) -> str:
    """Run a program to its good end; give its words."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def listed(package: Path) -> list[tuple[str, str, str]]:
    """Give mode, owner and path of everything in a package, by tar's own list."""
    lines = run("/usr/bin/dpkg-deb", "--contents", str(package)).splitlines()
    rows = [line.split(maxsplit=5) for line in lines]
    return [(row[0], row[1], row[5]) for row in rows]


def test_a_build_elsewhere_and_later_gives_the_same_bytes(
    package: Path, checkout: Path, tmp_path: Path
) -> None:
    again = build(
        copied(tmp_path / "some where else", checkout),
        "agent:deb12",
        tmp_path,
        before=ELSEWHERE,
        umask=0o077,
        TZ="Asia/Kathmandu",
        LANG="tr_TR.UTF-8",
        PYTHONHASHSEED="7",
    )

    assert again.name == package.name
    digests = [hashlib.sha256(one.read_bytes()).hexdigest() for one in (again, package)]
    assert digests[0] == digests[1]


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_wheels_and_sources_are_the_same_too(kind: str, checkout: Path, tmp_path: Path) -> None:
    digests = []
    for name, epoch in (("a", "1"), ("b", "2000000000")):
        found = tools.find({**os.environ, "SOURCE_DATE_EPOCH": epoch})
        copy, into = copied(tmp_path / name, checkout), tmp_path / f"{name}-made"
        made = wheels.built(copy, DISTRIBUTIONS, kind, into, found)
        digests.append({one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in made})

    assert len(digests[0]) == len(DISTRIBUTIONS)
    assert digests[0] == digests[1]


def test_all_is_roots_and_nobody_else_may_write(package: Path) -> None:
    rows = listed(package)
    modes = {mode for mode, _, path in rows if path != "./etc/saltern/"}

    assert {owner for _, owner, _ in rows} == {"root/root"}
    assert modes == {"drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x"}
    assert [path for mode, _, path in rows if mode == "-rwxr-xr-x"] == ["./usr/bin/saltern-agent"]
    assert [mode for mode, _, path in rows if path == "./etc/saltern/"] == ["drwx------"]


def test_no_bytecode_no_tests_and_nothing_of_the_building_machines(unpacked: Path) -> None:
    paths = [path for path in unpacked.rglob("*") if path.is_file()]
    names = {path.name for path in paths}
    needless = {"direct_url.json", "RECORD", "INSTALLER", "uv_cache.json"}
    told = [path for path in paths if str(unpacked.parents[1]).encode() in path.read_bytes()]

    assert not needless & names
    assert not [path for path in paths if path.suffix == ".pyc" or "tests" in path.parts]
    assert told == []


def test_every_module_of_ours_is_imported_from_the_package_alone(unpacked: Path) -> None:
    tree = unpacked / "usr/lib/saltern-agent"
    count, *found = run(PYTHON, "-I", "-S", "-B", "-c", IMPORT_ALL, str(tree)).split()

    assert int(count) > 100
    assert found == ["True"]


def test_the_program_runs_from_its_directory(unpacked: Path) -> None:
    launcher = (unpacked / "usr/bin/saltern-agent").read_text()
    command = launcher.splitlines()[1].removeprefix("exec ").split()
    place = "/usr/lib/saltern-agent"

    assert command == [PYTHON, "-I", "-S", "-B", place, '"$@"']
    assert "become a node" in run(*command[:-2], f"{unpacked}{place}", "--help")


def test_what_is_installed_is_small(unpacked: Path, tmp_path: Path) -> None:
    shutil.copytree(unpacked, tmp_path / "compiled")  # the other tests' tree stays as it was packed
    run(PYTHON, "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash",
        str(tmp_path / "compiled/usr/lib/saltern-agent"))  # fmt: skip
    size = sum(path.lstat().st_size for path in (tmp_path / "compiled").rglob("*")) / 1e6

    print(f"installed, with bytecode: {size:.1f} MB")
    assert size < MOST_MEGABYTES
