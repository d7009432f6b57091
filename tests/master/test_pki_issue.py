"""What is signed for a node: its Spec and nothing else; openssl and the node itself judge."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from saltern_agent.host.x509 import read_leaf
from saltern_master.pki.authorities import Authorities, Authority, load, make
from saltern_master.pki.issue import Answer, Issued, issue_for
from saltern_states.body import Body, Resource, make_body
from saltern_states.certificate import Certificate, wanted
from saltern_states.file import File
from saltern_states.leaf import DAY, unlike

NOW = 1_800_000_000
KEY = ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class Master:
    """Authorities, made once for all tests of this file."""

    given: Authorities
    directory: Path

    def want(self, **fields: object) -> Certificate:
        plain = {
            "path": "/etc/kubernetes/pki/a.crt",
            "key": "/etc/kubernetes/pki/a.key",
            "issuer": "kubernetes",
            "common_name": "system:node:w1",
            "organizations": ("system:nodes",),
            "usages": ("client",),
            "ca": self.given.of[str(fields.get("issuer", "kubernetes"))].pem,
        }
        return msgspec.convert({"kind": "certificate/1", **plain, **fields}, Certificate)

    def ask(self, body: Body, asked: str, csr: bytes, now: int = NOW) -> Answer:
        return issue_for(body, asked, csr, self.given, now, serial=0x1234)


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Master:
    directory = tmp_path_factory.mktemp("pki")
    make(directory, NOW)
    return Master(load(directory), directory)


def body_of(want: Certificate) -> Body:
    return make_body(
        (
            Resource(id="etc", spec=File(path="/etc/other", text="")),
            Resource(id="pki/a", spec=want),
        )
    )


def request(common_name: str = "whoever", *extensions: x509.ExtensionType) -> bytes:
    """Ask as a node that lies would: for another subject and more extensions."""
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:masters"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    for one in extensions:
        builder = builder.add_extension(one, critical=True)
    return builder.sign(KEY, SHA256()).public_bytes(Encoding.DER)


LIES = (
    x509.BasicConstraints(ca=True, path_length=None),
    x509.SubjectAlternativeName([x509.DNSName("kubernetes.default.svc")]),
    x509.ExtendedKeyUsage([x509.OID_SERVER_AUTH]),
)


def test_a_request_decides_nothing_but_the_key(master: Master) -> None:
    want = master.want()
    honest = master.ask(body_of(want), want.path, request())
    lying = master.ask(body_of(want), want.path, request("kube-apiserver", *LIES))

    for answer in (honest, lying):
        leaf = read_leaf(answer.chain, KEY, want.ca)
        assert leaf is not None
        assert unlike(wanted(want), leaf, NOW) == ()
        assert (leaf.common_name, leaf.organizations) == ("system:node:w1", ("system:nodes",))
        assert (leaf.dns, leaf.usages) == ((), ("client",))


@pytest.mark.parametrize("asked", ["/etc/kubernetes/pki/a.crt", "pki/a"])
def test_it_is_found_by_path_and_by_id_and_remembered(master: Master, asked: str) -> None:
    want = master.want(days=30)

    answer = master.ask(body_of(want), asked, request())

    assert answer.why == ""
    assert answer.issued == Issued(
        resource="pki/a",
        path=want.path,
        issuer="kubernetes",
        common_name="system:node:w1",
        organizations=("system:nodes",),
        usages=("client",),
        serial="1234",
        not_before=NOW - 3600,
        not_after=NOW + 30 * DAY,
    )


@pytest.mark.parametrize("asked", ["/etc/other", "etc", "", "/etc/kubernetes/pki/a.key", "x" * 256])
def test_what_its_body_does_not_hold_is_not_signed(master: Master, asked: str) -> None:
    answer = master.ask(body_of(master.want()), asked, request())

    assert (answer.chain, answer.issued) == (b"", None)
    assert "current document has no certificate of that name" in answer.why
    assert master.ask(Body(), "pki/a", request()).chain == b""


@pytest.mark.parametrize(
    ("now", "fields", "told"),
    [
        (NOW + 3600 * DAY, {}, "the kubernetes authority itself ends on 2037-01-12"),
        (NOW, {"ca": None}, "another authority than the kubernetes one of this master"),
    ],
)
def test_what_no_node_would_take_is_not_signed(
    master: Master, now: int, fields: dict[str, object], told: str
) -> None:
    changed = {"ca": master.given.of["etcd"].pem} if fields else {}

    answer = master.ask(body_of(master.want(**changed)), "pki/a", request(), now)

    assert answer.chain == b""
    assert told in answer.why


def test_it_never_begins_before_its_authority(master: Master) -> None:
    answer = master.ask(body_of(master.want()), "pki/a", request(), NOW - DAY + 60)

    assert answer.issued is not None
    assert answer.issued.not_before == NOW - DAY


def test_openssl_agrees(master: Master, tmp_path: Path) -> None:
    want = master.want(
        issuer="etcd", usages=("client", "server"), dns=("w1", "localhost"), addresses=("::1",)
    )
    answer = master.ask(body_of(want), "pki/a", request())
    leaf = tmp_path / "leaf.crt"
    leaf.write_bytes(answer.chain)

    def verify(ca: str, *words: str) -> bool:
        command = ["/usr/bin/openssl", "verify", "-x509_strict", "-attime", str(NOW + 1), *words]
        ask = [*command, "-CAfile", str(master.directory / f"{ca}.crt"), str(leaf)]
        return subprocess.run(ask, capture_output=True, timeout=20).returncode == 0

    assert verify("etcd-ca", "-purpose", "sslserver", "-verify_hostname", "localhost")
    assert verify("etcd-ca", "-purpose", "sslclient", "-verify_ip", "::1")
    assert not verify("ca")
    assert not verify("etcd-ca", "-verify_hostname", "w2")


PARTS = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9 ._:@/-]{0,20}\Z")
HOSTS = st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z0-9]{1,5}){0,3}\Z")
ADDRESSES = st.ip_addresses().map(str)


@settings(deadline=None)  # signing takes as long as the machine is busy
@given(
    common_name=PARTS,
    organizations=st.lists(PARTS, max_size=4, unique=True),
    dns=st.lists(HOSTS, max_size=5, unique=True),
    addresses=st.lists(ADDRESSES, max_size=5, unique=True),
    both=st.booleans(),
    days=st.integers(1, 3000),
    issuer=st.sampled_from(["kubernetes", "etcd", "front-proxy"]),
)
def test_law_what_is_signed_is_what_a_node_takes(
    master: Master,
    common_name: str,
    organizations: list[str],
    dns: list[str],
    addresses: list[str],
    both: bool,
    days: int,
    issuer: str,
) -> None:
    want = master.want(
        common_name=common_name,
        organizations=organizations,
        dns=dns,
        addresses=addresses,
        usages=("client", "server") if both and (dns or addresses) else ("client",),
        days=days,
        issuer=issuer,
    )

    answer = master.ask(body_of(want), "pki/a", request())

    leaf = read_leaf(answer.chain, KEY, want.ca)
    assert leaf is not None
    assert unlike(wanted(want), leaf, NOW) == ()
    others: list[Authority] = [one for one in master.given.of.values() if one.pem != want.ca]
    for other in others:
        stranger = read_leaf(answer.chain, KEY, other.pem)
        assert stranger is not None
        assert not stranger.of_issuer
