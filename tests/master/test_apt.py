"""The machine's apt sources, in both styles, and what of them is Debian's."""

from pathlib import Path

import pytest
from saltern_master import apt
from saltern_master.apt import Source

MIRROR = "http://mirror.example/debian"

ONE_LINE = f"""\
# a comment
deb [signed-by=/k.gpg arch=amd64] {MIRROR} bookworm main contrib # and more
deb-src {MIRROR} bookworm main

deb {MIRROR} bookworm-updates main
"""
DEB822 = f"""\
# as the installer writes it
Types: deb deb-src
URIs: {MIRROR}
Suites: bookworm bookworm-updates
# between fields
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc=

Enabled: no
Types: deb
URIs: http://off.example/
Suites: bookworm
Components: main


types: deb-src
uris: http://src.example/
suites: bookworm
components: main
"""


def test_the_one_line_style() -> None:
    options = {"Signed-By": "/k.gpg", "Architectures": "amd64"}
    assert apt.parse_one_line(ONE_LINE) == (
        Source(MIRROR, "bookworm", ("main", "contrib"), options),
        Source(MIRROR, "bookworm-updates", ("main",), {}),
    )


def test_the_deb822_style() -> None:
    key = {"Signed-By": "\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc="}
    assert apt.parse_deb822(DEB822) == (
        Source(MIRROR, "bookworm", ("main",), key),
        Source(MIRROR, "bookworm-updates", ("main",), key),
    )


def test_what_is_written_is_read_back() -> None:
    sources = apt.parse_deb822(DEB822)
    assert apt.parse_deb822("\n".join(source.stanza() for source in sources)) == sources


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        (Source(MIRROR, "bookworm", ("main", "non-free")), "bookworm"),
        (Source(MIRROR, "bookworm-updates", ("main",)), "bookworm-updates"),
        (Source(MIRROR, "bookworm-security", ("main",)), "bookworm-security"),
        (Source(MIRROR, "bookworm-backports", ("main",)), None),
        (Source(MIRROR, "bookworm-pgdg", ("main",)), None),
        (Source(MIRROR, "trixie", ("main",)), None),
        (Source(MIRROR, "bookworm", ("stable",)), None),
        (Source("http://stranger.example/", "bookworm", ("main",)), None),
    ],
)
def test_which_sources_are_debians(source: Source, kept: str | None) -> None:
    strangers = frozenset({("http://stranger.example", "bookworm")})
    chosen = apt.choose([source], "bookworm", "bookworm", strangers)
    assert [(found.suite, found.components) for found in chosen] == (
        [(kept, ("main",))] if kept else []
    )


def test_another_release_comes_from_the_same_mirror() -> None:
    sources = [Source(MIRROR, "trixie", ("main",)), Source(MIRROR, "trixie-security", ("main",))]
    chosen = apt.choose(sources, "trixie", "bookworm", frozenset())
    assert [source.suite for source in chosen] == ["bookworm", "bookworm-security"]


def test_the_release_of_this_machine() -> None:
    assert apt.codename('ID=debian\nVERSION_CODENAME=trixie\nX="y"\n') == "trixie"
    with pytest.raises(apt.AptError, match="cannot tell which Debian"):
        apt.codename("ID=other\n")


def test_dpkgs_record_is_copied_since_apt_locks_the_directory_that_it_lies_in(
    tmp_path: Path,
) -> None:
    theirs, ours = tmp_path / "theirs/status", apt.Apt(tmp_path / "ours")
    theirs.parent.mkdir()
    ours.folder.mkdir()
    theirs.write_text("Package: dpkg\n")
    environment = ours.environment(status=theirs, archives=tmp_path / "debs")
    said = Path(environment["APT_CONFIG"]).read_text()

    assert f'Dir::State::Status "{ours.folder}/status";' in said.splitlines()
    assert (ours.folder / "status").read_text() == "Package: dpkg\n"
    assert str(theirs.parent) not in said
