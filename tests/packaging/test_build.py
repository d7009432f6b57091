"""What packages are called, made of and told to nfpm: the builder's values, without running it."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath

import pytest
from saltern_agent import __version__
from saltern_agent.host.dbus import SYSTEM_BUS
from saltern_build import config, entries, libraries, look, release, tree
from saltern_build.components import Component
from saltern_build.copyright import copyright_file, holders, short_name
from saltern_build.errors import PackagingError
from saltern_build.libraries import Wanted
from saltern_build.needless import is_needless
from saltern_build.products import AGENT, MASTER, PRODUCTS, Product, product_named
from saltern_build.release import Release
from saltern_build.targets import (
    TARGETS,
    Target,
    architecture,
    file_name,
    platforms,
    target_named,
)

from tests.house.tree import ROOT

NOW = Release("0.1.0", 1_700_000_000)
DEB12, DEB13, EL9 = (target_named(name) for name in ("deb12", "deb13", "el9-py311"))


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("deb12", "saltern-agent_0.1.0-1~deb12_amd64.deb"),
        ("deb13", "saltern-agent_0.1.0-1~deb13_amd64.deb"),
        ("el9-py311", "saltern-agent-0.1.0-1.el9.py311.x86_64.rpm"),
        ("el9-py312", "saltern-agent-0.1.0-1.el9.py312.x86_64.rpm"),
    ],
)
def test_a_package_is_named_as_its_distribution_does(target: str, name: str) -> None:
    assert file_name("saltern-agent", "0.1.0", target_named(target), "x86_64") == name


def test_each_target_is_told_apart_by_its_name() -> None:
    names = {file_name("x", "1", target, "x86_64") for target in TARGETS}

    assert len(names) == len(TARGETS)


def test_what_is_not_known_is_refused_with_what_is() -> None:
    with pytest.raises(PackagingError, match="known are deb12, deb13"):
        target_named("deb11")
    with pytest.raises(PackagingError, match="known are agent and master"):
        product_named("front")
    with pytest.raises(PackagingError, match="cannot build for riscv64"):
        architecture(DEB12, "riscv64")


def test_wheels_of_an_older_libc_will_do_and_of_a_newer_will_not() -> None:
    tags = platforms(EL9, "x86_64")

    assert tags[0] == "manylinux_2_34_x86_64"
    assert {"manylinux_2_17_x86_64", "manylinux2014_x86_64"} <= set(tags)
    assert "manylinux_2_36_x86_64" not in tags


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: str(one.name))
def test_the_agent_depends_on_the_bus_by_which_it_asks_systemd(target: Target) -> None:
    """systemd only recommends it, and an image that is kept small has none."""
    assert "/dbus/" in SYSTEM_BUS
    assert any(one.split(" ")[0] == "dbus" for one in AGENT.depends(target))


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: str(one.name))
@pytest.mark.parametrize("product", PRODUCTS, ids=lambda one: str(one.short))
def test_the_launcher_runs_the_very_python_that_the_package_depends_on(
    product: Product, target: Target
) -> None:
    first, command = tree.launcher(product, target).splitlines()

    assert first == "#!/bin/sh"
    assert command == f'exec /usr/bin/python{target.python} -I -S -B {product.tree} "$@"'
    assert f"python{target.python}" in product.depends(target)


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda one: str(one.short))
def test_every_distribution_of_a_product_is_there_with_its_lock(product: Product) -> None:
    assert (ROOT / "packaging/locks" / product.lock).is_file()
    assert all((ROOT / name / "pyproject.toml").is_file() for name in product.distributions)


# Version and time.


def sources(folder: Path, **said: str) -> Path:
    """Write what a version is read from."""
    for name in (".", *release.DISTRIBUTIONS):
        place = folder / name
        place.mkdir(exist_ok=True)
        version = said.get(name.replace(".", "top"), "0.1.0")
        place.joinpath("pyproject.toml").write_text(f'[project]\nname = "x"\nversion = "{version}"')
    constant = folder / release.CONSTANT
    constant.parent.mkdir(parents=True, exist_ok=True)
    constant.write_text(f'"""The agent."""\n\n__version__ = "{said.get("constant", "0.1.0")}"\n')
    folder.joinpath("CHANGELOG.md").write_text(said.get("news", "## [0.1.0] - 2026-01-02\n"))
    return folder


def test_all_files_of_this_checkout_say_one_version() -> None:
    assert release.version_of(ROOT) == __version__


def test_every_file_that_says_another_version_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackagingError) as told:
        release.version_of(sources(tmp_path, states="0.0.9", constant="0.2.0"))

    assert "states/pyproject.toml says 0.0.9" in str(told.value)
    assert "agent/saltern_agent/__init__.py says 0.2.0" in str(told.value)


@pytest.mark.parametrize("version", ["0", "1.2", "1.2.3-1", "1.2.3~rc1", "1.2.3\n"])
def test_a_version_that_sorts_differently_elsewhere_is_refused(
    version: str, tmp_path: Path
) -> None:
    folder = sources(tmp_path)
    tmp_path.joinpath("pyproject.toml").write_text(
        f"[project]\nname = 'x'\nversion = {json.dumps(version)}"
    )
    with pytest.raises(PackagingError, match="cannot build version"):
        release.version_of(folder)


def test_the_time_is_told_or_the_last_releases(tmp_path: Path) -> None:
    folder = sources(
        tmp_path, news="## [Unreleased]\n## [0.2.0] - 2026-03-04\n## [0.1.0] - 2026-01-02\n"
    )

    assert release.epoch_of(folder, {"SOURCE_DATE_EPOCH": "12"}) == 12
    assert Release("0", release.epoch_of(folder, {})).moment.isoformat()[:10] == "2026-03-04"


@pytest.mark.parametrize("told", ["now", "-1", "１２", "1.5"])
def test_a_time_that_is_none_is_refused(told: str, tmp_path: Path) -> None:
    with pytest.raises(PackagingError, match="no number of seconds"):
        release.epoch_of(tmp_path, {"SOURCE_DATE_EPOCH": told})


def test_sources_without_git_and_release_are_of_their_changelogs_time(tmp_path: Path) -> None:
    folder = sources(tmp_path, news="## [Unreleased]\n")
    os.utime(folder / "CHANGELOG.md", (77, 77))

    assert release.epoch_of(folder, {}) == 77


# What compiled modules need.

READELF = """
File: a.so
 0x0000000000000001 (NEEDED)             Shared library: [libgcc_s.so.1]
 0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]
 0x0000000000000001 (NEEDED)             Shared library: [ld-linux-x86-64.so.2]
 0x000000000000000e (SONAME)             Library soname: [libown.so.1]
  0x0010:   Name: GLIBC_2.2.5  Flags: none  Version: 3
  0x0020:   Name: GLIBC_2.34  Flags: none  Version: 2
  0x0030:   Name: GLIBC_2.4  Flags: none  Version: 1
"""


def test_readelfs_words_are_taken_apart() -> None:
    wanted = libraries.read(READELF)

    assert wanted == Wanted(frozenset({"libgcc_s.so.1", "libc.so.6", "ld-linux-x86-64.so.2"}), 34)
    assert libraries.packages(wanted, (), DEB12) == ("libc6 (>= 2.34)", "libgcc-s1")
    assert libraries.packages(wanted, (), EL9) == ("glibc >= 2.34", "libgcc")


def test_what_the_package_brings_itself_is_no_dependency() -> None:
    wanted = Wanted(frozenset({"libzmq-2f.so.5", "libstdc++.so.6"}), 0)

    assert libraries.packages(wanted, ("libzmq-2f.so.5",), DEB12) == ("libstdc++6",)


def test_a_library_of_nobodys_stops_the_build() -> None:
    with pytest.raises(PackagingError, match=r"wants libfoo\.so\.1"):
        libraries.packages(Wanted(frozenset({"libfoo.so.1"}), 0), (), DEB12)


def test_a_libc_that_the_target_has_not_stops_the_build() -> None:
    with pytest.raises(PackagingError, match=r"wants glibc 2\.38, and it has 2\.36"):
        libraries.packages(Wanted(frozenset(), 38), (), DEB12)


# What goes and what stays.


@pytest.mark.parametrize(
    "path",
    [
        "zmq/tests/test_socket.py",
        "zmq/__pycache__/x.cpython-311.pyc",
        "bin/httpx",
        "cffi/api.py",
        "pycparser-3.12.dist-info/METADATA",
        "msgpack/_cmsgpack.pyx",
        "zmq/backend/cffi/__init__.py",
        "zmq/py.typed",
        "typer/_click/LICENSE.txt",
        "cryptography-50.0.2.dist-info/RECORD",
        "cryptography-50.0.2.dist-info/licenses/LICENSE",
        "saltern_agent-0.1.0.dist-info/direct_url.json",
        ".lock",
    ],
)
def test_what_no_machine_needs_goes(path: str) -> None:
    assert is_needless(PurePosixPath(path))


@pytest.mark.parametrize(
    "path",
    [
        "_cffi_backend.cpython-311-x86_64-linux-gnu.so",
        "cryptography-50.0.2.dist-info/METADATA",
        "saltern_master/images/pause.c",
        "saltern_master/testing/service.py",
        "zmq/backend/cython/_zmq.cpython-311-x86_64-linux-gnu.so",
        "pyzmq.libs/libzmq-2f02442c.so.5.2.5",
        "certifi/cacert.pem",
    ],
)
def test_what_runs_or_is_read_stays(path: str) -> None:
    assert not is_needless(PurePosixPath(path))


# Scripts, changelog, copyright.


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: str(one.name))
@pytest.mark.parametrize("product", PRODUCTS, ids=lambda one: str(one.short))
def test_scripts_compile_with_the_packages_own_python(product: Product, target: Target) -> None:
    found = entries.scripts(product, target, NOW, ROOT)

    assert {"postinstall", "preremove", "postremove"} <= set(found)
    assert f"{target.interpreter} -I -S -m compileall" in found["postinstall"]
    assert not [text for text in found.values() if "@" in text.replace("$@", "")]


def test_a_word_that_nobody_fills_in_stops_the_build() -> None:
    with pytest.raises(PackagingError, match="cannot fill in @PYHTON@"):
        entries.filled("@PYHTON@ -m x", AGENT, DEB12, NOW)


def test_what_must_be_packed_and_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackagingError, match=r"agent\.postinst: it is not there"):
        entries.scripts(AGENT, DEB12, NOW, tmp_path)


def test_the_packages_changelog_says_when_and_of_what() -> None:
    assert entries.debian_changelog("saltern-agent", DEB13, NOW).splitlines() == [
        "saltern-agent (0.1.0-1~deb13) stable; urgency=medium",
        "",
        "  * What is new in 0.1.0 stands in changelog.gz.",
        "",
        f" -- {entries.MAINTAINER}  Tue, 14 Nov 2023 22:13:20 +0000",
    ]


def component(**said: object) -> Component:
    """Give a distribution with these words of its own."""
    whole = {
        "name": "thing",
        "version": "1",
        "license": "MIT",
        "author": "A. Nother",
        "tops": ("thing", "thing-1.dist-info"),
        "texts": ("MIT\n\nDo as you like.",),
    }
    return Component(**{**whole, **said})  # type: ignore[arg-type]


def test_the_copyright_names_everybody_and_keeps_every_text() -> None:
    text = copyright_file(AGENT, [component(), component(name="saltern-agent")], 2026)

    assert (
        "Files: usr/lib/saltern-agent/thing/*\n usr/lib/saltern-agent/thing-1.dist-info/*" in text
    )
    assert "License: MIT\n MIT\n .\n Do as you like.\n" in text
    assert "Copyright: A. Nother" in text
    assert text.count("Files: ") == 2


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Copyright (c) 2012, Somebody\nmore", ("2012, Somebody",)),
        (
            " * Copyright 2001-2020 A and B. \n * Copyright 2001-2020 A and B.",
            ("2001-2020 A and B",),
        ),
        ("Copyright [yyyy] [name of copyright owner]", ("A. Nother",)),
        ("no word of it", ("A. Nother",)),
    ],
)
def test_who_holds_the_copyright_is_read_from_the_licence(
    text: str, named: tuple[str, ...]
) -> None:
    assert holders(component(texts=(text,))) == named


def test_a_licence_that_debian_carries_is_pointed_to() -> None:
    apache = "                 Apache License\n           Version 2.0, January 2004\n"

    text = copyright_file(AGENT, [component(texts=(apache,))], 2026)
    assert "/usr/share/common-licenses/Apache-2.0" in text
    assert "January 2004" not in text
    assert short_name("Apache-2.0 OR BSD-3-Clause") == "Apache-2.0 or BSD-3-Clause"


# nfpm.


def test_nothing_of_the_building_machine_is_in_what_nfpm_is_told() -> None:
    package = config.Package(MASTER, EL9, NOW, "x86_64", ("glibc >= 2.34",))
    staged = [
        (entries.Entry("/usr/bin/saltern", b"", 0o755), Path("/tmp/a")),
        (entries.Entry("/etc/saltern/master.env", b"", 0o644, "config"), Path("/tmp/b")),
        (entries.Entry("/etc/saltern", b"", 0o700, "dir"), Path("/tmp/c")),
    ]
    said = json.loads(config.config(package, staged, {"postinstall": Path("/tmp/d")}))

    assert said["rpm"]["buildhost"] == "localhost"
    assert {one["file_info"]["mtime"] for one in said["contents"]} == {"2023-11-14T22:13:20Z"}
    assert [one["file_info"]["mode"] for one in said["contents"]] == [0o755, 0o644, 0o700]
    assert [one.get("type") for one in said["contents"]] == [None, "config|noreplace", "dir"]
    assert said["depends"] == ["python3.11", "systemd", "glibc >= 2.34"]


def test_a_description_fits_debians_lines() -> None:
    for product in PRODUCTS:
        first, *lines = config.description(product, DEB12).splitlines()
        assert first == product.summary
        assert max(map(len, lines)) <= 78
        assert product.summary not in config.description(product, EL9)


def test_what_an_rpm_lacks_is_named() -> None:
    units = [f"/usr/lib/systemd/system/{unit}" for unit in AGENT.units]
    owned = ["/usr/bin/saltern-agent", AGENT.tree, f"{AGENT.tree}/__main__.py", *units]
    scripts = f"/usr/bin/python3.11 -I -S -m compileall {' '.join(AGENT.units)}"
    requires = AGENT.depends(EL9)

    rights = ["-rwxr-xr-x root:root /usr/bin/saltern-agent", "drwx------ root:root /etc/saltern"]
    loose = ["-rwxrwxr-x root:root /usr/bin/x", "-rwxr-xr-x ann:root /usr/bin/y"]

    assert look.faults(AGENT, EL9, requires, owned, scripts, rights) == ()
    assert look.faults(AGENT, EL9, requires[1:], owned[1:], "@UNITS@", loose) == (
        "it does not require python3.11",
        "it does not own /usr/bin/saltern-agent",
        "its scripts do not say /usr/bin/python3.11 -I -S -m compileall",
        *(f"its scripts do not say {unit}" for unit in AGENT.units),
        "its scripts still say @UNITS@",
        *(f"not root's alone to write: {one}" for one in loose),
    )
