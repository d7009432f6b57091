"""Ed25519 keys: what signs, and what a signature is checked with.

* A public key is its 32 bytes; two with equal bytes are one key, whatever they are called.
* A private key never shows in repr, log or error, and cannot be packed;
  `seed()` is the one way out, for the file that keeps it.
* No chance in here: `generate` is handed its randomness (secrets.token_bytes).

The fingerprint is half a SHA-256. People compare it, and envelopes carry it as a
hint of which key to try; nothing is decided by it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Meta, Struct

from saltern_protocol.errors import MalformedError

KEY_BYTES = 32
PREFIX = "ed25519:"
GROUP = 4  # digits that people read at a glance


class PublicKey(
    Struct, frozen=True, order=True, array_like=True, tag="ed25519", forbid_unknown_fields=True
):
    """Whom a signature is by. On the wire: ["ed25519", 32 bytes]."""

    raw: Annotated[bytes, Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]

    def __str__(self) -> str:
        return f"{PREFIX}{self.raw.hex()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "ed25519:" and 64 hexadecimal digits; MalformedError for anything else."""
        digits = text.removeprefix(PREFIX)
        try:
            raw = bytes.fromhex(digits)
        except ValueError:
            raw = b""
        if len(raw) != KEY_BYTES or text != f"{PREFIX}{raw.hex()}":
            raise MalformedError(
                f'cannot read a public key: "{text}" is not {PREFIX} and 64 digits'
            )
        return cls(raw)

    @property
    def fingerprint(self) -> str:
        """Give 32 hexadecimal digits to know the key by; envelopes carry them."""
        return sha256(self.raw).hexdigest()[:32]

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Tell whether this key made the signature; bytes that are no point verify nothing."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class PrivateKey:
    """What signs."""

    _key: Ed25519PrivateKey

    def __repr__(self) -> str:
        return f"PrivateKey(of {self.public})"

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Make the key of a 32-byte seed; MalformedError for another length."""
        if len(seed) != KEY_BYTES:
            raise MalformedError(f"cannot make a key of a seed of {len(seed)} bytes: it has 32")
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def public(self) -> PublicKey:
        """Give the key that others check with."""
        return PublicKey(self._key.public_key().public_bytes_raw())

    def seed(self) -> bytes:
        """Give the 32 bytes to keep in a file of mode 0600."""
        return self._key.private_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Sign; the same message has the same signature."""
        return self._key.sign(message)


def generate(random: Callable[[int], bytes]) -> PrivateKey:
    """Make a new key from `random(32)`, which must be secrets.token_bytes outside tests."""
    return PrivateKey.from_seed(random(KEY_BYTES))


def fingerprint(key: bytes) -> str:
    """Give what people compare of any public key: half its SHA-256, as 8 groups of 4 hex digits."""
    digits = sha256(key).hexdigest()[:32]
    return "-".join(digits[at : at + GROUP] for at in range(0, len(digits), GROUP))
