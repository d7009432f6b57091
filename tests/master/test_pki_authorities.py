"""The cluster's authorities: made once, gone on with after a crash, read by nobody else."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from saltern_master.pki.authorities import Authorities, PkiError, authorities, load, make
from saltern_master.signing.home import Home

NOW = 1_800_000_000
DAY = 86400
NAMES = [
    *("ca.crt", "ca.key", "etcd-ca.crt", "etcd-ca.key"),
    *("front-proxy-ca.crt", "front-proxy-ca.key", "sa.key", "sa.pub"),
]
OPENSSL = "/usr/bin/openssl"


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def openssl(*words: str | Path) -> str:
    command = [OPENSSL, *map(str, words)]
    return subprocess.run(command, capture_output=True, check=True, timeout=20, text=True).stdout


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    make(tmp_path / "pki", NOW)
    return tmp_path / "pki"


def test_all_is_made_for_its_owner_alone(pki: Path) -> None:
    assert sorted(contents(pki)) == NAMES
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in pki.iterdir()}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(pki.stat().st_mode) == 0o700


def test_it_is_made_once(pki: Path) -> None:
    before = contents(pki)

    make(pki, NOW + 1000 * DAY)

    assert contents(pki) == before


def test_a_home_gets_them_under_its_lock(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()

    first, again = authorities(home, NOW), authorities(home, NOW + 1)

    assert first.of["etcd"].pem == again.of["etcd"].pem
    assert first.token_key == again.token_key


@pytest.mark.parametrize("lost", [name for name in NAMES if name.endswith((".crt", ".pub"))])
def test_what_a_crash_left_is_gone_on_with(pki: Path, lost: str) -> None:
    """A certificate is written after its key, so only it can be missing."""
    before = contents(pki)
    (pki / lost).unlink()

    make(pki, NOW)

    after = contents(pki)
    assert {name for name in NAMES if before[name] != after[name]} <= {lost}
    load(pki)


@pytest.mark.parametrize(
    ("issuer", "file", "name"),
    [
        ("kubernetes", "ca", "kubernetes"),
        ("etcd", "etcd-ca", "etcd-ca"),
        ("front-proxy", "front-proxy-ca", "front-proxy-ca"),
    ],
)
def test_openssl_takes_each_for_an_authority(pki: Path, issuer: str, file: str, name: str) -> None:
    path = pki / f"{file}.crt"
    verify = ("verify", "-x509_strict", "-check_ss_sig", "-CAfile", path)
    for at in (NOW, NOW + 3649 * DAY):
        assert openssl(*verify, "-attime", str(at), path) == f"{path}: OK\n"
    with pytest.raises(subprocess.CalledProcessError):
        openssl(*verify, "-attime", str(NOW + 3651 * DAY), path)
    text = openssl("x509", "-noout", "-text", "-in", path)
    assert f"Subject: CN = {name}\n" in text
    assert "CA:TRUE, pathlen:0" in text
    assert "Digital Signature, Certificate Sign, CRL Sign" in text
    assert load(pki).of[issuer].pem == path.read_text()


def test_the_token_pair_belongs_together(pki: Path) -> None:
    assert openssl("rsa", "-pubout", "-in", pki / "sa.key") == (pki / "sa.pub").read_text()
    assert (pki / "sa.key").read_text().startswith("-----BEGIN RSA PRIVATE KEY-----\n")
    assert "Public-Key: (2048 bit)" in openssl(
        "rsa", "-pubin", "-noout", "-text", "-in", pki / "sa.pub"
    )


def test_no_two_authorities_share_a_key(pki: Path) -> None:
    keys = [path.read_bytes() for path in pki.glob("*.key")]

    assert len(set(keys)) == len(keys) == 4


def swap(pki: Path) -> None:
    (pki / "ca.key").write_bytes((pki / "etcd-ca.key").read_bytes())


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda pki: (pki / "ca.key").unlink(), "cannot read .*ca.key"),
        (lambda pki: (pki / "etcd-ca.crt").unlink(), "cannot read .*etcd-ca.crt"),
        (lambda pki: (pki / "ca.key").chmod(0o640), "others can read it"),
        (lambda pki: (pki / "sa.key").chmod(0o604), "others can read it"),
        (lambda pki: (pki / "ca.key").write_text("half a canary"), "it is none"),
        (lambda pki: (pki / "ca.crt").write_text("half a canary"), "it is no certificate"),
        (swap, "it is not the key of ca.crt"),
    ],
)
def test_what_cannot_be_used_is_said_and_not_shown(
    pki: Path, damage: Callable[[Path], None], told: str
) -> None:
    damage(pki)

    with pytest.raises(PkiError, match=told) as error:
        load(pki)
    assert "canary" not in str(error.value)


def test_nothing_shows_a_key(pki: Path) -> None:
    given: Authorities = load(pki)
    line = given.token_key.splitlines()[1].decode()

    assert line not in repr(given)
    assert "PRIVATE" not in repr(given) + repr(given.of["kubernetes"])
