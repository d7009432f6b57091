"""The laws of Images, on the docker of a booted node, over its socket as seen from here."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

import pytest
from saltern_agent.host.docker import DockerImages
from saltern_master import cache, packages
from saltern_master.lab import Machine, rootfs
from saltern_states.ports import Images

from tests.contracts.image_laws import *  # noqa: F403  # each of its tests is one of ours
from tests.contracts.image_laws import NAME

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


def tar(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def image(name: str) -> tuple[bytes, str]:
    """Give an archive as `docker save` writes it, and the SHA-256 of the image's config."""
    layer = tar({"hello": b"hello\n" * 1000})
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": ["/hello"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(layer).hexdigest()}"]},
        }
    ).encode()
    digest = sha256(config).hexdigest()
    manifest = [{"Config": f"{digest}.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    members = {
        f"{digest}.json": config,
        "layer.tar": layer,
        "manifest.json": json.dumps(manifest).encode(),
    }
    return tar(members), digest


def silent(_line: str) -> None:
    """Say nothing."""


class DockerGround:
    """A node's docker, seen from beside the node."""

    def __init__(self, node: Machine, place: Path) -> None:
        self.images = DockerImages(Path(f"/proc/{node.first_process()}/root/run/docker.sock"))
        content, self.config = image(NAME)
        self.archive = place / "archive"
        self.archive.write_bytes(content)
        self.nowhere = place / "nobody listens"

    def silence(self) -> Images:
        return DockerImages(self.nowhere)


@pytest.fixture(scope="module")
def docker(node: Machine) -> Machine:
    """The node, with a docker that runs."""
    node.wait(60)
    status = rootfs.ready(silent).status
    for deb in packages.fetch_closure(
        ["docker.io", "ebtables"], status, cache.root() / "debs", silent
    ):
        node.copy_in(Path(deb.path), f"/root/debs/{Path(deb.path).name}")
    install = "export DEBIAN_FRONTEND=noninteractive; dpkg --install /root/debs/*.deb"
    done = node.exec(["sh", "-c", install], timeout=300)
    assert done.returncode == 0, done.stderr
    done = node.exec(["systemctl", "start", "docker.service"], timeout=100)
    assert done.returncode == 0, done.stderr
    return node


@pytest.fixture
def ground(docker: Machine, tmp_path: Path) -> Iterator[DockerGround]:
    ground = DockerGround(docker, tmp_path)
    yield ground
    if ground.images.digest(NAME) is not None:
        ground.images.remove(NAME)


def test_a_look_costs_less_than_a_millisecond_of_ours(
    ground: DockerGround, capsys: pytest.CaptureFixture[str]
) -> None:
    ground.images.load(ground.archive)
    begun, used = time.perf_counter(), time.process_time()
    for _ in range(200):
        assert ground.images.digest(NAME) is not None
    wall, cpu = (time.perf_counter() - begun) * 5, (time.process_time() - used) * 5
    with capsys.disabled():
        print(f"\na look at an image: {wall:.2f} ms, {cpu:.2f} ms of our CPU")
    assert cpu < 5
