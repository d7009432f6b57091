"""Sealing: a secret that one node can open, and only as what it was sealed for.

    "SALTERN1", ephemeral X25519 public key (32), ChaCha20-Poly1305 of the secret (16 longer)

* One-way X25519: a key pair that is made for this one seal and forgotten, and the node's own.
  HKDF-SHA256 (RFC 5869) makes the key of what the two share, and of both public keys as they
  are written: X25519 ignores a bit of them, and no bit of a sealed secret may be ignored.
* The key seals once, so its nonce is zero (RFC 8439 asks that no pair comes twice).
* What it is for (cluster, node, secret id, generation) is authenticated: a secret that was put
  in another's place, or an old generation for the new one, does not open.
* No text here quotes what was sealed.
"""

from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from saltern_protocol import wire
from saltern_protocol.errors import MalformedError, Reason, RefusedError
from saltern_protocol.terms import Count, Name

MAGIC: Final = b"SALTERN1"
KEY_BYTES: Final = 32
TAG_BYTES: Final = 16
NONCE: Final = bytes(12)
MAX_PLAIN: Final = 1024 * 1024
OVERHEAD: Final = len(MAGIC) + KEY_BYTES + TAG_BYTES


class Context(Struct, frozen=True, kw_only=True, tag_field="type", tag="seal/1"):
    """What a secret is sealed for."""

    cluster: Name
    node: Name
    secret: Name  # its id
    generation: Count


def make_sealing_key(random: Callable[[int], bytes]) -> bytes:
    """Make a node's private key of `random(32)`, which is secrets.token_bytes outside tests."""
    return random(KEY_BYTES)


def sealing_public(private: bytes) -> bytes:
    """Give the public key that secrets are sealed to; MalformedError for no private key."""
    return _private(private).public_key().public_bytes_raw()


def is_recipient(public: bytes) -> bool:
    """Say whether anything can be sealed to this key: points of low order share nothing."""
    try:
        _private(bytes(KEY_BYTES)).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        return False
    return True


def seal(plain: bytes, recipient: bytes, context: Context, random: Callable[[int], bytes]) -> bytes:
    """Seal at most 1 MiB to a node's public key, with 32 random bytes of the caller's."""
    if len(plain) > MAX_PLAIN:
        raise MalformedError(f"cannot seal {len(plain)} bytes: the limit is {MAX_PLAIN}")
    ephemeral = _private(random(KEY_BYTES))
    public = ephemeral.public_key().public_bytes_raw()
    try:
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient))
    except ValueError as error:
        raise MalformedError(
            f"cannot seal to the key {recipient.hex()}: it is no X25519 key; "
            "the node has to join again with a new one"
        ) from error
    cipher = _cipher(shared, public, recipient)
    return MAGIC + public + cipher.encrypt(NONCE, plain, _bound(context))


def open_sealed(data: bytes, private: bytes, context: Context) -> bytes:
    """Give what was sealed for this; MalformedError if it is no seal, RefusedError WRONG_SEAL."""
    if not data.startswith(MAGIC) or not OVERHEAD <= len(data) <= OVERHEAD + MAX_PLAIN:
        raise MalformedError(
            f"cannot open a sealed secret of {len(data)} bytes: it is none, or cut; "
            "have the master seal it again"
        )
    key = _private(private)
    at = len(MAGIC)
    public, sealed = data[at : at + KEY_BYTES], data[at + KEY_BYTES :]
    own = key.public_key().public_bytes_raw()
    try:
        shared = key.exchange(X25519PublicKey.from_public_bytes(public))
        return _cipher(shared, public, own).decrypt(NONCE, sealed, _bound(context))
    except (InvalidTag, ValueError):  # a point of low order is a ValueError
        raise RefusedError(
            Reason.WRONG_SEAL,
            f'cannot open the secret "{context.secret}" generation {context.generation}: it was '
            f'damaged, or sealed for something else than node "{context.node}" with its present '
            "key; have the master seal it again",
        ) from None


def _private(raw: bytes) -> X25519PrivateKey:
    try:
        return X25519PrivateKey.from_private_bytes(raw)
    except ValueError as error:
        raise MalformedError(
            f"cannot read a sealing key of {len(raw)} bytes: it has {KEY_BYTES}"
        ) from error


def _cipher(shared: bytes, public: bytes, recipient: bytes) -> ChaCha20Poly1305:
    derive = HKDF(SHA256(), KEY_BYTES, salt=None, info=MAGIC + public + recipient)
    return ChaCha20Poly1305(derive.derive(shared))


def _bound(context: Context) -> bytes:
    return wire.pack_checked(context, MAX_PLAIN)
