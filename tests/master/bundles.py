"""Libraries and bundles for tests: contents of a few bytes that are what their entries say."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from saltern_master.bundle.bring import bring
from saltern_master.bundle.create import create, plan
from saltern_master.bundle.layout import header, padding
from saltern_master.bundle.manifest import BundleError, Manifest
from saltern_master.bundle.needs import Contents, contents_of
from saltern_master.bundle.reading import faults_of, opened
from saltern_master.bundle.signers import named_signer
from saltern_master.cluster.load import load
from saltern_master.compile.cluster import PACKAGES
from saltern_master.compile.facts import Facts
from saltern_master.library import Binary, Deb, Image, Library, Release
from saltern_protocol.keys import PrivateKey, generate

KEY = PrivateKey.from_seed(b"k" * 32)
OTHER = PrivateKey.from_seed(b"o" * 32)
OWN = b"a content of a person's own"
OWN_RESOURCE = f"""\
resources:
- id: tool
  spec: {{kind: artifact/1, path: /usr/local/bin/tool, sha256: {hashlib.sha256(OWN).hexdigest()}}}
"""
IMAGES = (
    "saltern/pause:3.2",
    "saltern/echo:1",
    "saltern/etcd:3.4.23",
    "saltern/kube-apiserver:v1.20.2",
    "saltern/kube-controller-manager:v1.20.2",
    "saltern/kube-scheduler:v1.20.2",
    "strange/unwanted:1",
)
COMPONENTS = ("kubelet", "kube-proxy", "kubectl", "kube-apiserver")


def nothing(_: int) -> None:
    """Hear of progress."""


def made_library(home: Path) -> Library:
    """Make a library with more than any of the cluster files needs."""
    library = Library(home)
    for component in COMPONENTS:
        data = f"the program {component}".encode()
        library.add_binary(
            Binary(
                version="1.20.2",
                component=component,
                architecture="amd64",
                sha256=library.add_bytes(data),
                size=len(data),
                origin="directory",
            )
        )
    for name in IMAGES:
        data = f"the image {name}".encode() * 100
        sha256 = library.add_bytes(data)
        config = hashlib.sha256(name.encode()).hexdigest()
        library.add_image(
            Image(name=name, config_digest=config, archive_sha256=sha256, size=len(data))
        )
    for name in (*PACKAGES, "unwanted"):
        add_packages(library, name, "1.0")
    library.add_bytes(OWN)
    return library


def add_packages(library: Library, name: str, version: str) -> None:
    """Add a closure of a package and a library that others need too; kmod's is empty."""
    debs = []
    for package in () if name == "kmod" else (name, "libshared"):
        path = library.home.parent / f"{package}_{version}.deb"
        path.write_bytes(f"the package {package} {version}".encode())
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        size = path.stat().st_size
        deb = Deb(package=package, version=version, architecture="amd64", sha256=sha256, size=size)
        debs.append((deb, path))
    library.add_package_set(name, debs)


def chosen(library: Library, text: str, facts: Mapping[str, Facts] | None = None) -> Contents:
    return contents_of(load(text.encode()), facts or {}, library.list(), library.has)


def add_release(library: Library, version: str, python: str) -> Release:
    """Add a release of the agent."""
    file = library.home.parent / f"agent-{version}-{python}"
    file.write_text(file.name)
    release = Release(
        version=version,
        package=f"{version}-1~py{python.replace('.', '')}",
        python=python,
        architecture="amd64",
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        size=file.stat().st_size,
    )
    return library.add_release(release, file)


def bundle_of(
    library: Library,
    text: str,
    file: Path,
    keys: Sequence[PrivateKey] = (KEY,),
    agents: Sequence[Path] = (),
) -> Manifest:
    """Make a bundle of a cluster file."""
    name = load(text.encode()).cluster.cluster.name
    planned = plan(name, text.encode(), chosen(library, text), agents, library)
    create(planned, keys, file, nothing)
    return planned.manifest


def wrong(file: Path, key: PrivateKey = KEY) -> tuple[str, ...]:
    """Give all that is wrong with a bundle; BundleError where nothing can be said of it."""
    with opened(file) as bundle:
        faults = faults_of(bundle, nothing)
        named_signer(bundle.signed, [key.public.fingerprint])
        return faults


def places(file: Path) -> dict[str, tuple[int, int]]:
    """Give where each member's header is, and its content's size, as a tar has them."""
    data, at, found = file.read_bytes(), 0, {}
    while data[at : at + 1] != b"\0":
        name = data[at : at + 100].rstrip(b"\0").decode()
        size = int(data[at + 124 : at + 135], 8)
        found[name] = (at, size)
        at += 512 + size + padding(size)
    found["end"] = (at, len(data) - at)
    return found


def member(name: str, content: bytes) -> bytes:
    """Give a member as a bundle would have it."""
    return header(name, len(content)) + content + bytes(padding(len(content)))


def other_key(number: int) -> PrivateKey:
    return generate(lambda size: bytes([number]) * size)


def told(path: Path) -> str:
    """Give all that is told of a bundle; "" where it is taken."""
    try:
        return "\n".join(wrong(path))
    except BundleError as error:
        return str(error)


def refused(path: Path) -> str:
    """Make sure that a bundle is not taken by anything; give what is told."""
    found = told(path)
    assert found
    home = path.parent / "importing"
    with pytest.raises(BundleError), opened(path) as bundle:
        bring(bundle, Library(home), nothing)
    assert not home.exists()
    return found
