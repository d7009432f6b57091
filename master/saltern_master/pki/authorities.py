"""The authorities of a cluster: one for Kubernetes, one for etcd, one for the front proxy.

    HOME/pki/                     0700, all files in it 0600
      ca.key, ca.crt              "kubernetes": what the API server and its clients believe
      etcd-ca.key, etcd-ca.crt    "etcd-ca": etcd's servers, peers and clients
      front-proxy-ca.key, .crt    "front-proxy-ca": who may speak for others to an extension
      sa.key, sa.pub              what signs the tokens of service accounts, and what checks them

* They are made once, by whoever holds HOME's lock, and live ten years; no file is written again.
* An authority's key never leaves HOME. That of service accounts goes to control-plane nodes,
  sealed (seals.py).
* A key lies on the disk before its certificate does: what a crash leaves is gone on with.
* Authorities have ECDSA P-256 keys. Tokens are signed with RSA 2048: every release of
  Kubernetes takes it, and it is what kubeadm makes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from saltern_states.leaf import DAY

from saltern_master.errors import MasterError
from saltern_master.signing.home import Home, write_whole

YEARS: Final = 10
NAMES: Final = {  # issuer, as a certificate's Spec says it -> file, common name
    "kubernetes": ("ca", "kubernetes"),
    "etcd": ("etcd-ca", "etcd-ca"),
    "front-proxy": ("front-proxy-ca", "front-proxy-ca"),
}
TOKEN_BITS: Final = 2048


class PkiError(MasterError):
    """An authority is not here, cannot be used, or will not sign."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Authority:
    """What signs certificates."""

    issuer: str
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return f"Authority({self.issuer})"

    @property
    def pem(self) -> str:
        """Give its own certificate, which others check with."""
        return self.certificate.public_bytes(Encoding.PEM).decode()


@dataclass(frozen=True, slots=True, repr=False)
class Authorities:
    """All that a cluster has, and the pair of service accounts."""

    of: dict[str, Authority]
    token_key: bytes  # PEM of the private key
    token_public: bytes

    def __repr__(self) -> str:
        return f"Authorities({', '.join(self.of)})"


def authorities(home: Home, now: int) -> Authorities:
    """Give the authorities, made where they are not there. Takes HOME's lock."""
    with home.locked():
        make(home.path / "pki", now)
    return load(home.path / "pki")


def make(directory: Path, now: int) -> None:
    """Make what is not there yet. Whoever calls this holds HOME's lock."""
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        directory.chmod(0o700)
    except OSError as error:
        raise PkiError(f"cannot make {directory}: {error.strerror}") from error
    for file, common_name in NAMES.values():
        _make_authority(directory, file, common_name, now)
    _make_token_pair(directory)


def load(directory: Path) -> Authorities:
    """Read the authorities. PkiError: one is missing, or its key can be read by others."""
    found = {}
    for issuer, (file, _) in NAMES.items():
        key = _key(directory / f"{file}.key")
        certificate = _certificate(directory / f"{file}.crt")
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not _belong(key, certificate):
            raise PkiError(
                f"cannot use {directory / file}.key: it is not the key of {file}.crt; "
                "restore both from a backup"
            )
        found[issuer] = Authority(issuer, certificate, key)
    _key(directory / "sa.key")
    token_key, token_public = (_read(directory / name) for name in ("sa.key", "sa.pub"))
    return Authorities(of=found, token_key=token_key, token_public=token_public)


def self_signed(
    common_name: str, key: ec.EllipticCurvePrivateKey, now: int, serial: int
) -> x509.Certificate:
    """Give an authority's own certificate, a day back and ten years ahead."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(datetime.fromtimestamp(now - DAY, UTC))
        .not_valid_after(datetime.fromtimestamp(now + YEARS * 365 * DAY, UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(signs_certificates=True), critical=True)
        .add_extension(own, critical=False)
        .sign(key, SHA256())
    )


def key_usage(*, signs_certificates: bool, enciphers: bool = False) -> x509.KeyUsage:
    """Give what a key may be used for; RSA enciphers keys in old TLS suites."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=enciphers,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _make_authority(directory: Path, file: str, common_name: str, now: int) -> None:
    key_path, path = directory / f"{file}.key", directory / f"{file}.crt"
    if path.exists():
        return
    if not key_path.exists():
        new = ec.generate_private_key(ec.SECP256R1())
        write_whole(key_path, new.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key = _key(key_path)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise PkiError(f"cannot use {key_path}: it holds no ECDSA key; restore it from a backup")
    made = self_signed(common_name, key, now, x509.random_serial_number())
    write_whole(path, made.public_bytes(Encoding.PEM))


def _make_token_pair(directory: Path) -> None:
    key_path, path = directory / "sa.key", directory / "sa.pub"
    if path.exists():
        return
    if not key_path.exists():
        new = rsa.generate_private_key(public_exponent=65537, key_size=TOKEN_BITS)
        text = new.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        write_whole(key_path, text)
    key = _key(key_path)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    write_whole(path, public)


def _key(path: Path) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    text = _read(path)
    if path.stat().st_mode & 0o077:
        raise PkiError(f"cannot use the key {path}: others can read it; run: chmod 600 {path}")
    try:
        key = load_pem_private_key(text, password=None)
    except (ValueError, TypeError):
        key = None  # what the library says of it is not repeated
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise PkiError(f"cannot use the key {path}: it is none; restore it from a backup")
    return key


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(_read(path))
    except ValueError:
        raise PkiError(
            f"cannot use {path}: it is no certificate; restore it from a backup"
        ) from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PkiError(
            f"cannot read {path}: {error.strerror}; `saltern init` makes a cluster's authorities"
        ) from error


def _belong(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> bool:
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return key.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form)
