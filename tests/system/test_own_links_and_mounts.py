"""An administrator's own symlinks and bind mounts: held where that is sound, else told why not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from saltern_agent.host.beneath import Root
from saltern_agent.host.blobs import DiskBlobs
from saltern_agent.host.disk import DiskFiles
from saltern_states import file
from saltern_states.contract import Blocked
from saltern_states.file import File
from saltern_states.ports import Host, HostError
from saltern_states.testing import FakeHost

from tests.states.laws import converge
from tests.system.event_namespaces import mount_namespace, run

WANT = File(path="/etc/kubernetes/a.conf", text="declared\n")
OWN = b"the administrator's\n"


@pytest.fixture(params=[True, False], ids=["openat2", "steps"])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Host]:
    def make() -> Host:
        host = FakeHost()
        root = Root(tmp_path / "root", openat2=request.param)
        host.files = DiskFiles(DiskBlobs(tmp_path / "blobs"), root)  # type: ignore[assignment]
        return host

    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.conf").write_bytes(OWN)
    return make


@pytest.fixture
def mounts() -> Iterator[None]:
    with mount_namespace():
        yield


@pytest.mark.parametrize("target", ["../../data", "{top}/data"])
def test_a_linked_directory_is_refused_and_what_it_leads_to_stays(
    node: Callable[[], Host], tmp_path: Path, target: str
) -> None:
    link = tmp_path / "root/etc/kubernetes"
    link.symlink_to(target.format(top=tmp_path))

    (told,) = file.KIND.plan(node(), WANT)

    assert isinstance(told, Blocked)
    assert "symlink, there or on the way" in told.why
    assert "mount it there (mount --bind)" in told.why
    assert (tmp_path / "data/a.conf").read_bytes() == OWN
    assert os.readlink(link) == target.format(top=tmp_path)
    assert file.KIND.plan_removal(node(), WANT) == ()


@pytest.mark.system
@pytest.mark.usefixtures("mounts")
def test_a_bind_mounted_directory_is_held(node: Callable[[], Host], tmp_path: Path) -> None:
    """What the refusal of a symlink advises does work."""
    (tmp_path / "root/etc/kubernetes").mkdir()
    run("/usr/bin/mount", "--bind", str(tmp_path / "data"), str(tmp_path / "root/etc/kubernetes"))

    converge(file.KIND, node(), WANT)

    assert (tmp_path / "data/a.conf").read_bytes() == b"declared\n"


@pytest.mark.system
@pytest.mark.usefixtures("mounts")
def test_a_bind_mounted_file_is_refused_and_stays(node: Callable[[], Host], tmp_path: Path) -> None:
    place = tmp_path / "root/etc/kubernetes/a.conf"
    place.parent.mkdir()
    place.touch()
    run("/usr/bin/mount", "--bind", str(tmp_path / "data/a.conf"), str(place))
    host = node()

    for change in file.KIND.plan(host, WANT):
        with pytest.raises(HostError, match=r"it is a mount point .* unmount it, or change it"):
            file.KIND.apply(host, change)  # type: ignore[arg-type]

    assert place.read_bytes() == OWN
    assert os.listdir(place.parent) == ["a.conf"]
