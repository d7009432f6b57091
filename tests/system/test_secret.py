"""secret on a real disk, sealed by a master to a node's own key: the file, and nothing else."""

from __future__ import annotations

import secrets as chance
from hashlib import sha256
from pathlib import Path

import pytest
from saltern_agent.host.blobs import DiskBlobs
from saltern_protocol import testing
from saltern_protocol.sealed import Context, seal, sealing_public
from saltern_states.secret import KIND, Secret

from tests.system.disk_node import converge, differences, snapshot, take_back
from tests.system.key_node import key_node, master_below

pytestmark = pytest.mark.system

PATH = "etc/kubernetes/pki/sa.key"
CANARY = b"canary-77aa0c31"


def test_it_is_made_mended_and_taken_back(tmp_path: Path) -> None:
    top = tmp_path / "root"
    (top / PATH).parent.mkdir(parents=True)
    node = key_node(top, tmp_path, master_below(tmp_path / "master"))
    private = bytes.fromhex((tmp_path / "config/sealing.key").read_text())
    context = Context(
        cluster=testing.IDENTITY.cluster,
        node=testing.IDENTITY.node,
        secret="service-account",
        generation=7,
    )
    sealed = seal(CANARY, sealing_public(private), context, chance.token_bytes)
    blob = sha256(sealed).hexdigest()
    DiskBlobs(tmp_path / "blobs").add(blob, [sealed])
    want = Secret(path=f"/{PATH}", secret="service-account", generation=7, blob=blob, group="1")
    bare, line = snapshot(top), f"/{PATH} (secret service-account, generation 7, 0600 root:1)"

    assert converge(KIND, node, want) == [f"create {line}"]

    whole = snapshot(top)
    assert differences(bare, whole) == {PATH}
    assert whole[PATH] == ("-rw-------", 0, 1, sha256(CANARY).hexdigest())
    (top / PATH).write_bytes(b"else")
    assert converge(KIND, node, want) == [f"write {line}"]
    assert snapshot(top) == whole
    (top / PATH).chmod(0o644)
    assert converge(KIND, node, want) == [f"set /{PATH} to 0600 root:1 (was 0644 root:daemon)"]
    assert snapshot(top) == whole
    elsewhere = [path for path in tmp_path.rglob("*") if path.is_file() and path != top / PATH]
    assert [path for path in elsewhere if CANARY in path.read_bytes()] == []
    assert take_back(KIND, node, want) == [f"remove /{PATH}"]
    assert snapshot(top) == bare
