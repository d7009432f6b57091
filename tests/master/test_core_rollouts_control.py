"""A control plane in a rollout: after the workers, by itself, once etcd was asked.

A cluster file has one control-plane node for now; more members: tests/master/test_gates.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from saltern_master.library import Binary, Image, Library
from saltern_master.signing.home import Home

from tests.master.core_laws import run
from tests.master.core_stand import Stand
from tests.master.homes import made_home
from tests.master.playing import applied, phase, played, rolled, stages

TAGS = {
    "pause": "3.2",
    "etcd": "3.4.23",
    "kube-apiserver": "v1.20.2",
    "kube-controller-manager": "v1.20.2",
    "kube-scheduler": "v1.20.2",
}


def file_of(value: int) -> bytes:
    return (
        "apiVersion: saltern/v1\ncluster: {name: demo}\nkubernetes: {version: 1.20.2}\n"
        "network: {pods: 10.10.0.0/16, services: 10.0.0.0/16, mode: routed}\n"
        "nodes:\n"
        "- {name: cp1, address: 10.9.0.11, roles: [control-plane, etcd]}\n"
        "- {name: w1, address: 10.9.0.21}\n"
        f"groups: [{{match: name=*, sysctls: {{vm.max_map_count: '{value}'}}}}]\n"
    ).encode()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Make a home whose library has what a control plane needs."""
    made = made_home(tmp_path)
    library = Library(made.path)

    def blob(name: str) -> str:
        path = tmp_path / name
        path.write_bytes(name.encode())
        return library.add_blob(path)

    for name, tag in TAGS.items():
        library.add_image(
            Image(
                name=f"saltern/{name}:{tag}",
                config_digest="c1" * 32,
                archive_sha256=blob(name),
                size=len(name),
            )
        )
    library.add_binary(
        Binary(
            version="1.20.2",
            component="kube-proxy",
            architecture="amd64",
            sha256=blob("kube-proxy"),
            size=len("kube-proxy"),
            origin="directory",
        )
    )
    return made


def test_it_comes_after_the_workers_and_is_asked_about(home: Home) -> None:
    async def law(stand: Stand) -> None:
        players = await played(stand, "cp1", node_class="control-plane")
        players |= await played(stand, "w1")
        await applied(stand, file_of(262144))
        for one in players.values():
            one.got.clear()
        begun = await stand.service.rollout(await rolled(stand, file_of(300000)))
        assert [(one.node, one.wave, one.group) for one in begun.nodes] == [
            ("w1", 0, "worker"),
            ("cp1", 1, "control-plane"),
        ]
        done = await phase(stand, begun.rollout, "done")
        assert stages(done) == {"w1": "done", "cp1": "done"}
        assert [len(one.got) for one in players.values()] == [1, 1]

    run(home, law)
