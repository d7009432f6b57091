"""Secrets that were sealed to a node: in memory, and with a node's own key."""

from __future__ import annotations

import secrets as chance
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import msgspec
import pytest
from saltern_agent.host.blobs import DiskBlobs
from saltern_agent.host.sealed import SealedSecrets
from saltern_protocol import testing
from saltern_protocol.documents import encode_identity
from saltern_protocol.sealed import Context, make_sealing_key, seal, sealing_public
from saltern_states.key_ports import Secrets
from saltern_states.ports import HostError
from saltern_states.testing.files import FakeBlobs
from saltern_states.testing.keys import FakeSecrets

CONTENT = b"canary-4c8d \xff\x00 content"
ABSENT = "0" * 64


class Ground(Protocol):
    """Secrets under test, and how a content comes to be sealed."""

    @property
    def secrets(self) -> Secrets: ...
    def put(self, content: bytes, secret: str, generation: int) -> str: ...
    def put_blob(self, data: bytes) -> str: ...


class Fake:
    """In memory."""

    def __init__(self) -> None:
        self.blobs = FakeBlobs()
        self.secrets = FakeSecrets(self.blobs)

    def put(self, content: bytes, secret: str, generation: int) -> str:
        return self.secrets.put(content, secret, generation)

    def put_blob(self, data: bytes) -> str:
        return self.blobs.put(data)


class Disk:
    """With a key in a directory."""

    def __init__(self, top: Path) -> None:
        self.config = top / "etc"
        self.config.mkdir(mode=0o755)
        self.key = make_sealing_key(chance.token_bytes)
        for name in ("sealing.key", "link.key"):
            (self.config / name).touch(mode=0o600)
            (self.config / name).write_text(f"{self.key.hex()}\n")
        (self.config / "identity").write_bytes(encode_identity(testing.IDENTITY))
        self.context = Context(
            cluster=testing.IDENTITY.cluster, node=testing.IDENTITY.node, secret="x", generation=1
        )
        self.blobs = DiskBlobs(top / "blobs")
        self.secrets = SealedSecrets(self.blobs, self.config)

    def put(self, content: bytes, secret: str, generation: int) -> str:
        return self.put_for(content, secret=secret, generation=generation)

    def put_for(self, content: bytes, **fields: object) -> str:
        context = msgspec.structs.replace(self.context, **fields)
        return self.put_blob(seal(content, sealing_public(self.key), context, chance.token_bytes))

    def put_blob(self, data: bytes) -> str:
        blob = sha256(data).hexdigest()
        self.blobs.add(blob, [data])
        return blob


@pytest.fixture(params=["fake", "disk"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    return Fake() if request.param == "fake" else Disk(tmp_path)


@pytest.mark.parametrize("content", [CONTENT, b"", b"x" * 100_000], ids=["some", "none", "large"])
def test_what_was_sealed_is_opened(ground: Ground, content: bytes) -> None:
    blob = ground.put(content, "tokens", 2)

    assert ground.secrets.digest(blob, "tokens", 2) == sha256(content).hexdigest()
    assert ground.secrets.plain(blob, "tokens", 2) == content


def test_the_blob_does_not_show_it(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    blob = disk.put(CONTENT, "tokens", 2)

    assert CONTENT not in disk.blobs.path(blob).read_bytes()


@pytest.mark.parametrize(("secret", "generation"), [("other", 2), ("tokens", 1), ("tokens", 3)])
def test_it_opens_only_as_what_it_was_sealed_for(
    ground: Ground, secret: str, generation: int
) -> None:
    blob = ground.put(CONTENT, "tokens", 2)
    attempts: tuple[Callable[[], object], ...] = (
        lambda: ground.secrets.digest(blob, secret, generation),
        lambda: ground.secrets.plain(blob, secret, generation),
    )

    for refused in attempts:
        with pytest.raises(HostError, match=rf"cannot open secret {secret} generation") as told:
            refused()
        assert "canary" not in str(told.value)


def test_what_is_not_here_is_said(ground: Ground) -> None:
    with pytest.raises(HostError, match="cannot find blob"):
        ground.secrets.digest(ABSENT, "tokens", 1)


@pytest.mark.parametrize("data", [b"", b"SALTERN1", CONTENT * 10])
def test_what_is_no_seal_is_said(ground: Ground, data: bytes) -> None:
    blob = ground.put_blob(data)

    with pytest.raises(HostError, match="cannot open secret tokens") as told:
        ground.secrets.plain(blob, "tokens", 1)
    assert "canary" not in str(told.value)


@pytest.mark.parametrize("fields", [{"node": "another"}, {"cluster": "another"}])
def test_another_nodes_secret_does_not_open(tmp_path: Path, fields: dict[str, object]) -> None:
    disk = Disk(tmp_path)
    blob = disk.put_for(CONTENT, **fields)

    with pytest.raises(HostError, match="cannot open secret x"):
        disk.secrets.plain(blob, "x", 1)


def remove(path: Path) -> None:
    path.unlink()


def spoil(path: Path) -> None:
    path.write_bytes(b"zz canary")


@pytest.mark.parametrize("name", ["sealing.key", "identity"])
@pytest.mark.parametrize("damage", [remove, spoil])
def test_a_node_without_its_own_key_says_so(
    tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    disk = Disk(tmp_path)
    blob = disk.put(CONTENT, "tokens", 1)
    damage(disk.config / name)

    with pytest.raises(HostError, match=r"\Acannot open secret tokens generation 1: ") as told:
        disk.secrets.plain(blob, "tokens", 1)
    assert "canary" not in str(told.value)
    assert disk.key.hex() not in str(told.value)
