"""Keys, certificates and secrets in memory, over FakeFiles and FakeBlobs.

A key is a file that says its number, a certificate one that says in JSON what a real one says
in DER, and a sealed blob names what it was sealed for. An authority is its PEM: any text.

`unreachable` says why the master is not reached, `sends` what it makes of what was asked for,
`now` the time; a test sets them.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from itertools import count
from pathlib import Path

import msgspec

from saltern_states.leaf import DAY, Leaf, Pair, Wanted, unlike
from saltern_states.ports import Entry, HostError
from saltern_states.testing.files import FakeBlobs, FakeFiles

KEY = b"fake private key "
SEALED = b"fake seal "
BACK = 3600  # seconds that an issuer dates back


class Paper(msgspec.Struct, frozen=True):
    """What a certificate's file holds."""

    wanted: Wanted
    key: str
    not_before: int
    odd: tuple[str, ...] = ()


class FakeCertificates:
    """Keys by number, certificates in JSON."""

    def __init__(self, files: FakeFiles) -> None:
        self.files = files
        self.now = 1_800_000_000
        self.unreachable = ""
        self.sends: Callable[[Wanted], Wanted] = lambda wanted: wanted
        self.asked: list[str] = []  # paths, in the order in which they were asked for
        self.numbers = count(1)

    def look(self, path: Path, key: Path, ca: str) -> Pair:
        """Read a certificate and its key."""
        fault, public = self._key(key)
        content = self._content(path)
        try:
            paper = msgspec.json.decode(content or b"", type=Paper)
        except msgspec.DecodeError:
            return Pair(now=self.now, key_fault=fault)
        return Pair(now=self.now, key_fault=fault, leaf=leaf_of(paper, public, ca))

    def unreached(self) -> str:
        """Say why no certificate can be asked for now."""
        return self.unreachable

    def make_key(self, path: Path, was: Entry | None, owner: str, group: str) -> None:
        """Make a private key."""
        self.files.write(path, was, KEY + b"%d\n" % next(self.numbers), 0o600, owner, group)

    def obtain(self, path: Path, was: Entry | None, key: Path, wanted: Wanted) -> None:
        """Ask for a certificate."""
        fault, public = self._key(key)
        if fault or not public:
            raise HostError(f"cannot ask for {path}: {key}: {fault or 'there is no key'}")
        if self.unreachable:
            raise HostError(f"cannot ask for {path}: {self.unreachable}")
        self.asked.append(str(path))
        paper = Paper(wanted=self.sends(wanted), key=public, not_before=self.now - BACK)
        if wrong := unlike(wanted, leaf_of(paper, public, wanted.ca), self.now):
            raise HostError(f"cannot take the certificate for {path}: {'; '.join(wrong)}")
        self.files.write(path, was, msgspec.json.encode(paper), 0o644, "root", "root")

    def _content(self, path: Path) -> bytes | None:
        entry = self.files.look(path)
        return self.files.read(path) if entry and entry.type == "file" else None

    def _key(self, path: Path) -> tuple[str, str]:
        content = self._content(path)
        if content is None:
            return "", ""
        if not content.startswith(KEY):
            return "it holds no private key (ECDSA P-256, PKCS#8)", ""
        return "", content.removeprefix(KEY).decode().strip()


def leaf_of(paper: Paper, public: str, ca: str) -> Leaf:
    """Give what a certificate says beside a key and an authority."""
    wanted = paper.wanted
    return Leaf(
        common_name=wanted.common_name,
        organizations=tuple(sorted(wanted.organizations)),
        dns=tuple(sorted(wanted.dns)),
        addresses=tuple(sorted(wanted.addresses)),
        usages=tuple(sorted(wanted.usages)),
        not_before=paper.not_before,
        not_after=paper.not_before + BACK + wanted.days * DAY,
        of_key=paper.key == public,
        of_issuer=wanted.ca == ca,
        odd=paper.odd,
    )


class FakeSecrets:
    """Sealed blobs, among the others. Seal with put()."""

    def __init__(self, blobs: FakeBlobs) -> None:
        self.blobs = blobs

    def put(self, content: bytes, secret: str, generation: int) -> str:
        """Seal a content and bring it to the node; give the blob's name."""
        head = SEALED + f"{secret} {generation}\n".encode()
        return self.blobs.put(head + bytes(255 - byte for byte in content))

    def digest(self, blob: str, secret: str, generation: int) -> str:
        """Give the SHA-256 of the plain content."""
        return sha256(self.plain(blob, secret, generation)).hexdigest()

    def plain(self, blob: str, secret: str, generation: int) -> bytes:
        """Give the plain content."""
        self.blobs.path(blob)
        head, _, rest = self.blobs.contents[blob].partition(b"\n")
        if head != SEALED + f"{secret} {generation}".encode():
            raise HostError(
                f"cannot open secret {secret} generation {generation}: it is not sealed to this "
                "node as that; have the master seal it again"
            )
        return bytes(255 - byte for byte in rest)
