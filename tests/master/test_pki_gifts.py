"""What the master gives: kubeconfigs, known tokens, sealed secrets."""

from __future__ import annotations

import base64
import csv
import io
import json
import secrets as chance
import stat
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import CertificateSigningRequestBuilder, Name
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from saltern_agent.host.x509 import read_leaf
from saltern_master.library.blobs import blob_path
from saltern_master.pki.authorities import PkiError, load, make
from saltern_master.pki.kubeconfig import for_admin
from saltern_master.pki.seals import Sealed, give, next_generation
from saltern_master.pki.tokens import User, known_tokens, tokens_of, with_tokens
from saltern_protocol.errors import RefusedError
from saltern_protocol.sealed import Context, make_sealing_key, open_sealed, sealing_public

NOW = 1_800_000_000
SERVER = "https://10.9.0.11:6443"
CANARY = b"canary-31d97c"
TO = Context(cluster="demo", node="cp1", secret="service-account", generation=1)


def test_an_admins_holds_all_but_the_key(tmp_path: Path) -> None:
    make(tmp_path, NOW)
    authority = load(tmp_path).of["kubernetes"]
    key = generate_private_key(SECP256R1())
    csr = CertificateSigningRequestBuilder(Name([])).sign(key, SHA256()).public_bytes(Encoding.PEM)

    found = YAML(typ="safe").load(for_admin("demo", SERVER, authority, csr, NOW, 77))

    where, who = found["clusters"][0]["cluster"], found["users"][0]["user"]
    ca = base64.b64decode(where["certificate-authority-data"]).decode()
    leaf = read_leaf(base64.b64decode(who["client-certificate-data"]), key, ca)
    assert (where["server"], ca) == (SERVER, authority.pem)
    assert list(who) == ["client-certificate-data"]
    assert found["users"][0]["name"] == found["contexts"][0]["context"]["user"]
    assert found["clusters"][0]["name"] == found["contexts"][0]["context"]["cluster"] == "demo"
    assert found["current-context"] == found["contexts"][0]["name"]
    assert leaf is not None
    assert (leaf.of_key, leaf.of_issuer, leaf.odd) == (True, True, ())
    assert (leaf.common_name, leaf.organizations) == ("kubernetes-admin", ("system:masters",))
    assert leaf.usages == ("client",)


@pytest.mark.parametrize("csr", [b"", b"else", b"-----BEGIN CERTIFICATE REQUEST-----\n"])
def test_nobody_becomes_an_admin_without_a_request(tmp_path: Path, csr: bytes) -> None:
    make(tmp_path, NOW)
    authority = load(tmp_path).of["kubernetes"]

    with pytest.raises(PkiError, match="no PKCS#10 in PEM"):
        for_admin("demo", SERVER, authority, csr, NOW, 77)


ADMIN, VIEWER = User("admin", ("system:masters",)), User("viewer", ("a", "b"))


def test_known_tokens_are_lines_as_the_api_server_reads_them() -> None:
    text = known_tokens(
        (VIEWER, User("bare"), ADMIN), {"admin": "t1", "viewer": "t2", "bare": "t3"}
    )

    assert text.decode() == (
        't1,admin,admin,system:masters\nt3,bare,bare\nt2,viewer,viewer,"a,b"\n'
    )


NAMES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._:@-]{0,10}\Z")
USERS = st.lists(
    st.builds(User, NAMES, st.lists(NAMES, max_size=3).map(tuple)),
    max_size=5,
    unique_by=lambda user: user.name,
)


@given(USERS)
def test_law_every_csv_reader_reads_the_users_back(users: list[User]) -> None:
    tokens = with_tokens({}, users, chance.token_bytes)

    rows = list(csv.reader(io.StringIO(known_tokens(users, tokens).decode())))

    back = {User(row[1], tuple(row[3].split(",")) if len(row) > 3 else ()) for row in rows}
    assert back == set(users)
    assert {row[1]: row[0] for row in rows} == tokens
    assert len(set(tokens.values())) == len(users)


def test_a_token_is_kept_for_as_long_as_its_user(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    first = tokens_of(tmp_path, (ADMIN, VIEWER), chance.token_bytes)
    path = tmp_path / "pki/tokens.json"

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert tokens_of(tmp_path, (VIEWER, ADMIN), chance.token_bytes) == first
    alone = tokens_of(tmp_path, (VIEWER,), chance.token_bytes)
    assert alone in first
    assert list(json.loads(path.read_text())) == ["viewer"]
    assert tokens_of(tmp_path, (VIEWER, ADMIN), chance.token_bytes) != first


def test_a_spoilt_file_of_tokens_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki/tokens.json").write_bytes(CANARY)

    with pytest.raises(PkiError, match="cannot read") as told:
        tokens_of(tmp_path, (ADMIN,), chance.token_bytes)
    assert CANARY.decode() not in str(told.value)


ONE = Sealed(generation=4, recipient="aa", content="cc", blob="0" * 64)


@pytest.mark.parametrize(
    ("last", "recipient", "content", "expected"),
    [
        (None, "aa", "cc", 1),
        (ONE, "aa", "cc", None),
        (ONE, "bb", "cc", 5),
        (ONE, "aa", "dd", 5),
    ],
)
def test_when_a_secret_is_sealed_anew(
    last: Sealed | None, recipient: str, content: str, expected: int | None
) -> None:
    assert next_generation(last, recipient, content) == expected


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "pki").mkdir()
    return tmp_path


def test_it_is_sealed_once_and_opens_only_for_its_node(home: Path) -> None:
    key, other = (make_sealing_key(chance.token_bytes) for _ in range(2))
    first = give(home, TO, sealing_public(key), CANARY, chance.token_bytes)

    assert give(home, TO, sealing_public(key), CANARY, chance.token_bytes) == first
    sealed = blob_path(home / "blobs", first.blob).read_bytes()
    assert open_sealed(sealed, key, TO) == CANARY
    with pytest.raises(RefusedError):
        open_sealed(sealed, other, TO)
    kept = [path for path in home.rglob("*") if path.is_file()]
    assert len(kept) >= 2
    assert [path for path in kept if CANARY in path.read_bytes()] == []


def test_each_change_is_a_new_generation(home: Path) -> None:
    key, new = (sealing_public(make_sealing_key(chance.token_bytes)) for _ in range(2))
    steps = [
        (TO, key, CANARY, 1),
        (TO, key, b"next " + CANARY, 2),
        (TO, key, CANARY, 3),
        (TO, new, CANARY, 4),
        (TO, new, CANARY, 4),
        (msgspec.structs.replace(TO, node="cp2"), key, CANARY, 1),
        (msgspec.structs.replace(TO, secret="known-tokens"), new, CANARY, 1),
        (TO, new, CANARY, 4),
    ]

    for to, recipient, plain, generation in steps:
        assert give(home, to, recipient, plain, chance.token_bytes).generation == generation


def test_a_lost_blob_is_sealed_anew(home: Path) -> None:
    key = make_sealing_key(chance.token_bytes)
    first = give(home, TO, sealing_public(key), CANARY, chance.token_bytes)
    blob_path(home / "blobs", first.blob).unlink()

    again = give(home, TO, sealing_public(key), CANARY, chance.token_bytes)

    assert (again.generation, again.blob != first.blob) == (2, True)
    sealed = blob_path(home / "blobs", again.blob).read_bytes()
    assert open_sealed(sealed, key, msgspec.structs.replace(TO, generation=2)) == CANARY


def test_the_token_key_is_what_kubernetes_reads(tmp_path: Path) -> None:
    """Keyutil of client-go takes PKCS#1, SEC 1 and PKCS#8; kubeadm writes PKCS#1."""
    make(tmp_path, NOW)
    given_keys = load(tmp_path)

    key = load_pem_private_key(given_keys.token_key, password=None)

    assert type(key).__name__ == "RSAPrivateKey"
    assert given_keys.token_public.startswith(b"-----BEGIN PUBLIC KEY-----\n")
