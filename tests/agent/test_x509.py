"""Certificates that strangers made: whatever they hold, they are read as they are, or as none."""

from __future__ import annotations

import subprocess
from base64 import encodebytes
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from saltern_agent.host.x509 import new_key, read_key, read_leaf, request
from saltern_states.leaf import Leaf, Wanted, unlike

OPENSSL = "/usr/bin/openssl"
pytestmark = pytest.mark.filterwarnings(  # of certificates that a later release will refuse
    "ignore::cryptography.utils.CryptographyDeprecationWarning"
)

KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "w1")])


def pem(*extensions: x509.ExtensionType, name: x509.Name = NAME) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(NAME)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(datetime.fromtimestamp(1_800_000_000, UTC))
        .not_valid_after(datetime.fromtimestamp(1_800_000_000 + 86400, UTC))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(KEY, SHA256()).public_bytes(Encoding.PEM)


PLAIN = pem(
    x509.BasicConstraints(ca=False, path_length=None),
    x509.ExtendedKeyUsage([x509.OID_CLIENT_AUTH]),
    x509.SubjectAlternativeName([x509.DNSName("w1")]),
)
CA = PLAIN.decode()


def read(text: bytes) -> Leaf:
    leaf = read_leaf(text, KEY, CA)
    assert leaf is not None
    return leaf


def test_a_plain_one_is_read() -> None:
    assert read(PLAIN) == Leaf(
        common_name="w1",
        organizations=(),
        dns=("w1",),
        addresses=(),
        usages=("client",),
        not_before=1_800_000_000,
        not_after=1_800_086_400,
        of_key=True,
        of_issuer=True,
    )
    assert read_leaf(PLAIN, None, "no PEM") is not None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (PLAIN + PLAIN, "2 certificates are in one file"),
        (pem(x509.BasicConstraints(ca=True, path_length=None)), "it is an authority's"),
        (
            pem(x509.SubjectAlternativeName([x509.UniformResourceIdentifier("spiffe://x")])),
            "it names a UniformResourceIdentifier",
        ),
        (
            pem(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")),
            "it has the extension 1.2.3.4",
        ),
        (
            pem(name=x509.Name([*NAME, x509.NameAttribute(NameOID.COUNTRY_NAME, "CH")])),
            "its subject has 2.5.4.6",
        ),
    ],
)
def test_what_none_of_ours_has_is_told(text: bytes, told: str) -> None:
    assert read(text).odd == (told,)


def test_two_common_names_are_none() -> None:
    assert read(pem(name=x509.Name([*NAME, *NAME]))).common_name == ""


def test_another_usage_is_told_by_its_number() -> None:
    assert read(pem(x509.ExtendedKeyUsage([x509.OID_CODE_SIGNING]))).usages == (
        "1.3.6.1.5.5.7.3.3",
    )


@pytest.mark.parametrize(
    ("digest", "key", "told"),
    [("-sha1", "ec:P-256", "it is signed by way of sha1"), ("-sha256", "rsa:2048", "")],
)
def test_one_of_openssls(tmp_path: Path, digest: str, key: str, told: str) -> None:
    kind, _, size = key.partition(":")
    new = ["-newkey", key] if kind == "rsa" else ["-newkey", "ec"]
    new += ["-pkeyopt", f"ec_paramgen_curve:{size}"] if kind == "ec" else []
    command = [OPENSSL, "req", "-x509", digest, *new, "-nodes", "-keyout", str(tmp_path / "k")]
    command += ["-subj", "/O=a/O=b/CN=x", "-addext", "basicConstraints=CA:FALSE"]
    made = subprocess.run(command, capture_output=True, check=True, timeout=20).stdout

    leaf = read_leaf(made, KEY, CA)

    assert leaf is not None
    assert (leaf.common_name, leaf.organizations) == ("x", ("a", "b"))
    assert (leaf.of_key, leaf.of_issuer) == (False, False)
    assert leaf.odd == ((told,) if told else ())


WANTED = Wanted(
    common_name="w2",
    organizations=(),
    dns=(),
    addresses=(),
    usages=("client",),
    days=1,
    renew_before_days=0,
    ca=CA,
)


def test_what_stands_in_it_is_told_on_one_short_line() -> None:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"{n}\n\x1b[2J") for n in range(400)]
    leaf = read(pem(name=x509.Name([*NAME, *groups])))

    told = "; ".join(unlike(WANTED, leaf, 1_800_000_001))

    assert "its common name is w1" in told
    assert told.isprintable()
    assert len(told) < 800


@settings(max_examples=400)
@given(st.integers(0, len(PLAIN) - 1), st.binary(min_size=1, max_size=3))
def test_law_a_damaged_one_is_read_or_none(place: int, put: bytes) -> None:
    damaged = PLAIN[:place] + put + PLAIN[place + len(put) :]

    leaf = read_leaf(damaged, KEY, CA)

    if leaf is not None:
        unlike(WANTED, leaf, 1_800_000_001)


DER = x509.load_pem_x509_certificate(PLAIN).public_bytes(Encoding.DER)


def test_no_flipped_bit_passes_for_signed() -> None:
    whole = read(PLAIN)
    for place in range(len(DER)):
        for bit in range(8):
            flipped = DER[:place] + bytes([DER[place] ^ (1 << bit)]) + DER[place + 1 :]
            leaf = read_leaf(x509_pem(flipped), KEY, CA)
            assert leaf is None or not leaf.of_issuer or leaf == whole, (place, bit)
            if leaf is not None:
                unlike(WANTED, leaf, 1_800_000_001)


def x509_pem(der: bytes) -> bytes:
    """Write DER as PEM, whatever it is."""
    head, tail = b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n"
    return head + encodebytes(der) + tail


@given(st.binary(max_size=200))
def test_law_any_bytes_are_no_key_and_no_certificate(text: bytes) -> None:
    assert read_key(text) is None
    assert read_leaf(text, None, CA) is None


def test_a_key_of_ours_is_read_back_and_asks_for_itself() -> None:
    text = new_key()
    key = read_key(text)

    assert key is not None
    assert text.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    asked = x509.load_der_x509_csr(request(key, "w1"))
    assert asked.is_signature_valid
    assert asked.public_key() == key.public_key()
