"""Certificates and private keys as bytes: read without believing them, and asked for.

What is read was written by anybody: whatever is in it, the answer is a Leaf or None. Numbers
and names: RFC 5280; SEC 1 and RFC 5915 for keys; RFC 2986 for requests.

`cryptography.x509` weighs 10 MB in memory, so only those who ask for a certificate import this.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID
from saltern_states.leaf import Leaf

USAGES: Final = {
    ExtendedKeyUsageOID.CLIENT_AUTH: "client",
    ExtendedKeyUsageOID.SERVER_AUTH: "server",
}
EXTENSIONS: Final = frozenset(
    {
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    }
)
STRONG: Final = frozenset({"sha256", "sha384", "sha512"})  # Go takes no SHA-1 since 1.18
UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)

Key = ec.EllipticCurvePrivateKey
E = TypeVar("E", bound=x509.ExtensionType)


def new_key() -> bytes:
    """Make a private key: ECDSA P-256, PKCS#8 in PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def read_key(pem: bytes) -> Key | None:
    """Read a private key as new_key() makes them; None for all else."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except UNREADABLE:
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        return None
    return key


def request(key: Key, common_name: str) -> bytes:
    """Give a request (PKCS#10, DER). The master takes the public key from it, and no more."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, SHA256())
    return csr.public_bytes(serialization.Encoding.DER)


def read_leaf(pem: bytes, key: Key | None, ca: str) -> Leaf | None:
    """Say what the first certificate of a PEM text says; None where there is none."""
    try:
        found = x509.load_pem_x509_certificates(pem)
        first = found[0]
        return _leaf(first, len(found), key, ca)
    except UNREADABLE:
        return None


def _leaf(one: x509.Certificate, many: int, key: Key | None, ca: str) -> Leaf:
    common = [str(a.value) for a in one.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    groups = one.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    names = _extension(one, x509.SubjectAlternativeName) or x509.SubjectAlternativeName([])
    usages = _extension(one, x509.ExtendedKeyUsage) or ()
    return Leaf(
        common_name=common[0] if len(common) == 1 else "",
        organizations=tuple(sorted(str(group.value) for group in groups)),
        dns=tuple(sorted(names.get_values_for_type(x509.DNSName))),
        addresses=tuple(sorted(map(str, names.get_values_for_type(x509.IPAddress)))),
        usages=tuple(sorted(USAGES.get(usage, usage.dotted_string) for usage in usages)),
        not_before=int(one.not_valid_before_utc.timestamp()),
        not_after=int(one.not_valid_after_utc.timestamp()),
        of_key=key is not None and _public(one.public_key()) == _public(key.public_key()),
        of_issuer=_is_of(one, ca),
        odd=(*((f"{many} certificates are in one file",) if many > 1 else ()), *_odd(one)),
    )


def _odd(one: x509.Certificate) -> Iterator[str]:
    """Give what no certificate of ours has."""
    for attribute in one.subject:
        if attribute.oid not in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
            yield f"its subject has {attribute.oid.dotted_string}"
    for name in _extension(one, x509.SubjectAlternativeName) or ():
        if not isinstance(name, x509.DNSName | x509.IPAddress):
            yield f"it names a {type(name).__name__}"
    for extension in one.extensions:
        if extension.oid not in EXTENSIONS:
            yield f"it has the extension {extension.oid.dotted_string}"
    basic, uses = _extension(one, x509.BasicConstraints), _extension(one, x509.KeyUsage)
    if (basic is not None and basic.ca) or (uses is not None and uses.key_cert_sign):
        yield "it is an authority's"
    if uses is not None and not uses.digital_signature:
        yield "its key may sign nothing"
    algorithm = one.signature_hash_algorithm
    if algorithm is not None and algorithm.name not in STRONG:
        yield f"it is signed by way of {algorithm.name}"


def _extension(one: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return one.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _is_of(one: x509.Certificate, ca: str) -> bool:
    try:
        one.verify_directly_issued_by(x509.load_pem_x509_certificate(ca.encode()))
    except (*UNREADABLE, InvalidSignature):
        return False
    return True


def _public(key: object) -> bytes:
    if not hasattr(key, "public_bytes"):
        return b""
    found: bytes = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return found
