"""What compile is told of the cluster's keys: certificates and hashes, no private key.

A node makes its own private keys. The one that nodes share signs the tokens of service
accounts; it stands in a body as the hash of what was sealed to that node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

TOKEN_KEY = "service-account"
"""The id of the secret that signs the tokens of service accounts."""


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A secret as one node is given it: `blob` is the SHA-256 of the sealed content."""

    generation: int
    blob: str


@dataclass(frozen=True, slots=True)
class Pki:
    """The authorities' own certificates, and what tokens are checked with, all in PEM.

    `token_keys`: by node, the key that signs tokens. A node that has not joined has none,
    since a secret is sealed to a key that is made there.
    """

    kubernetes: str
    etcd: str
    front_proxy: str
    token_public: str
    token_keys: Mapping[str, SealedSecret] = field(default_factory=lambda: MappingProxyType({}))

    def authority(self, issuer: str) -> str:
        """Give the certificate of an issuer as a certificate's Spec names it."""
        return {
            "kubernetes": self.kubernetes,
            "etcd": self.etcd,
            "front-proxy": self.front_proxy,
        }[issuer]
