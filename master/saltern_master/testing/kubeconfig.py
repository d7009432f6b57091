"""An authority in memory that gives administrators' kubeconfigs, as core's does."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from saltern_master.api.service import ServiceError
from saltern_master.compile.yaml_text import to_yaml

BEGINS = datetime(2020, 1, 1, tzinfo=UTC)
ENDS = BEGINS + timedelta(days=36500)


class FakeAuthority:
    """A key and its certificate, made anew each time."""

    def __init__(self) -> None:
        self._key = generate_private_key(SECP256R1())
        self._name = _name("kubernetes")
        self._certificate = self._issue(self._key.public_key(), self._name)

    def kubeconfig(self, cluster: str, csr: bytes) -> str:
        """Give a kubeconfig without its key. ServiceError invalid: it is no request."""
        try:
            request = x509.load_pem_x509_csr(csr)
        except ValueError as error:
            raise ServiceError(
                "invalid", f"cannot read the certificate request: {error}"
            ) from error
        if not request.is_signature_valid:
            raise ServiceError("invalid", "cannot take the certificate request: it is not signed")
        client = self._issue(request.public_key(), _name("kubernetes-admin"))
        return to_yaml(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": cluster, "cluster": _cluster(self._certificate)}],
                "users": [{"name": "admin", "user": {"client-certificate-data": _data(client)}}],
                "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": "admin"}}],
                "current-context": cluster,
            }
        )

    def _issue(self, key: CertificatePublicKeyTypes, name: x509.Name) -> x509.Certificate:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(BEGINS)
            .not_valid_after(ENDS)
            .sign(self._key, SHA256())
        )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _cluster(authority: x509.Certificate) -> dict[str, str]:
    return {"server": "https://10.9.0.11:6443", "certificate-authority-data": _data(authority)}


def _data(certificate: x509.Certificate) -> str:
    return b64encode(certificate.public_bytes(Encoding.PEM)).decode()
