"""An archive is given to docker only where it brings one image under one name."""

from __future__ import annotations

import gzip
import io
import json
import socketserver
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from saltern_agent.host.docker import DockerImages
from saltern_agent.host.image_archive import MAX_LIST_BYTES, MAX_MEMBERS, check
from saltern_states.ports import HostError

Member = tuple[str, bytes | str]  # a name, and a content or the target of a symlink


def tar(*members: Member) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def manifest(*tags: list[str] | None) -> bytes:
    return json.dumps(
        [{"Config": "c.json", "RepoTags": each, "Layers": []} for each in tags]
    ).encode()


def index(count: int) -> bytes:
    return json.dumps({"schemaVersion": 2, "manifests": [{"digest": "sha256:0"}] * count}).encode()


ONE = manifest(["saltern/one:1"])
GOOD = {
    "one image": tar(("c.json", b"{}"), ("manifest.json", ONE)),
    "one that has no name": tar(("manifest.json", manifest(None))),
    "both formats": tar(("manifest.json", ONE), ("index.json", index(1))),
    "with a dot before": tar(("./manifest.json", ONE)),
}
BAD = {
    "two images": (tar(("manifest.json", manifest(["a:1"], ["b:1"]))), "2 images.*a:1, b:1"),
    "two names": (
        tar(("manifest.json", manifest(["a:1", "k8s.gcr.io/pause:3.2"]))),
        "2 names.*paus",
    ),
    "none": (tar(("manifest.json", b"[]")), "0 images"),
    "two in the layout": (tar(("manifest.json", ONE), ("index.json", index(2))), "2 images"),
    "only the older list": (tar(("repositories", b'{"a": {"1": "x"}}')), "no manifest.json"),
    "a second list": (tar(("manifest.json", ONE), ("manifest.json", manifest([]))), "second"),
    "a second by a dot": (tar(("manifest.json", ONE), ("./manifest.json", ONE)), "second"),
    "a second by a link": (tar(("x", "."), ("x/manifest.json", ONE)), "second"),
    "a list that is a link": (tar(("manifest.json", "other")), "no plain file"),
    "a list that is no JSON": (tar(("manifest.json", b"[{")), "no whole docker archive"),
    "a list too large": (tar(("manifest.json", b" " * (MAX_LIST_BYTES + 1))), "more than"),
    "too many members": (tar(*((f"{n}", b"") for n in range(MAX_MEMBERS + 1))), "more than"),
    "compressed": (gzip.compress(GOOD["one image"]), "plain tar"),
    "nothing": (b"", "plain tar"),
    "cut off": (GOOD["one image"][:1300], "no whole|no manifest"),
}


@pytest.mark.parametrize("name", GOOD)
def test_one_image_under_one_name_is_let_through(name: str) -> None:
    check(io.BytesIO(GOOD[name]), name)


@pytest.mark.parametrize("name", BAD)
def test_all_else_is_refused_by_what_it_holds(name: str) -> None:
    content, why = BAD[name]
    with pytest.raises(HostError, match=rf"^cannot load image archive it: .*({why})"):
        check(io.BytesIO(content), "it")


class Loading(BaseHTTPRequestHandler):
    """Takes what is sent to /images/load, as docker answers it."""

    def do_POST(self) -> None:
        self.server.came.append(self.rfile.read(int(self.headers["Content-Length"])))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"stream":"Loaded image: saltern/one:1"}\n')

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[tuple[Path, list[bytes]]]:
    """A unix socket that takes archives, and what came."""
    came: list[bytes] = []
    with socketserver.UnixStreamServer(str(tmp_path / "docker.sock"), Loading) as server:
        server.came = came  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield tmp_path / "docker.sock", came
        server.shutdown()
        thread.join()


def test_the_whole_archive_is_sent_and_a_refused_one_not_at_all(
    listening: tuple[Path, list[bytes]], tmp_path: Path
) -> None:
    socket, came = listening
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(GOOD["one image"])
    bad.write_bytes(BAD["two names"][0])

    DockerImages(socket).load(good)
    with pytest.raises(HostError, match=r"2 names \(a:1, k8s.gcr.io/pause:3.2\)"):
        DockerImages(socket).load(bad)

    assert came == [GOOD["one image"]]
