"""What compile is told of a home's authorities: what the master made, and nothing secret."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from saltern_master.compile.pki import TOKEN_KEY, SealedSecret
from saltern_master.pki.authorities import PkiError, authorities
from saltern_master.pki.seals import give
from saltern_master.pki.told import pki_of
from saltern_master.signing.home import Home
from saltern_protocol.sealed import Context, make_sealing_key, sealing_public

NOW = 1_800_000_000


def given(home: Path, node: str, secret: str, plain: bytes, key: bytes) -> str:
    to = Context(cluster="demo", node=node, secret=secret, generation=1)
    return give(home, to, sealing_public(key), plain, secrets.token_bytes).blob


def test_a_home_without_authorities_tells_nothing(tmp_path: Path) -> None:
    assert pki_of(tmp_path) is None


def test_all_that_is_public_is_told(tmp_path: Path) -> None:
    made = authorities(Home(tmp_path), NOW)
    key = make_sealing_key(secrets.token_bytes)
    given(tmp_path, "cp1", TOKEN_KEY, b"first", key)
    blob = given(tmp_path, "cp1", TOKEN_KEY, b"second", key)
    given(tmp_path, "cp1", "other-secret", b"other", key)

    pki = pki_of(tmp_path)

    assert pki is not None
    assert pki.authority("etcd") == made.of["etcd"].pem
    assert pki.authority("kubernetes") == made.of["kubernetes"].pem
    assert pki.authority("front-proxy") == made.of["front-proxy"].pem
    assert pki.token_keys == {"cp1": SealedSecret(generation=2, blob=blob)}
    assert "PRIVATE" not in repr(pki)


def test_an_authority_that_is_lost_is_told(tmp_path: Path) -> None:
    authorities(Home(tmp_path), NOW)
    (tmp_path / "pki" / "etcd-ca.key").unlink()

    with pytest.raises(PkiError, match="etcd-ca"):
        pki_of(tmp_path)
