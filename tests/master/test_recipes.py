"""The control plane's images: what is made of a library, and what an image of a program holds."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from saltern_master.binaries.check import host_architecture
from saltern_master.binaries.validate_cluster import wanted
from saltern_master.images.archive import read_image
from saltern_master.images.etcd import loaded, upstream
from saltern_master.images.kubernetes import add_kubernetes_image, programs
from saltern_master.images.recipes import choose
from saltern_master.images.tree import ImageError
from saltern_master.library import Binary, Library

from tests.master.programs import printing, program


def silent(_line: str) -> None:
    return None


def library(home: Path, *components: str, version: str = "1.20.2") -> Library:
    made = Library(home)
    for component in components:
        path = program(home / component, f"Kubernetes v{version} {component}\n")
        made.add_binary(
            Binary(
                version=version,
                component=component,
                architecture=host_architecture(),
                sha256=made.add_blob(path),
                size=path.stat().st_size,
                origin="directory",
            )
        )
    return made


def test_an_image_holds_its_program_and_nothing_else(tmp_path: Path) -> None:
    stock = library(tmp_path, "kubelet", "kube-scheduler")
    [binary] = programs(stock)

    image = add_kubernetes_image(stock, binary)

    assert image.name == "saltern/kube-scheduler:v1.20.2"
    assert stock.image(image.name) == image
    archive = stock.path(image.archive_sha256)
    assert read_image(archive) == image
    with tarfile.open(archive) as parts:
        layer = max(parts, key=lambda part: part.size)
        content = parts.extractfile(layer)
        assert content is not None
        with tarfile.open(fileobj=io.BytesIO(content.read())) as files:
            [only] = files
            held = files.extractfile(only)
            assert held is not None
            assert (only.name, only.mode) == ("kube-scheduler", 0o755)
            assert held.read() == printing("Kubernetes v1.20.2 kube-scheduler\n")


@pytest.mark.parametrize(
    ("components", "names", "chosen"),
    [
        ((), (), ["pause", "echo", "ask"]),
        (("kubelet", "kube-proxy"), (), ["pause", "echo", "ask"]),
        (
            ("kube-apiserver", "kube-scheduler"),
            (),
            ["pause", "echo", "ask", "kube-apiserver", "kube-scheduler", "etcd"],
        ),
        (("kube-scheduler",), (), ["pause", "echo", "ask", "kube-scheduler"]),
        (("kube-apiserver",), ("etcd", "pause"), ["pause", "etcd"]),
        ((), ("etcd",), ["etcd"]),
    ],
)
def test_what_is_made(
    tmp_path: Path, components: tuple[str, ...], names: tuple[str, ...], chosen: list[str]
) -> None:
    found = choose(names, library(tmp_path, *components), silent)

    assert [one.program for one in found] == chosen


def test_all_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(ImageError) as caught:
        choose(["nginx", "kube-scheduler", "pause"], library(tmp_path), silent)

    assert str(caught.value) == (
        "cannot make an image of kube-scheduler: the library has none; "
        "run: saltern binaries add; nor of nginx; known are pause, echo, ask, etcd, "
        "kube-apiserver, kube-controller-manager, kube-scheduler"
    )


@pytest.mark.parametrize(
    ("version", "own"),
    [("3.4.23-4+b4", "3.4.23"), ("1:3.5.30+ds-1", "3.5.30"), ("3.4.23", "3.4.23")],
)
def test_a_program_has_a_version_of_its_own(version: str, own: str) -> None:
    assert upstream(version) == own


def test_what_is_no_version_is_told() -> None:
    with pytest.raises(ImageError, match="cannot read 'latest' as the version"):
        upstream("latest")


def test_a_loader_names_what_it_loads() -> None:
    said = (
        "\tlinux-vdso.so.1 (0x00007f118dd5a000)\n"
        "\tlibc.so.6 => /t/lib/x86_64-linux-gnu/libc.so.6 (0x00007f118db67000)\n"
        "\t/lib64/ld-linux-x86-64.so.2 => /t/ld-2.36.so (0x00007f118dd5c000)\n"
    )
    assert loaded(said) == ("/t/lib/x86_64-linux-gnu/libc.so.6", "/t/ld-2.36.so")
    with pytest.raises(ImageError, match=r"nothing brings libodd\.so\.1"):
        loaded(f"{said}\tlibodd.so.1 => not found\n")


def test_the_scripts_of_a_source_tree_are_chosen() -> None:
    names = (
        "kubernetes-1.20.2/cluster/validate-cluster.sh",
        "kubernetes-1.20.2/cluster/skeleton/util.sh",
        "kubernetes-1.20.2/cluster/gce/util.sh",
        "kubernetes-1.20.2/cluster/OWNERS",
        "kubernetes-1.20.2/hack/lib/util.sh",
        "kubernetes-1.20.2/hack/update.sh",
    )
    assert sorted(wanted(names).values()) == [
        "cluster/skeleton/util.sh",
        "cluster/validate-cluster.sh",
        "hack/lib/util.sh",
    ]
