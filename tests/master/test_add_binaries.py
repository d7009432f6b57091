"""Programs come in from a release or a directory, checked; what is wrong is told and left out."""

from __future__ import annotations

import hashlib
import platform
import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from saltern_master.binaries.add import AddBinaries
from saltern_master.binaries.build_tools import Steps
from saltern_master.binaries.components import COMPONENTS, BinaryError, version_answer
from saltern_master.binaries.elf import elf_architecture
from saltern_master.library import Index, Library

from tests.master.programs import printing, program

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the programs that these tests run are x86-64"
)
KUBECTL = '{"clientVersion": {"major": "1", "gitVersion": "v1.20.2"}}'


class Site(ThreadingHTTPServer):
    """A download site on loopback; `asked` is what was asked for."""

    def __init__(self, files: Path) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(files)))
        self.files = files

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def publish(self, component: str, content: bytes, checksum: str | None = None) -> None:
        path = self.files / "v1.20.2/bin/linux/amd64" / component
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        published = hashlib.sha512(content).hexdigest() if checksum is None else checksum
        path.with_name(f"{component}.sha512").write_text(published)


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        assert isinstance(self.server, Site)
        self.server.asked.append(self.path)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "site").mkdir()
    with Site(tmp_path / "site") as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "home")


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def adding(library: Library, said: list[str]) -> AddBinaries:
    return AddBinaries(library, Steps(said.append))


def test_a_release_is_downloaded_checked_and_named(
    adding: AddBinaries, library: Library, site: Site
) -> None:
    content = printing("Kubernetes v1.20.2\n")
    site.publish("kubelet", content)
    [binary] = adding.from_release("1.20.2", ["kubelet"], "amd64", site.url)

    assert library.binary("1.20.2", "kubelet") == binary
    assert (binary.origin, binary.size) == ("release", len(content))
    assert library.path(binary.sha256).read_bytes() == content
    assert sorted(path.name for path in library.home.iterdir()) == [
        ".library.lock",
        "blobs",
        "library.json",
    ]


def test_adding_again_brings_only_what_is_not_there(
    adding: AddBinaries, library: Library, site: Site
) -> None:
    site.publish("kubelet", printing("Kubernetes v1.20.2\n"))
    site.publish("kubectl", printing(KUBECTL))
    [kubelet] = adding.from_release("1.20.2", ["kubelet"], "amd64", site.url)
    site.asked.clear()
    adding.from_release("1.20.2", ["kubelet", "kubectl"], "amd64", site.url)
    assert {Path(path).stem for path in site.asked} == {"kubectl"}

    library.path(kubelet.sha256).unlink()
    adding.from_release("1.20.2", ["kubelet"], "amd64", site.url)

    assert library.path(kubelet.sha256).is_file()


@pytest.mark.parametrize(
    ("content", "checksum", "error"),
    [
        pytest.param("Kubernetes v1.20.2\n", "0" * 128, "its SHA-512 is", id="wrong checksum"),
        pytest.param("Kubernetes v1.20.2\n", "<html>", "no SHA-512 in '<html>'", id="no checksum"),
        pytest.param("Kubernetes v1.20.1\n", None, "it says version 1.20.1", id="wrong version"),
        pytest.param("Hello\n", None, "it says 'Hello'", id="another program"),
    ],
)
def test_a_release_that_is_not_what_it_should_be_is_refused(
    adding: AddBinaries,
    library: Library,
    site: Site,
    content: str,
    checksum: str | None,
    error: str,
) -> None:
    site.publish("kubelet", printing(content), checksum)
    with pytest.raises(BinaryError, match=error):
        adding.from_release("1.20.2", ["kubelet"], "amd64", site.url)

    assert library.list() == Index()
    assert list(library.home.iterdir()) == []


def test_a_program_for_another_machine_is_refused(adding: AddBinaries, site: Site) -> None:
    site.publish("kubelet", printing("Kubernetes v1.20.2\n", machine=183))
    with pytest.raises(BinaryError, match="it is made for arm64, wanted is amd64"):
        adding.from_release("1.20.2", ["kubelet"], "amd64", site.url)


def test_a_release_that_is_not_published_is_named(adding: AddBinaries, site: Site) -> None:
    with pytest.raises(BinaryError, match=r"cannot find .*404; is there a release 1\.99\.9"):
        adding.from_release("1.99.9", ["kubelet"], "amd64", site.url)


def test_without_the_internet_it_says_what_to_do(adding: AddBinaries) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, and nobody listens
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(BinaryError, match=r"cannot download .*--from DIR.*--build"):
            adding.from_release("1.20.2", ["kubelet"], "amd64", url)


def test_a_directory_gives_what_it_has(
    adding: AddBinaries, library: Library, tmp_path: Path
) -> None:
    kubelet = program(tmp_path / "kubelet", "Kubernetes v1.20.2\n")
    program(tmp_path / "kubectl", KUBECTL)
    added = adding.from_directory("1.20.2", [], tmp_path)

    assert [binary.component for binary in added] == ["kubelet", "kubectl"]
    assert not library.path(added[0].sha256).samefile(kubelet)  # it is not ours: somebody may write


def test_all_that_is_wrong_in_a_directory_is_said_at_once(
    adding: AddBinaries, library: Library, tmp_path: Path
) -> None:
    program(tmp_path / "kubelet", "Kubernetes v1.20.2\n")
    program(tmp_path / "kube-proxy", "Kubernetes v1.19.7\n")
    (tmp_path / "kube-apiserver").write_text("#!/bin/sh\necho Kubernetes v1.20.2\n")
    with pytest.raises(BinaryError) as caught:
        adding.from_directory("1.20.2", [], tmp_path)

    assert str(caught.value).splitlines() == [
        f"cannot use {tmp_path}/kube-proxy as kube-proxy 1.20.2: it says version 1.19.7",
        f"cannot use {tmp_path}/kube-apiserver: it is no ELF program; it begins b'#!/b'",
    ]
    assert library.list() == Index()


def test_a_component_that_was_asked_for_must_be_there(adding: AddBinaries, tmp_path: Path) -> None:
    with pytest.raises(BinaryError, match=r"cannot read .*kubelet: No such file"):
        adding.from_directory("1.20.2", ["kubelet"], tmp_path)
    with pytest.raises(BinaryError, match="cannot find a program in"):
        adding.from_directory("1.20.2", [], tmp_path)


@pytest.mark.parametrize("version", ["v1.20.2", "1.20", "1.20.2\n", "../1.20.2", ""])
def test_a_version_is_three_numbers(adding: AddBinaries, version: str, tmp_path: Path) -> None:
    with pytest.raises(BinaryError, match=r"write it as 1\.20\.2"):
        adding.from_directory(version, [], tmp_path)


def test_unknown_components_are_all_named(adding: AddBinaries, tmp_path: Path) -> None:
    with pytest.raises(BinaryError, match="cannot tell what etcd, kublet is; known are kubelet"):
        adding.from_directory("1.20.2", ["kublet", "kubelet", "etcd"], tmp_path)


@pytest.mark.parametrize(
    ("component", "said", "version"),
    [
        ("kubelet", "Kubernetes v1.20.2\n", "1.20.2"),
        ("kubelet", "Kubernetes v1.20.2+k3s1\n", "1.20.2+k3s1"),
        ("kubelet", "Kubernetes v1.20.2 Kubernetes v1.20.2\n", None),
        ("kubelet", "", None),
        ("kubectl", KUBECTL, "1.20.2"),
        ("kubectl", "Kubernetes v1.20.2\n", None),
        ("kubectl", "{}", None),
    ],
)
def test_version_answer(component: str, said: str, version: str | None) -> None:
    assert version_answer(component, said) == version


@pytest.mark.parametrize("header", [b"", b"\x7fELF", b"\x7fELF\x01\x01" + bytes(20), bytes(64)])
def test_what_is_no_64_bit_program_is_refused(header: bytes) -> None:
    with pytest.raises(BinaryError, match="cannot use it"):
        elf_architecture(header, "it")


def test_the_kubelet_comes_first() -> None:
    assert COMPONENTS[0] == "kubelet"
