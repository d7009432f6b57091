"""Secrets for nodes: sealed once for each node, secret and generation, and given as a blob.

    HOME/pki/seals.json    what was sealed to whom, and which blob holds it (no secret in it)
    HOME/blobs/SHA256      the sealed contents: only their node opens them

* Sealing is by chance, so the same secret sealed twice is two blobs and two bodies: what was
  sealed is remembered and given again.
* A new content, or a node with a new key, is a new generation; no generation is given twice.
* The record holds a SHA-256 of the content. Contents are keys and tokens, which nobody guesses.

The ids in use: compile.pki.TOKEN_KEY and, where static tokens are asked for, KNOWN_TOKENS; both
are for nodes of the control plane.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta
from saltern_protocol.sealed import Context, seal

from saltern_master.library.blobs import add_bytes, blob_path
from saltern_master.pki.authorities import PkiError
from saltern_master.signing.home import write_whole

KNOWN_TOKENS = "known-tokens"  # known_tokens.csv, for nodes of the control plane

Random = Callable[[int], bytes]


class Sealed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One secret as one node was given it."""

    generation: Annotated[int, Meta(ge=1)]
    recipient: str  # the node's sealing key, in hexadecimal
    content: str  # SHA-256
    blob: str


class Seals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that was sealed: NODE/SECRET -> how."""

    given: dict[str, Sealed] = {}


def next_generation(last: Sealed | None, recipient: str, content: str) -> int | None:
    """Say under which generation to seal; None: what was given last is right."""
    if last is None:
        return 1
    if (last.recipient, last.content) == (recipient, content):
        return None
    return last.generation + 1


def give(home: Path, to: Context, recipient: bytes, plain: bytes, random: Random) -> Sealed:
    """Give a node's secret as a blob, sealed anew where it must be. Hold HOME's lock.

    `to`: cluster, node and secret; its generation is ignored.
    """
    seals, name = _read(home), f"{to.node}/{to.secret}"
    last, content = seals.given.get(name), sha256(plain).hexdigest()
    generation = next_generation(last, recipient.hex(), content)
    if last is not None:
        if generation is None and blob_path(home / "blobs", last.blob).exists():
            return last
        generation = generation or last.generation + 1  # its blob was lost
    context = msgspec.structs.replace(to, generation=generation or 1)
    blob = add_bytes(home / "blobs", seal(plain, recipient, context, random))
    made = Sealed(
        generation=context.generation, recipient=recipient.hex(), content=content, blob=blob
    )
    _write(home, Seals(given={**seals.given, name: made}))
    return made


def sealed_to(home: Path, secret: str) -> dict[str, Sealed]:
    """Give how a secret was last given to each node that has it."""
    named = ((name.partition("/"), one) for name, one in _read(home).given.items())
    return {node: one for (node, _, found), one in named if found == secret}


def _read(home: Path) -> Seals:
    path = home / "pki" / "seals.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Seals)
    except FileNotFoundError:
        return Seals()
    except (OSError, ValueError) as error:
        raise PkiError(f"cannot read {path}: {error}; restore it from a backup") from error


def _write(home: Path, seals: Seals) -> None:
    text = msgspec.json.format(msgspec.json.encode(seals), indent=1)
    write_whole(home / "pki" / "seals.json", text + b"\n")
