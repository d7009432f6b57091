"""A node below a directory, with the ports that know keys, and the master that it asks."""

from __future__ import annotations

import secrets as chance
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from cryptography import x509
from saltern_agent.host.certificates import NodeCertificates
from saltern_agent.host.sealed import SealedSecrets
from saltern_master.pki.authorities import Authorities, load, make
from saltern_master.pki.issue import issue_for
from saltern_protocol import testing
from saltern_protocol.documents import encode_identity
from saltern_protocol.sealed import make_sealing_key
from saltern_states.body import Body
from saltern_states.key_ports import Certificates, Secrets
from saltern_states.ports import Blobs, Files, Host, HostError

from tests.system.disk_node import node_below


@dataclass(frozen=True)
class KeyNode:
    """The ports that certificates and secrets need."""

    files: Files
    blobs: Blobs
    certificates: Certificates
    secrets: Secrets


@dataclass
class Asked:
    """A master with authorities of its own, and the one body that its one node has."""

    given: Authorities
    now: int = 1_800_000_000
    body: Body = field(default_factory=Body)

    def issue(self, path: str, csr: bytes) -> bytes:
        serial = x509.random_serial_number()
        answer = issue_for(self.body, path, csr, self.given, self.now, serial)
        if answer.why:
            raise HostError(answer.why)
        return answer.chain


def master_below(directory: Path) -> Asked:
    """Make a master's authorities."""
    make(directory, 1_800_000_000 - 86400)
    return Asked(load(directory))


def key_node(top: Path, beside: Path, master: Asked) -> Host:
    """Make a node whose own directories lie beside its files; it has a key and an identity."""
    base = node_below(top, beside / "blobs")
    config = beside / "config"
    config.mkdir(mode=0o755, exist_ok=True)
    for name in ("sealing.key", "link.key"):
        (config / name).touch(mode=0o600)
        (config / name).write_text(f"{make_sealing_key(chance.token_bytes).hex()}\n")
    (config / "identity").write_bytes(encode_identity(testing.IDENTITY))
    node = KeyNode(
        files=base.files,
        blobs=base.blobs,
        certificates=NodeCertificates(base.files, master.issue, lambda: "", lambda: master.now),
        secrets=SealedSecrets(base.blobs, config),
    )
    return cast(Host, node)
