"""A request for a certificate, as a node sent it: its public key is taken, all else ignored.

* It is bytes from a machine that may be anybody's by now: at most MAX_CSR of them, and whatever
  they are, the answer is a key or CsrError.
* It is signed by the key that it holds, so nobody has a certificate made for another's key.
* Keys: ECDSA P-256, Ed25519, RSA of 2048 to 4096 bits; more would cost whoever checks it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from saltern_master.pki.authorities import PkiError

MAX_CSR: Final = 16 * 1024
RSA_BITS: Final = range(2048, 4096 + 1)

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


class CsrError(PkiError):
    """A request that nothing can be signed for."""


def public_key_of(der: bytes) -> PublicKey:
    """Give the public key of a PKCS#10 request in DER, as nodes send it."""
    return _public_key(x509.load_der_x509_csr, der, "DER")


def public_key_of_pem(pem: bytes) -> PublicKey:
    """Give the public key of a PKCS#10 request in PEM, as people send it."""
    return _public_key(x509.load_pem_x509_csr, pem, "PEM")


def _public_key(
    load: Callable[[bytes], x509.CertificateSigningRequest], data: bytes, form: str
) -> PublicKey:
    if len(data) > MAX_CSR:
        raise CsrError(f"cannot read a request of {len(data)} bytes: the limit is {MAX_CSR}")
    try:
        request = load(data)
        key = _accepted(request)
        signed = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise CsrError(f"cannot read the request: it is no PKCS#10 in {form}") from None
    if not signed:
        raise CsrError("cannot take the request: it is not signed by the key that it holds")
    return key


def _accepted(request: x509.CertificateSigningRequest) -> PublicKey:
    key = request.public_key()
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size in RSA_BITS:
        return key
    raise CsrError(
        "cannot take the request: its key is not ECDSA P-256, Ed25519 or RSA of 2048 to 4096 bits"
    )
