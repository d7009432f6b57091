"""What import brings: all or nothing, again and again, and what apply makes of it afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from saltern_master.api.service import ServiceError
from saltern_master.bundle.bring import Row, bring, cluster_file, save
from saltern_master.bundle.manifest import BundleError
from saltern_master.bundle.reading import faults_of, opened
from saltern_master.library import Library
from saltern_master.library.blobs import hash_file
from saltern_master.library.values import contents
from saltern_master.signing.home import Home
from saltern_master.signing.init import init
from saltern_protocol.messages import Doc
from saltern_states.body import read_body

from tests.master.bundles import (
    OWN_RESOURCE,
    add_packages,
    add_release,
    bundle_of,
    made_library,
    member,
    nothing,
    places,
)
from tests.master.clusters import CONTROLLED, SMALL
from tests.master.core_laws import run
from tests.master.core_stand import Stand
from tests.master.homes import NOW, Chance

TEXT = CONTROLLED + OWN_RESOURCE.replace("/usr/local/bin/tool", "/etc/kubernetes/tool")
AGENT = "saltern-agent_0.1.0-1~deb12_amd64.deb"


class Stopped(Exception):  # noqa: N818 - it stands for a power cut
    """Somebody pulled the plug."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    agent = tmp_path / AGENT
    agent.write_text("an agent")
    bundle_of(made_library(tmp_path / "maker"), TEXT, tmp_path / "file", agents=[agent])
    return tmp_path / "file"


def brought(file: Path, home: Path) -> tuple[Row, ...]:
    with opened(file) as bundle:
        return bring(bundle, Library(home), nothing)


def came(rows: tuple[Row, ...]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row.came, set()).add(row.name)
    return found


def whole(library: Library) -> bool:
    """Tell whether all that the index names is there and is what it says."""
    return all(hash_file(library.path(one)) == one for one in contents(library.list()))


def tree(path: Path) -> dict[str, bytes]:
    return {
        str(one.relative_to(path)): one.read_bytes()
        for one in path.rglob("*")
        if one.is_file() and "lock" not in one.name
    }


def test_what_was_made_comes_in_and_a_second_time_it_is_here(file: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = brought(file, home)
    after = tree(home)
    again = brought(file, home)
    assert set(came(first)) == {"new"}
    assert came(again) == {"here": came(first)["new"]}
    assert tree(home) == after
    assert whole(Library(home))
    with opened(file) as bundle:
        assert Library(home).list() == bundle.manifest.stock
        assert cluster_file(bundle) == TEXT.encode()
        assert {one.name for one in (home / "blobs").iterdir()} - {".lock"} == {
            part.sha256 for part in bundle.manifest.parts
        }


def test_it_comes_beside_what_is_there_and_in_place_of_what_has_its_name(
    file: Path, tmp_path: Path
) -> None:
    library = made_library(tmp_path / "home")
    add_packages(library, "docker.io", "0.9")
    rows = brought(file, library.home)
    assert came(rows)["replaced"] == {"docker.io"}
    assert came(rows)["new"] == {AGENT}
    assert [deb.version for deb in library.packages("docker.io")] == ["1.0", "1.0"]
    assert "strange/unwanted:1" in {image.name for image in library.list().images}


def test_what_is_damaged_or_gone_is_mended(file: Path, tmp_path: Path) -> None:
    library = Library(tmp_path / "home")
    brought(file, library.home)
    kubelet = library.path(library.binary("1.20.2", "kubelet").sha256)
    kubelet.chmod(0o644)
    kubelet.write_bytes(kubelet.read_bytes()[::-1])
    library.path(library.image("saltern/pause:3.2").archive_sha256).unlink()
    rows = brought(file, library.home)
    assert came(rows)["mended"] == {"kubelet 1.20.2 amd64", "saltern/pause:3.2"}
    assert whole(library)


def stops(at: int) -> Iterator[None]:
    """Be stopped after so many signs of progress."""
    for _ in range(at):
        yield
    raise Stopped


def test_stopped_anywhere_it_brings_nothing_and_goes_on(file: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    library = made_library(tmp_path / "home")
    before = library.list()
    kept = library.path(library.binary("1.20.2", "kubelet").sha256)
    kept.unlink()  # so that something lacks
    found = 0
    for at in range(1000):
        stop = stops(at)
        try:
            with opened(file) as bundle:
                bring(bundle, library, lambda _, stop=stop: next(stop))  # type: ignore[misc]
        except Stopped:
            assert library.list() == before
            found = at
        else:
            break
    with opened(file) as bundle:
        assert found >= len(bundle.manifest.parts)
    assert whole(library)
    assert [one for one in (home / "blobs").iterdir() if one.name.startswith(".adding")] == []


def test_killed_it_leaves_no_half_library(file: Path, tmp_path: Path) -> None:
    """A real kill, at each quarter of the way; whoever comes next sweeps and goes on."""
    home = tmp_path / "home"
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from saltern_master.bundle.bring import bring\n"
        "from saltern_master.bundle.reading import opened\n"
        "from saltern_master.library import Library\n"
        "left = int(sys.argv[3])\n"
        "def progress(_):\n"
        "    global left\n"
        "    left -= 1\n"
        "    if left < 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "with opened(Path(sys.argv[1])) as bundle:\n"
        "    bring(bundle, Library(Path(sys.argv[2])), progress)\n"
    )
    with opened(file) as bundle:
        steps = 2 * len(bundle.manifest.parts) + 1  # the cluster file is compared too
    for left in range(1, steps, steps // 4):
        command = [sys.executable, "-c", program, str(file), str(home), str(left)]
        done = subprocess.run(command, capture_output=True, timeout=30)
        assert done.returncode == -signal.SIGKILL
        assert Library(home).list().binaries == ()
    rows = brought(file, home)
    assert {row.came for row in rows if row.kind in ("binary", "image", "packages")} == {"new"}
    assert whole(Library(home))
    assert [one for one in (home / "blobs").iterdir() if one.name.startswith(".adding")] == []


def test_a_file_that_changes_meanwhile_brings_nothing_false(file: Path, tmp_path: Path) -> None:
    library = Library(tmp_path / "home")
    at, _ = places(file)[
        f"blobs/{made_library(tmp_path / 'maker').binary('1.20.2', 'kubelet').sha256}"
    ]
    with opened(file) as bundle:
        left = len(bundle.manifest.parts) + 1

        def change(_: int) -> None:
            nonlocal left
            left -= 1
            if left == 0:  # all was compared
                with file.open("r+b") as hurt:
                    hurt.seek(at + 512)
                    hurt.write(b"#!/bin/evil")

        with pytest.raises(Exception, match="its SHA-256 is"):
            bring(bundle, library, change)
    assert library.list().binaries == ()
    assert whole(library)


def test_a_hurt_bundle_makes_no_directory(file: Path, tmp_path: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-2000] ^= 1
    file.write_bytes(data)
    with pytest.raises(BundleError, match="nothing of it was taken in"):
        brought(file, tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_the_index_is_checked_before_it_is_written(tmp_path: Path) -> None:
    library = made_library(tmp_path / "home")
    other = made_library(tmp_path / "other")
    image = other.list().images[0]
    gone = msgspec.structs.replace(image, archive_sha256="0" * 64)
    before = library.list()
    with pytest.raises(Exception, match="cannot find blob"):
        library.merge(msgspec.structs.replace(before, images=(gone,)))
    assert library.list() == before
    assert library.merge(other.list()) == before


def test_packages_of_ours_are_saved_as_they_came(file: Path, tmp_path: Path) -> None:
    brought(file, tmp_path / "home")
    library = Library(tmp_path / "home")
    with opened(file) as bundle:
        (tmp_path / "to").mkdir()
        text, path = save(bundle, library, tmp_path / "to")
        assert (text.read_text(), path.read_text()) == (TEXT, "an agent")
        with pytest.raises(BundleError, match="is not overwritten"):
            list(save(bundle, library, tmp_path / "to"))


def test_a_cluster_file_that_changes_meanwhile_is_not_saved(file: Path, tmp_path: Path) -> None:
    brought(file, tmp_path / "home")
    at, _ = places(file)["cluster.yaml"]
    (tmp_path / "to").mkdir()
    with opened(file) as bundle:
        assert faults_of(bundle, nothing) == ()
        with file.open("r+b") as hurt:
            hurt.seek(at + 512)
            hurt.write(b"another")
        with pytest.raises(BundleError, match="it changed"):
            list(save(bundle, Library(tmp_path / "home"), tmp_path / "to"))
    assert list((tmp_path / "to").iterdir()) == []


def test_two_packages_of_one_name_and_other_contents_are_refused(tmp_path: Path) -> None:
    maker = made_library(tmp_path / "maker")
    add_release(maker, "0.2.0", "3.13")
    other = tmp_path / "saltern-agent_0.2.0-1~py313_amd64.deb"
    other.write_text("another one")
    text = SMALL + "agent: {version: 0.2.0}\n"
    with pytest.raises(BundleError, match="two packages of other contents have this name"):
        bundle_of(maker, text, tmp_path / "file", agents=[other])
    assert not (tmp_path / "file").exists()


def test_a_release_comes_with_its_name(tmp_path: Path) -> None:
    maker = made_library(tmp_path / "maker")
    release = add_release(maker, "0.2.0", "3.13")
    bundle_of(maker, SMALL + "agent: {version: 0.2.0}\n", tmp_path / "file")
    rows = brought(tmp_path / "file", tmp_path / "home")
    library = Library(tmp_path / "home")
    assert library.list().releases == (release,)
    assert "agent 0.2.0 python3.13 amd64" in came(rows)["new"]
    with opened(tmp_path / "file") as bundle:
        _, path = save(bundle, library, tmp_path)
    assert path.name == "saltern-agent_0.2.0-1~py313_amd64.deb"
    assert hash_file(path) == release.sha256


def air_gapped(tmp_path: Path) -> Home:
    """Make a master that has nothing."""
    home = Home(tmp_path / "home")
    init(home, "demo", NOW, Chance())
    return home


def test_a_master_that_has_nothing_applies_the_file_after_import(
    file: Path, tmp_path: Path
) -> None:
    home = air_gapped(tmp_path)

    async def law(stand: Stand) -> None:
        (cp1,) = await stand.joined("cp1", node_class="control-plane")
        w1, w2 = await stand.joined("w1", "w2")
        with pytest.raises(ServiceError) as caught:
            await stand.service.apply(TEXT.encode())
        assert any("binaries add" in fault for fault in caught.value.faults)
        brought(file, home.path)
        await stand.service.apply(TEXT.encode())
        library, wanted = Library(home.path), set[str]()
        for node in (cp1, w1, w2):
            doc = await node.fetch()
            assert isinstance(doc, Doc)
            body = read_body(library.path(body_of(doc)).read_bytes())
            wanted |= body.blobs
            assert all(hash_file(library.path(one)) == one for one in body.blobs)
        with opened(file) as bundle:
            parts = {part.sha256 for part in bundle.manifest.parts}
            agents = {agent.sha256 for agent in bundle.manifest.agents}
        # nothing is there for no node, and beside it only the sealed key that this master made
        assert parts - agents <= wanted
        assert len(wanted - parts) == 1

    run(home, law)


def body_of(doc: Doc) -> str:
    from saltern_protocol.documents import decode_document
    from saltern_protocol.envelope import decode

    return decode_document(decode(doc.document).payload).body.hex()


def test_much_is_moved_in_little_memory(tmp_path: Path) -> None:
    """A quarter of a gigabyte is bundled, compared and brought within sixteen MiB."""
    program = (
        "import os, resource, sys\n"
        "from pathlib import Path\n"
        "from saltern_master.bundle.bring import bring\n"
        "from saltern_master.bundle.create import create, plan\n"
        "from saltern_master.bundle.needs import Contents\n"
        "from saltern_master.bundle.reading import opened\n"
        "from saltern_master.library import Index, Library\n"
        "from tests.master.bundles import KEY, nothing\n"
        "here = Path(sys.argv[1])\n"
        "big = here / 'big'\n"
        "big.write_bytes(b'x')\n"
        "os.truncate(big, 2**28)\n"
        "library = Library(here / 'home')\n"
        "own = (library.adopt_blob(big),)\n"
        "began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "planned = plan('demo', b'x', Contents(Index(), own, ()), (), library)\n"
        "create(planned, [KEY], here / 'file', nothing)\n"
        "with opened(here / 'file') as bundle:\n"
        "    bring(bundle, Library(here / 'other'), nothing)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - began)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, env=dict(os.environ))
    assert done.stderr == ""
    assert (tmp_path / "file").stat().st_size > 2**28
    assert int(done.stdout) < 16 * 1024  # KiB


def test_a_bundle_with_strangers_in_it_costs_no_disk(file: Path, tmp_path: Path) -> None:
    at = places(file)["end"][0]
    data = file.read_bytes()
    file.write_bytes(data[:at] + member("blobs/" + "0" * 64, b"y" * 10**6) + data[at:])
    before = tree(tmp_path)
    with pytest.raises(BundleError, match="does not belong into this bundle"):
        brought(file, tmp_path / "home")
    assert tree(tmp_path) == before


def test_several_come_in_at_once(tmp_path: Path) -> None:
    maker = made_library(tmp_path / "maker")
    texts = [SMALL, CONTROLLED, SMALL + OWN_RESOURCE]
    files = [tmp_path / f"file{number}" for number in range(len(texts))]
    for text, file in zip(texts, files, strict=True):
        bundle_of(maker, text, file)
    home = tmp_path / "home"
    with ThreadPoolExecutor() as pool:
        list(pool.map(brought, files * 2, [home] * 6))
    for file in files:
        assert set(came(brought(file, home))) == {"here"}
    assert whole(Library(home))


def test_small_bundles_of_several_clusters_share_contents(tmp_path: Path) -> None:
    maker = made_library(tmp_path / "maker")
    bundle_of(maker, SMALL, tmp_path / "small")
    bundle_of(maker, CONTROLLED, tmp_path / "controlled")
    home = tmp_path / "home"
    brought(tmp_path / "small", home)
    rows = brought(tmp_path / "controlled", home)
    assert {"kubelet 1.20.2 amd64", "saltern/pause:3.2", "docker.io"} <= came(rows)["here"]
    assert "kube-proxy 1.20.2 amd64" in came(rows)["new"]
