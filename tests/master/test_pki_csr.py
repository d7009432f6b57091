"""Requests for certificates: a good one gives its key, whatever else comes is refused."""

from __future__ import annotations

import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from saltern_master.pki.csr import MAX_CSR, CsrError, public_key_of

OPENSSL = "/usr/bin/openssl"
SMALL = {
    "p256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "ed25519": ["-newkey", "ed25519"],
    "rsa2048": ["-newkey", "rsa:2048"],
    "p384": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "rsa1024": ["-newkey", "rsa:1024"],
    "ed448": ["-newkey", "ed448"],
}


def made(kind: str) -> bytes:
    """Have openssl make a request, so that two implementations meet."""
    command = [OPENSSL, "req", "-new", *SMALL[kind], "-nodes", "-keyout", "/dev/null"]
    command += ["-subj", "/CN=x", "-outform", "DER"]
    return subprocess.run(command, capture_output=True, check=True, timeout=20).stdout


@pytest.mark.parametrize("kind", ["p256", "ed25519", "rsa2048"])
def test_these_keys_are_taken(kind: str) -> None:
    der = made(kind)

    key = public_key_of(der)

    text = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    command = [OPENSSL, "req", "-inform", "DER", "-noout", "-pubkey"]
    shown = subprocess.run(command, input=der, capture_output=True, check=True, timeout=20)
    assert shown.stdout == text


@pytest.mark.parametrize("kind", ["p384", "rsa1024", "ed448"])
def test_these_are_not(kind: str) -> None:
    with pytest.raises(CsrError, match="its key is not ECDSA P-256"):
        public_key_of(made(kind))


GOOD = (
    x509.CertificateSigningRequestBuilder()
    .subject_name(x509.Name([]))
    .sign(ec.generate_private_key(ec.SECP256R1()), SHA256())
    .public_bytes(Encoding.DER)
)


@pytest.mark.parametrize(
    ("der", "told"),
    [
        (b"", "no PKCS#10"),
        (b"\x30", "no PKCS#10"),
        (GOOD[:-1], "no PKCS#10"),
        (GOOD + b"\0", "no PKCS#10"),
        (b"\x30\x84\xff\xff\xff\xff" + GOOD, "no PKCS#10"),
        (GOOD.replace(b"\x02\x01\x00", b"\x02\x01\x07", 1), "no PKCS#10"),  # version 7
        (b"\0" * (MAX_CSR + 1), "the limit is 16384"),
    ],
)
def test_what_is_no_request_is_refused(der: bytes, told: str) -> None:
    with pytest.raises(CsrError, match=told):
        public_key_of(der)


def test_nobody_asks_with_anothers_key() -> None:
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    mine = public_key_of(GOOD)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    stolen = GOOD.replace(mine.public_bytes(*form), other.public_bytes(*form))
    assert stolen != GOOD

    with pytest.raises(CsrError, match="not signed by the key that it holds"):
        public_key_of(stolen)


@settings(deadline=None)  # signing takes as long as the machine is busy
@given(st.binary(max_size=300))
def test_law_any_bytes_are_answered(der: bytes) -> None:
    with pytest.raises(CsrError):
        public_key_of(der)


def flipped(data: bytes, place: int, flip: int) -> bytes:
    return data[:place] + bytes([data[place] ^ flip]) + data[place + 1 :]


def test_every_bit_is_answered() -> None:
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    own, taken = public_key_of(GOOD).public_bytes(*form), 0
    for place in range(len(GOOD)):
        for bit in range(8):
            try:
                key = public_key_of(flipped(GOOD, place, 1 << bit))
            except CsrError:
                continue
            taken += 1
            assert key.public_bytes(*form) == own
    assert taken < 8  # of what is not signed, hardly anything can be otherwise


@settings(deadline=None)  # signing takes as long as the machine is busy
@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_law_one_changed_byte_is_never_taken_for_anothers_key(place: int, flip: int) -> None:
    """A byte outside of what is signed may change (how a length is written); the key may not."""
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    try:
        key = public_key_of(flipped(GOOD, place, flip))
    except CsrError:
        return
    assert key.public_bytes(*form) == public_key_of(GOOD).public_bytes(*form)
