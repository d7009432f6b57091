"""Certificates: in memory, and on the disk with the authorities that a master has."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from saltern_agent.host.certificates import NodeCertificates
from saltern_master.pki.authorities import Authority, load, make
from saltern_master.pki.csr import public_key_of
from saltern_master.pki.issue import issue
from saltern_states.certificate import EXAMPLE_AUTHORITY, Certificate
from saltern_states.key_ports import Certificates
from saltern_states.leaf import DAY, Wanted, unlike
from saltern_states.ports import Entry, Files, HostError, MovedError
from saltern_states.testing.keys import FakeCertificates

from tests.contracts.grounds import GROUP, OWNER, DiskGround, FakeGround

CRT, KEY = Path("/pki/a.crt"), Path("/pki/a.key")
NOW = 1_800_000_000
AWAY = "the master is not there"
OPENSSL = "/usr/bin/openssl"


class Ground(Protocol):
    """A node's keys under test, the master that they ask, and a clock that the test sets."""

    ca: str

    @property
    def certificates(self) -> Certificates: ...
    @property
    def files(self) -> Files: ...
    def put(self, path: Path, content: bytes) -> None: ...
    def set_now(self, now: int) -> None: ...
    def set_away(self, away: bool) -> None: ...
    def set_sends(self, sends: Callable[[Wanted], Wanted]) -> None: ...
    def obtain(self, was: Entry | None, wanted: Wanted) -> None: ...


class Fake:
    """In memory."""

    ca = EXAMPLE_AUTHORITY

    def __init__(self) -> None:
        self.ground = FakeGround()
        self.files = self.ground.files
        self.files.users["root"] = 0
        self.files.put_directory("/pki")
        self.certificates = FakeCertificates(self.files)
        self.certificates.now = NOW

    def put(self, path: Path, content: bytes) -> None:
        self.ground.put_file(str(path), content)

    def set_now(self, now: int) -> None:
        self.certificates.now = now

    def set_away(self, away: bool) -> None:
        self.certificates.unreachable = AWAY if away else ""

    def set_sends(self, sends: Callable[[Wanted], Wanted]) -> None:
        self.certificates.sends = sends

    def obtain(self, was: Entry | None, wanted: Wanted) -> None:
        self.certificates.obtain(CRT, was, KEY, wanted)


@dataclass
class Master:
    """What signs as it was told to."""

    authority: Authority
    now: int = NOW
    away: bool = False
    asked: Wanted | None = None
    sends: Callable[[Wanted], Wanted] = lambda wanted: wanted
    requests: list[bytes] = field(default_factory=list)

    def unreached(self) -> str:
        return AWAY if self.away else ""

    def issue(self, path: str, csr: bytes) -> bytes:
        if self.away:
            raise HostError(f"cannot ask for {path}: {AWAY}")
        assert self.asked is not None
        self.requests.append(csr)
        one = self.sends(self.asked)
        want = Certificate(
            path=path,
            key=str(KEY),
            issuer="kubernetes",
            common_name=one.common_name,
            organizations=one.organizations,
            dns=one.dns,
            addresses=one.addresses,
            usages=one.usages,  # type: ignore[arg-type]
            days=one.days,
            ca=self.authority.pem,
        )
        made = issue(
            want, public_key_of(csr), self.authority, self.now, x509.random_serial_number()
        )
        return made.public_bytes(Encoding.PEM)


class Disk:
    """Below a directory, with a master's own authorities."""

    def __init__(self, directory: Path) -> None:
        make(directory / "pki", NOW - DAY)
        given = load(directory / "pki")
        self.other = given.of["etcd"]
        self.master = Master(given.of["kubernetes"])
        self.ca = self.master.authority.pem
        self.ground = DiskGround(directory)
        self.ground.put_directory("/pki")
        self.files = self.ground.files
        self.certificates = NodeCertificates(
            self.files, self.master.issue, self.master.unreached, lambda: self.master.now
        )

    def put(self, path: Path, content: bytes) -> None:
        self.ground.put_file(str(path), content)

    def set_now(self, now: int) -> None:
        self.master.now = now

    def set_away(self, away: bool) -> None:
        self.master.away = away

    def set_sends(self, sends: Callable[[Wanted], Wanted]) -> None:
        self.master.sends = sends

    def obtain(self, was: Entry | None, wanted: Wanted) -> None:
        self.master.asked = wanted
        self.certificates.obtain(CRT, was, KEY, wanted)


@pytest.fixture(params=["fake", pytest.param("disk", marks=pytest.mark.system)])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    return Fake() if request.param == "fake" else Disk(tmp_path)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def wanted(ca: str) -> Wanted:
    return Wanted(
        common_name="system:node:w1",
        organizations=("system:nodes", "another"),
        dns=("w1", "w1.example"),
        addresses=("10.9.0.21", "fd00::1"),
        usages=("server", "client"),
        days=30,
        renew_before_days=0,
        ca=ca,
    )


def held(ground: Ground) -> Wanted:
    want = wanted(ground.ca)
    ground.certificates.make_key(KEY, None, OWNER, GROUP)
    ground.obtain(None, want)
    return want


def test_nothing_is_nothing(ground: Ground) -> None:
    pair = ground.certificates.look(CRT, KEY, ground.ca)

    assert (pair.now, pair.key_fault, pair.leaf) == (NOW, "", None)


def test_a_key_is_its_owners_alone(ground: Ground) -> None:
    ground.certificates.make_key(KEY, None, OWNER, GROUP)

    entry = ground.files.look(KEY)
    assert entry is not None
    assert (entry.type, entry.mode, entry.owner, entry.group) == ("file", 0o600, OWNER, GROUP)
    assert ground.certificates.look(CRT, KEY, ground.ca).key_fault == ""


def test_no_key_is_made_twice_and_none_over_anothers(ground: Ground) -> None:
    ground.certificates.make_key(KEY, None, OWNER, GROUP)
    first = ground.files.read(KEY)

    with pytest.raises(MovedError, match="plan again"):
        ground.certificates.make_key(KEY, None, OWNER, GROUP)
    assert ground.files.read(KEY) == first
    ground.certificates.make_key(KEY, ground.files.look(KEY), OWNER, GROUP)
    assert ground.files.read(KEY) != first


def test_what_was_asked_for_is_written(ground: Ground) -> None:
    want = held(ground)

    pair = ground.certificates.look(CRT, KEY, ground.ca)
    assert pair.leaf is not None
    assert unlike(want, pair.leaf, pair.now) == ()
    assert pair.leaf.life == 30 * DAY + 3600
    entry = ground.files.look(CRT)
    assert entry is not None
    assert (entry.mode, entry.owner) == (0o644, "root")


@pytest.mark.parametrize(
    ("sends", "told"),
    [
        (lambda one: replace(one, common_name="admin"), "common name is admin"),
        (lambda one: replace(one, organizations=("system:masters",)), "system:masters"),
        (lambda one: replace(one, dns=("evil",)), "dns are evil"),
        (lambda one: replace(one, addresses=()), "addresses are none"),
        (lambda one: replace(one, usages=("client",)), "usages are client and not"),
        (lambda one: replace(one, days=3000), "its life is 3000"),
    ],
)
def test_what_was_not_asked_for_is_not(
    ground: Ground, sends: Callable[[Wanted], Wanted], told: str
) -> None:
    ground.certificates.make_key(KEY, None, OWNER, GROUP)
    ground.set_sends(sends)

    with pytest.raises(HostError, match=rf"cannot take the certificate for /pki/a.crt.*{told}"):
        ground.obtain(None, wanted(ground.ca))

    assert ground.files.look(CRT) is None


def test_of_another_authority_is_seen(ground: Ground) -> None:
    held(ground)

    pair = ground.certificates.look(CRT, KEY, ground.ca.replace("M", "N"))

    assert pair.leaf is not None
    assert not pair.leaf.of_issuer


def test_of_another_key_is_seen(ground: Ground) -> None:
    want = held(ground)
    ground.certificates.make_key(KEY, ground.files.look(KEY), OWNER, GROUP)

    pair = ground.certificates.look(CRT, KEY, ground.ca)

    assert pair.leaf is not None
    assert unlike(want, pair.leaf, pair.now) == ("it is of another key",)
    ground.obtain(ground.files.look(CRT), want)
    pair = ground.certificates.look(CRT, KEY, ground.ca)
    assert pair.leaf is not None
    assert unlike(want, pair.leaf, pair.now) == ()


def test_time_passes(ground: Ground) -> None:
    want = held(ground)

    for now, told in ((NOW - 3601, "it begins on"), (NOW + 30 * DAY + 1, "it ended on")):
        ground.set_now(now)
        pair = ground.certificates.look(CRT, KEY, ground.ca)
        assert pair.leaf is not None
        assert [one[: len(told)] for one in unlike(want, pair.leaf, pair.now)] == [told]


@pytest.mark.parametrize("content", [b"", b"else", b"\xff\x00", b"-----BEGIN CERTIFICATE-----\n"])
def test_what_is_neither_key_nor_certificate_is_said(ground: Ground, content: bytes) -> None:
    ground.put(KEY, content)
    ground.put(CRT, content)

    pair = ground.certificates.look(CRT, KEY, ground.ca)

    assert pair.leaf is None
    assert pair.key_fault == "it holds no private key (ECDSA P-256, PKCS#8)"
    with pytest.raises(HostError, match=r"cannot ask for /pki/a.crt: /pki/a.key: it holds no"):
        ground.obtain(ground.files.look(CRT), wanted(ground.ca))


def test_without_a_key_nothing_is_asked(ground: Ground) -> None:
    with pytest.raises(HostError, match="there is no key"):
        ground.obtain(None, wanted(ground.ca))


def test_a_master_that_is_not_there_is_said(ground: Ground) -> None:
    ground.certificates.make_key(KEY, None, OWNER, GROUP)
    assert ground.certificates.unreached() == ""
    ground.set_away(True)

    assert ground.certificates.unreached() == AWAY
    with pytest.raises(HostError, match=f"cannot ask for /pki/a.crt: {AWAY}"):
        ground.obtain(None, wanted(ground.ca))


def test_what_moved_meanwhile_is_left_alone(ground: Ground) -> None:
    want = held(ground)
    first = ground.files.read(CRT)

    with pytest.raises(MovedError, match="plan again"):
        ground.obtain(None, want)

    assert ground.files.read(CRT) == first


@pytest.mark.system
def test_a_symlink_is_never_written_through(disk: Disk) -> None:
    disk.ground.put_symlink("/pki/a.key", "elsewhere")
    entry = disk.files.look(KEY)

    for was in (None, entry):
        with pytest.raises(HostError):
            disk.certificates.make_key(KEY, was, OWNER, GROUP)
    assert not disk.ground.real("/pki/elsewhere").exists()
    assert disk.certificates.look(CRT, KEY, disk.ca).leaf is None


def test_only_the_public_half_is_sent(disk: Disk) -> None:
    disk.certificates.make_key(KEY, None, OWNER, GROUP)
    disk.master.asked = wanted(disk.ca)
    with pytest.raises(HostError, match="nothing signs here"):
        refusing(disk).obtain(CRT, None, KEY, wanted(disk.ca))

    key = disk.files.read(KEY) or b""
    body = b"".join(key.splitlines()[1:-1])
    assert len(disk.master.requests) == 1
    assert body
    shown = subprocess.run(
        [OPENSSL, "req", "-inform", "DER", "-noout", "-text", "-verify"],
        input=disk.master.requests[0],
        capture_output=True,
        check=True,
        timeout=20,
    )
    assert b"prime256v1" in shown.stdout
    assert b"verify OK" in shown.stdout + shown.stderr


def refusing(disk: Disk) -> NodeCertificates:
    def issue(_path: str, csr: bytes) -> bytes:
        disk.master.requests.append(csr)
        raise HostError("cannot sign: nothing signs here")

    return NodeCertificates(disk.files, issue, lambda: "", lambda: NOW)


@pytest.mark.parametrize("kind", ["ec:secp384r1", "rsa:2048", "ed25519", "encrypted"])
def test_a_key_of_another_kind_is_not_used(disk: Disk, kind: str) -> None:
    name, _, option = kind.partition(":")
    words = {
        "ec": ["-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{option}"],
        "rsa": ["-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{option}"],
        "ed25519": ["-algorithm", "ED25519"],
        "encrypted": [
            *("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-aes256", "-pass", "pass:word"),
        ],
    }[name]
    made = subprocess.run(
        [OPENSSL, "genpkey", *words], capture_output=True, check=True, timeout=20
    ).stdout
    disk.put(KEY, made)

    assert disk.certificates.look(CRT, KEY, disk.ca).key_fault


def test_a_node_that_joined_nobody_says_so(disk: Disk) -> None:
    alone = NodeCertificates(disk.files)
    alone.make_key(KEY, None, OWNER, GROUP)

    assert "joined no master" in alone.unreached()
    with pytest.raises(HostError, match="joined no master"):
        alone.obtain(CRT, None, KEY, wanted(disk.ca))
