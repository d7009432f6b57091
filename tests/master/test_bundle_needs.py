"""What a bundle holds: what the real compile puts into bodies, or all that lacks is told."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from saltern_master.bundle.manifest import BundleError, Entry, entries
from saltern_master.bundle.needs import contents_of
from saltern_master.cluster.faults import ClusterFileError
from saltern_master.cluster.load import load
from saltern_master.compile.facts import Facts
from saltern_master.library import Index, Library
from saltern_master.library.values import contents

from tests.master.bundles import (
    OWN,
    OWN_RESOURCE,
    add_release,
    chosen,
    made_library,
)
from tests.master.clusters import CONTROLLED, FULL, SMALL
from tests.master.test_compile import compiled

ALL = {"small": SMALL, "full": FULL, "controlled": CONTROLLED, "own": SMALL + OWN_RESOURCE}
EACH = pytest.mark.parametrize("text", ALL.values(), ids=ALL)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return made_library(tmp_path / "home")


def images(index: Index) -> set[str]:
    return {image.name.partition(":")[0].removeprefix("saltern/") for image in index.images}


def programs(index: Index) -> set[str]:
    return {binary.component for binary in index.binaries}


def test_a_bundle_holds_what_the_cluster_file_needs_and_no_more(library: Library) -> None:
    small, controlled = chosen(library, SMALL), chosen(library, CONTROLLED)
    assert (programs(small.stock), images(small.stock)) == ({"kubelet"}, {"pause"})
    assert programs(controlled.stock) == {"kubelet", "kube-proxy"}
    assert images(controlled.stock) == {
        "pause", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler",
    }  # fmt: skip
    assert images(chosen(library, FULL).stock) == {"pause", "echo"}
    assert "unwanted" not in {one.name for one in controlled.stock.packages}
    assert chosen(library, SMALL + OWN_RESOURCE).own == (hashlib.sha256(OWN).hexdigest(),)
    assert controlled.own == small.own == ()


@EACH
def test_every_blob_of_every_body_comes_along_and_nothing_else(library: Library, text: str) -> None:
    found = chosen(library, text)
    bodies = compiled(text, stock=library.list())
    secret = {"e1" * 32}  # sealed to the node by the master that applies the file
    blobs = {blob for one in bodies.nodes for blob in one.body.blobs} - secret
    assert contents(found.stock) | set(found.own) == blobs
    again = compiled(text, stock=found.stock)
    assert [one.body for one in again.nodes] == [one.body for one in bodies.nodes]
    assert not [note for note in again.notes if "library" in note or "repositories" in note]


def test_all_that_lacks_is_told_at_once_with_what_brings_it(tmp_path: Path) -> None:
    nothing_there = Library(tmp_path)
    with pytest.raises(BundleError) as caught:
        chosen(nothing_there, CONTROLLED + OWN_RESOURCE)
    told = caught.value.reasons
    own = hashlib.sha256(OWN).hexdigest()
    assert set(told) == {
        "kubelet 1.20.2 for amd64; run: saltern binaries add 1.20.2 --component kubelet",
        "kube-proxy 1.20.2 for amd64; run: saltern binaries add 1.20.2 --component kube-proxy",
        *(
            f"image saltern/{name}:v1.20.2; run: saltern binaries add 1.20.2 --component {name}, "
            f"then: saltern images add {name}"
            for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
        ),
        "image saltern/pause:3.2; run: saltern images add pause",
        "image saltern/etcd:3.4.23; run: saltern images add etcd",
        "packages conntrack docker.io ebtables ethtool iptables kmod socat; run: saltern packages "
        "add conntrack docker.io ebtables ethtool iptables kmod socat --base STATUS, the file "
        "/var/lib/dpkg/status of a bare node",
        f"content {own} of tool; run: saltern blobs add FILE",
    }  # fmt: skip


@EACH
def test_each_thing_that_is_taken_from_the_library_is_missed(library: Library, text: str) -> None:
    found, index = chosen(library, text).stock, library.list()
    for field in ("binaries", "images", "packages"):
        for entry in getattr(found, field):
            rest = tuple(one for one in getattr(index, field) if one != entry)
            without = msgspec.structs.replace(index, **{field: rest})
            with pytest.raises(BundleError) as caught:
                contents_of(load(text.encode()), {}, without, library.has)
            name = getattr(entry, "component", "") or entry.name
            assert len(caught.value.reasons) == 1
            assert name in caught.value.reasons[0]


def test_images_of_programs_and_of_others_are_brought_otherwise(library: Library) -> None:
    index = msgspec.structs.replace(library.list(), images=())
    text = CONTROLLED.replace("cp1", "w0") + "- {match: 'name=*', images: ['example/shop:2']}\n"
    with pytest.raises(BundleError) as caught:
        contents_of(load(text.encode()), {}, index, library.has)
    told = set(caught.value.reasons)
    assert "image saltern/kube-apiserver:v1.20.2; run: saltern images add kube-apiserver" in told
    shop = "run: saltern images add --archive FILE, an archive of docker save"
    assert f"image example/shop:2; {shop}" in told


def test_a_content_that_is_gone_from_the_disk_is_missed(library: Library) -> None:
    found = chosen(library, FULL + "")
    for sha256 in (found.stock.binaries[0].sha256, found.stock.images[0].archive_sha256):
        library.path(sha256).unlink()
    with pytest.raises(BundleError) as caught:
        chosen(library, FULL)
    assert [reason.partition(";")[0] for reason in caught.value.reasons] == [
        "the content of kubelet",
        "the content of image saltern/echo:1",
    ]


def test_programs_are_those_of_the_nodes_machines(library: Library) -> None:
    with pytest.raises(BundleError, match=r"kubelet 1\.20\.2 for arm64") as caught:
        chosen(library, SMALL, {"w1": Facts(architecture="aarch64")})
    assert len(caught.value.reasons) == 1


def test_what_is_wrong_in_the_cluster_file_is_told_as_such(tmp_path: Path) -> None:
    text = SMALL + "resources: [{id: a, spec: {kind: directory/1, path: /x}, after: [nobody]}]\n"
    with pytest.raises(ClusterFileError, match="nobody"):
        chosen(Library(tmp_path), text)


RELEASE = "agent: {version: 0.2.0}\n"


def test_releases_of_the_agent_that_nodes_may_need_come_along(library: Library) -> None:
    add_release(library, "0.1.0", "3.11")
    ours = [add_release(library, "0.2.0", python) for python in ("3.11", "3.13")]
    assert list(chosen(library, SMALL + RELEASE).stock.releases) == ours  # it told no Python yet
    known = chosen(library, SMALL + RELEASE, {"w1": Facts(python="3.13.5")})
    assert known.stock.releases == (ours[1],)
    assert chosen(library, SMALL).stock.releases == ()
    group = "groups: [{match: 'name=w1', agent: {version: 0.1.0}}]\n"
    assert [one.version for one in chosen(library, SMALL + RELEASE + group).stock.releases] == [
        "0.1.0"
    ]
    with pytest.raises(BundleError) as caught:
        chosen(library, SMALL + RELEASE.replace("0.2", "0.3"), {"w1": Facts(python="3.13.5")})
    assert caught.value.reasons == (
        "agent 0.3.0 for Python 3.13 on amd64; run: saltern releases add FILE.deb",
    )


def test_a_cluster_of_bare_nodes_needs_what_it_names(library: Library) -> None:
    text = SMALL.replace("10.9.0.21}", "10.9.0.21, roles: [bare]}") + OWN_RESOURCE
    found = contents_of(load(text.encode()), {}, library.list(), library.has, ("kubectl",))
    assert programs(found.stock) == {"kubectl"}
    assert (found.stock.images, found.stock.packages) == ((), ())
    assert found.own == (hashlib.sha256(OWN).hexdigest(),)


def test_a_package_that_nodes_take_from_elsewhere_is_noted(library: Library) -> None:
    text = SMALL + "resources: [{id: vim, spec: {kind: package/1, name: vim}}]\n"
    (note,) = chosen(library, text).notes
    assert note.startswith("vim: the nodes take package vim from repositories of their own")


@given(st.data())
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_lacks_all_of_it_is_told_and_nothing_else(
    library: Library, data: st.DataObject
) -> None:
    """The law: told is what was taken away and is needed; where that is nothing, nothing lacks."""
    text = data.draw(st.sampled_from([SMALL, FULL, CONTROLLED]))
    index = library.list()
    every = list(entries(index))
    gone = [one for one in every if data.draw(st.booleans(), label=str(one))]
    rest = msgspec.structs.replace(
        index,
        binaries=tuple(one for one in index.binaries if not _among(one, gone)),
        images=tuple(one for one in index.images if not _among(one, gone)),
        packages=tuple(one for one in index.packages if not _among(one, gone)),
    )
    needed = [str(one) for one in entries(chosen(library, text).stock)]
    told = ""
    try:
        found = contents_of(load(text.encode()), {}, rest, library.has).stock
        assert [str(one) for one in entries(found)] == needed
    except BundleError as error:
        told = "\n".join(error.reasons)
    for one in every:
        assert _is_told(one, told) == (one in gone and str(one) in needed), (str(one), told)


def _among(value: object, gone: list[Entry]) -> bool:
    return any(value is one.value for one in gone)


def _is_told(one: Entry, told: str) -> bool:
    """Look for an entry as it is told to lack, not as a step of bringing another one."""
    lacking = [line.partition("; run:")[0] for line in told.splitlines()]
    if one.kind == "binary":
        return f"{one.name.split()[0]} 1.20.2 for amd64" in lacking
    if one.kind == "image":
        return f"image {one.name}" in lacking
    return any(one.name in line.split()[1:] for line in lacking if line.startswith("packages "))
