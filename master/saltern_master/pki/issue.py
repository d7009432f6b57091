"""Signing what a certificate's Spec says, for a public key: nothing else decides what it says.

* Subject, names, usages and life are the Spec's, in its order; the serial number is random.
* It begins an hour before now, since clocks differ, and never before its authority; it does not
  outlive its authority: then it is refused, and the authority is to be made anew.
* The Spec carries the authority that its node will check with. Where that is another than the
  one at hand, nothing is signed: no node would take it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from saltern_states.body import Body
from saltern_states.certificate import Certificate
from saltern_states.leaf import DAY, day

from saltern_master.pki.authorities import Authorities, Authority, PkiError, key_usage
from saltern_master.pki.csr import PublicKey, public_key_of

BACK: Final = 3600  # seconds
USAGES: Final = {
    "client": ExtendedKeyUsageOID.CLIENT_AUTH,
    "server": ExtendedKeyUsageOID.SERVER_AUTH,
}


class Issued(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is remembered of a certificate that was signed. Times: seconds since 1970."""

    resource: str
    path: str
    issuer: str
    common_name: str
    organizations: tuple[str, ...]
    usages: tuple[str, ...]
    serial: str  # hexadecimal
    not_before: int
    not_after: int


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is said to a node: PEM, the leaf first, and what to remember; or why not."""

    chain: bytes = b""
    why: str = ""
    issued: Issued | None = None


def issue_for(
    body: Body, asked: str, csr: bytes, given: Authorities, now: int, serial: int
) -> Answer:
    """Answer a node that asks for a certificate of its own body, by its path or its id.

    `body`: the one that the node was given last. `serial`: x509.random_serial_number().
    """
    try:
        resource, want = _find(body, asked)
        made = issue(want, public_key_of(csr), given.of[want.issuer], now, serial)
    except PkiError as error:
        return Answer(why=str(error))
    issued = Issued(
        resource=resource,
        path=want.path,
        issuer=want.issuer,
        common_name=want.common_name,
        organizations=want.organizations,
        usages=want.usages,
        serial=f"{serial:x}",
        not_before=int(made.not_valid_before_utc.timestamp()),
        not_after=int(made.not_valid_after_utc.timestamp()),
    )
    return Answer(chain=made.public_bytes(Encoding.PEM), issued=issued)


def issue(
    want: Certificate, public: PublicKey, authority: Authority, now: int, serial: int
) -> x509.Certificate:
    """Sign what a Spec says for a public key; PkiError where this authority cannot."""
    own = authority.certificate
    begins = max(now - BACK, int(own.not_valid_before_utc.timestamp()))
    ends = now + want.days * DAY
    if want.ca != authority.pem:
        raise PkiError(
            f"cannot sign {want.path}: it is to be checked with another authority than the "
            f"{authority.issuer} one of this master; run: saltern apply"
        )
    if ends > own.not_valid_after_utc.timestamp():
        last = day(int(own.not_valid_after_utc.timestamp()))
        raise PkiError(
            f"cannot sign {want.path} until {day(ends)}: the {authority.issuer} authority itself "
            f"ends on {last}; make a new one"
        )
    builder = (
        x509.CertificateBuilder()
        .subject_name(_subject(want))
        .issuer_name(own.subject)
        .public_key(public)
        .serial_number(serial)
        .not_valid_before(datetime.fromtimestamp(begins, UTC))
        .not_valid_after(datetime.fromtimestamp(ends, UTC))
    )
    for extension, critical in _extensions(want, public, authority):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(authority.key, SHA256())


def _find(body: Body, asked: str) -> tuple[str, Certificate]:
    for resource in body.resources:
        spec = resource.spec
        if isinstance(spec, Certificate) and asked in (resource.id, spec.path):
            return resource.id, spec
    raise PkiError(
        f"cannot sign {asked!r}: the node's current document has no certificate of that name"
    )


def _subject(want: Certificate) -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, one) for one in want.organizations]
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, want.common_name)])


def _extensions(
    want: Certificate, public: PublicKey, authority: Authority
) -> list[tuple[x509.ExtensionType, bool]]:
    enciphers = isinstance(public, rsa.RSAPublicKey)
    signer = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    names: list[x509.GeneralName] = [x509.DNSName(one) for one in want.dns]
    names += [x509.IPAddress(ip_address(one)) for one in want.addresses]
    return [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (key_usage(signs_certificates=False, enciphers=enciphers), True),
        (x509.ExtendedKeyUsage([USAGES[one] for one in want.usages]), False),
        (x509.SubjectKeyIdentifier.from_public_key(public), False),
        (
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer.value),
            False,
        ),
        *([(x509.SubjectAlternativeName(names), False)] if names else []),
    ]
