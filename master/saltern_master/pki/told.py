"""What compile is told of HOME's authorities: their certificates, and what was sealed to nodes.

Nothing is made or sealed here: this reads what the running master made. So a cluster file can
be compiled beside it, and signed for nodes that have joined.
"""

from __future__ import annotations

from pathlib import Path

from saltern_master.compile.pki import TOKEN_KEY, Pki, SealedSecret
from saltern_master.pki.authorities import Authorities, load
from saltern_master.pki.seals import sealed_to


def pki_of(home: Path) -> Pki | None:
    """Give what stands in HOME/pki, None where there is none yet; PkiError: it cannot be used."""
    directory = home / "pki"
    if not directory.is_dir():
        return None
    given = sealed_to(home, TOKEN_KEY)
    keys = {node: SealedSecret(one.generation, one.blob) for node, one in given.items()}
    return told(load(directory), keys)


def told(authorities: Authorities, token_keys: dict[str, SealedSecret]) -> Pki:
    """Give what compile is told, with the key of tokens as it was sealed to each node."""
    return Pki(
        kubernetes=authorities.of["kubernetes"].pem,
        etcd=authorities.of["etcd"].pem,
        front_proxy=authorities.of["front-proxy"].pem,
        token_public=authorities.token_public.decode(),
        token_keys=token_keys,
    )
