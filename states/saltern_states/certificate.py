"""certificate: a private key that is made on the node, and a certificate for it from the master.

The key never leaves the node: what travels is a request with its public half, and what comes
back is compared with the Spec, the key and the authority before it is written.

* The certificate is asked for anew when it is missing, unlike the Spec, of another key or
  authority, not yet or no longer valid; and well before its end (`renew_before_days`).
* A key that cannot be used is made anew; one whose mode or owner is wrong is kept and set right.
* While no master is reached, a certificate that still holds is left alone, however near its
  end; where one has to be asked for, that is a hindrance.
* Taking it back removes both files. A key is not kept anywhere, so it does not come back.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta
from saltern_protocol.policy import Claim

from saltern_states.changes import (
    FileChange,
    RemovePath,
    SetAccess,
    apply_file,
    in_the_way,
    no_account,
    no_directory,
)
from saltern_states.contract import (
    AbsolutePath,
    AccountName,
    Blocked,
    Change,
    Kind,
    Spec,
    Watch,
    WatchPath,
    WatchTimer,
)
from saltern_states.leaf import Pair, Wanted, day, due, unlike
from saltern_states.ports import Entry, Host

KEY_MODE = 0o600
CERTIFICATE_MODE = 0o644
LOOK_SECONDS = 3600.0
MAX_ASKED = 256  # characters of a path that a request to the master can carry

SubjectPart = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._:@/-]{0,63}\Z")]
"""A part of a subject. X.520 bounds a common name and an organization at 64 characters."""

Address = Annotated[str, Meta(pattern=r"^[0-9a-f.:]{2,45}\Z")]
"""An IPv4 or IPv6 address in its shortest form."""

DnsName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z",
        max_length=253,
    ),
]
"""A host's name in small letters; none that stands for many."""


class Certificate(Spec, frozen=True, kw_only=True, tag="certificate/1"):
    """A key and its certificate. Subject, names, usages and life are what is said here, exactly.

    `path` is of the certificate (PEM, 0644), `key` of the private key (ECDSA P-256, PEM, 0600).
    `ca` is the authority's own certificate in PEM: what comes has to be signed by it.
    `renew_before_days`: how long before its end the next is asked for; 0: a third of its life.
    """

    path: AbsolutePath
    key: AbsolutePath
    issuer: Literal["kubernetes", "etcd", "front-proxy"]
    common_name: SubjectPart
    organizations: Annotated[tuple[SubjectPart, ...], Meta(max_length=16)] = ()
    dns: Annotated[tuple[DnsName, ...], Meta(max_length=64)] = ()
    addresses: Annotated[tuple[Address, ...], Meta(max_length=64)] = ()
    usages: Annotated[tuple[Literal["client", "server"], ...], Meta(min_length=1, max_length=2)]
    days: Annotated[int, Meta(ge=1, le=3650)] = 365
    renew_before_days: Annotated[int, Meta(ge=0, le=3650)] = 0
    ca: Annotated[
        str,
        Meta(
            pattern=r"^-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n\Z",
            max_length=8192,
        ),
    ]
    key_owner: AccountName = "root"
    key_group: AccountName = "root"

    def __post_init__(self) -> None:
        """Refuse what could never be asked for, or would be asked for again at once."""
        if self.path == self.key:
            raise ValueError(f"{self.path}: a key and its certificate are two files; name both")
        if len(self.path) > MAX_ASKED:
            raise ValueError(f"a certificate's path has at most {MAX_ASKED} characters")
        if self.renew_before_days >= self.days:
            raise ValueError(
                f"{self.path}: renew_before_days {self.renew_before_days} must be less than days "
                f"{self.days}"
            )
        for address in self.addresses:
            if str(ip_address(address)) != address:
                raise ValueError(f"{self.path}: write {address} as {ip_address(address)}")
        for what in ("organizations", "dns", "addresses", "usages"):
            if len(set(getattr(self, what))) < len(getattr(self, what)):
                raise ValueError(f"{self.path}: {what} names one thing twice")
        if "server" in self.usages and not (self.dns or self.addresses):
            raise ValueError(f"{self.path}: a server is known by dns or addresses; give one")


class MakeKey(Change, frozen=True, kw_only=True, tag="make-key"):
    """Make a private key, in place of one that cannot be used."""

    path: Path
    was: Entry | None
    owner: str
    group: str
    why: str

    def __str__(self) -> str:
        return f"make key {self.path} ({KEY_MODE:04o} {self.owner}:{self.group}): {self.why}"


class RequestCertificate(Change, frozen=True, kw_only=True, tag="request-certificate"):
    """Ask the master for a certificate, and write it when it is what was asked for."""

    path: Path
    was: Entry | None
    key: Path
    issuer: str
    wanted: Wanted
    why: str

    def __str__(self) -> str:
        return f"request {self.path} from authority {self.issuer}: {self.why}"


CertificateChange = MakeKey | RequestCertificate | FileChange


@dataclass(frozen=True, slots=True)
class Observed:
    """What stands at the two paths, and what is in them."""

    key: Entry | None
    certificate: Entry | None
    pair: Pair
    key_parent: Entry | None = None  # of what is not there; else not looked at
    parent: Entry | None = None
    unknown: tuple[str, ...] = ()  # accounts that the node does not know
    called: tuple[str, str] = ("root", "root")  # key_owner and key_group as an Entry names them
    unreached: str = ""  # why no certificate can be asked for now


def observe(host: Host, want: Certificate) -> Observed:
    """Read both files, and ask whether the master could be asked."""
    path, key = Path(want.path), Path(want.key)
    found, found_key = host.files.look(path), host.files.look(key)
    return Observed(
        key=found_key,
        certificate=found,
        pair=host.certificates.look(path, key, want.ca),
        key_parent=host.files.look(key.parent) if found_key is None else None,
        parent=host.files.look(path.parent) if found is None else None,
        unknown=host.files.unknown_accounts(want.key_owner, want.key_group),
        called=host.files.called(want.key_owner, want.key_group),
        unreached=host.certificates.unreached(),
    )


def diff(want: Certificate, have: Observed) -> tuple[CertificateChange | Blocked, ...]:
    """Compare key and certificate with the Spec, each other, the authority and the clock."""
    changes = (*_key(want, have), *_certificate(want, have))
    asks = any(isinstance(change, RequestCertificate) for change in changes)
    if changes and asks and have.unreached:
        return _hindered(want, have, (Blocked(have.unreached, changes),))
    return _hindered(want, have, changes) if changes else ()


def remove(want: Certificate, have: Observed) -> tuple[CertificateChange | Blocked, ...]:
    """Take the certificate and the key away. Either, once lost, is made anew and never the same."""
    pairs = ((want.path, have.certificate), (want.key, have.key))
    return tuple(
        RemovePath(path=Path(path), was=entry)
        for path, entry in pairs
        if entry is not None and entry.type == "file"
    )


def claims(want: Certificate) -> tuple[Claim, ...]:
    """The two paths."""
    return (Claim("path", want.path), Claim("path", want.key))


def watch(want: Certificate) -> tuple[Watch, ...]:
    """Both files; and the clock, since an end comes without an event."""
    return (WatchPath(Path(want.path)), WatchPath(Path(want.key)), WatchTimer(LOOK_SECONDS))


def apply(host: Host, change: CertificateChange) -> None:
    """Make one change."""
    if isinstance(change, MakeKey):
        host.certificates.make_key(change.path, change.was, change.owner, change.group)
    elif isinstance(change, RequestCertificate):
        host.certificates.obtain(change.path, change.was, change.key, change.wanted)
    else:
        apply_file(host, change)


def wanted(want: Certificate) -> Wanted:
    """Give what the certificate shall say."""
    return Wanted(
        common_name=want.common_name,
        organizations=want.organizations,
        dns=want.dns,
        addresses=want.addresses,
        usages=want.usages,
        days=want.days,
        renew_before_days=want.renew_before_days,
        ca=want.ca,
    )


def _key(want: Certificate, have: Observed) -> tuple[CertificateChange, ...]:
    path, entry = Path(want.key), have.key
    if entry is None or entry.type != "file" or have.pair.key_fault:
        why = "there is none" if entry is None else have.pair.key_fault or f"it is a {entry.type}"
        return (MakeKey(path=path, was=entry, owner=want.key_owner, group=want.key_group, why=why),)
    if (entry.mode, entry.owner, entry.group) == (KEY_MODE, *have.called):
        return ()
    owner, group = want.key_owner, want.key_group
    return (SetAccess(path=path, was=entry, mode=KEY_MODE, owner=owner, group=group),)


def _certificate(want: Certificate, have: Observed) -> tuple[CertificateChange, ...]:
    path, entry = Path(want.path), have.certificate
    if why := _asks(want, have):
        return (
            RequestCertificate(
                path=path,
                was=entry,
                key=Path(want.key),
                issuer=want.issuer,
                wanted=wanted(want),
                why=why,
            ),
        )
    if entry is None or (entry.mode, entry.owner, entry.group) == (
        CERTIFICATE_MODE,
        "root",
        "root",
    ):
        return ()
    return (SetAccess(path=path, was=entry, mode=CERTIFICATE_MODE, owner="root", group="root"),)


def _asks(want: Certificate, have: Observed) -> str:
    """Say why a certificate has to be asked for; "" where it has not."""
    if have.certificate is None:
        return "there is none"
    leaf, now = have.pair.leaf, have.pair.now
    if have.certificate.type != "file" or leaf is None:
        return "what stands there is no certificate"
    if have.key is None or have.key.type != "file" or have.pair.key_fault:
        return "its key is made anew"
    if told := unlike(wanted(want), leaf, now):
        return "; ".join(told)
    if due(wanted(want), leaf, now) and not have.unreached:
        return f"it ends on {day(leaf.not_after)}"
    return ""


def _hindered(
    want: Certificate, have: Observed, changes: tuple[CertificateChange | Blocked, ...]
) -> tuple[CertificateChange | Blocked, ...]:
    """Give the changes, or what keeps the files from being written."""
    for name, entry, parent in (
        (want.key, have.key, have.key_parent),
        (want.path, have.certificate, have.parent),
    ):
        if entry is not None and entry.type != "file":
            return (Blocked(in_the_way(name, entry), changes),)
        missing = no_directory(Path(name), parent, changes) if entry is None else None
        changes = (missing,) if missing and not _says(changes, missing.why) else changes
    return (no_account(want.key, have.unknown, changes),) if have.unknown else changes


def _says(changes: tuple[CertificateChange | Blocked, ...], why: str) -> bool:
    return any(isinstance(change, Blocked) and change.why == why for change in changes)


EXAMPLE_AUTHORITY = """\
-----BEGIN CERTIFICATE-----
MIIBfzCCASWgAwIBAgIURJwwM3LGPdKxyNoSmnco7fxTEE0wCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKa3ViZXJuZXRlczAeFw0yNjExMjMwNDMzNTVaFw0zNjExMjAw
NDMzNTVaMBUxEzARBgNVBAMMCmt1YmVybmV0ZXMwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAS+mK1fPBf7C16Zq7kQI/cukSf+SkPKDtGNPwdRrG9z8jPlUOFhxqih
vZRj7qnh+FJFacSN0irN8KAxUkVlQVIPo1MwUTAdBgNVHQ4EFgQUz2UcBlO6dAT5
36GbKEwaM9KfAJAwHwYDVR0jBBgwFoAUz2UcBlO6dAT536GbKEwaM9KfAJAwDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEAj94+YbKpWW2/EgctTGkz
ewJqdnyikGtl2OsvfEohwroCIEf5rIb5OUXjDNDUtuSqs18dNO0LRJZ4kXOkXA/W
WWKA
-----END CERTIFICATE-----
"""

KIND: Kind[Certificate, Observed, CertificateChange] = Kind(
    spec=Certificate,
    observe=observe,
    diff=diff,
    remove=remove,
    claims=claims,
    watch=watch,
    apply=apply,
    example=Certificate(
        path="/etc/kubernetes/pki/kubelet.crt",
        key="/etc/kubernetes/pki/kubelet.key",
        issuer="kubernetes",
        common_name="system:node:w1",
        organizations=("system:nodes",),
        usages=("client",),
        ca=EXAMPLE_AUTHORITY,
    ),
)
