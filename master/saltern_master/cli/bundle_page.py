"""What a bundle looks like to people and to programs. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from msgspec import Struct
from saltern_protocol.keys import PublicKey

from saltern_master.bundle.bring import Row
from saltern_master.bundle.head import shown
from saltern_master.bundle.manifest import Manifest, entries
from saltern_master.bundle.signers import Signer
from saltern_master.cli.amounts import size_text
from saltern_master.cli.listing import columns, fields


class Thing(Struct, frozen=True, kw_only=True):
    """One thing of a bundle, with the hashes of its contents. `size` in bytes."""

    kind: str
    name: str
    size: int
    sha256: tuple[str, ...]


class BundleView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A bundle. `faults` is empty where it is good; `signers` are those whose signature is."""

    file: str
    cluster: str
    signers: tuple[str, ...]
    size: int
    contents: int
    things: tuple[Thing, ...]
    notes: tuple[str, ...] = ()


class VerifiedView(Struct, frozen=True, kw_only=True, rename="camel"):
    """What verify found."""

    file: str
    good: bool
    faults: tuple[str, ...]
    bundle: BundleView | None


class BroughtView(Struct, frozen=True, kw_only=True, rename="camel"):
    """What import brought. `signer_kept`: its bundles are taken from now on without asking."""

    file: str
    cluster: str
    signers: tuple[str, ...]
    signer_kept: bool
    brought: int  # things that are not here as before
    rows: tuple[Row, ...]
    saved: tuple[str, ...]


class SignerView(Struct, frozen=True, kw_only=True):
    """A signer whose bundles are taken: all of these keys must have signed."""

    fingerprints: tuple[str, ...]
    keys: tuple[str, ...]


def bundle_view(
    file: str, manifest: Manifest, signers: Collection[PublicKey], notes: Sequence[str] = ()
) -> BundleView:
    """Give a bundle as programs are shown it."""
    sizes = {part.sha256: part.size for part in manifest.parts}
    things = [
        Thing(
            kind=one.kind,
            name=one.name,
            size=sum(size for _, size in one.contents),
            sha256=tuple(sha256 for sha256, _ in one.contents),
        )
        for one in entries(manifest.stock)
    ]
    things += [
        Thing(kind="content", name=one, size=sizes[one], sha256=(one,)) for one in manifest.own
    ]
    things += [
        Thing(kind="package", name=one.name, size=one.size, sha256=(one.sha256,))
        for one in manifest.agents
    ]
    return BundleView(
        file=file,
        cluster=manifest.cluster,
        signers=tuple(map(shown, signers)),
        size=manifest.size,
        contents=len(manifest.parts),
        things=tuple(things),
        notes=tuple(notes),
    )


def signer_view(signer: Signer) -> SignerView:
    """Give a signer as programs are shown it."""
    keys = sorted(signer)
    return SignerView(fingerprints=tuple(map(shown, keys)), keys=tuple(map(str, keys)))


def bundle_lines(view: BundleView) -> Iterator[str]:
    """Give a bundle as people read it."""
    yield from fields(
        (
            ("bundle", view.file),
            ("cluster", view.cluster),
            ("signed by", ", ".join(view.signers)),
            ("contents", f"{view.contents}, {size_text(view.size)}"),
        )
    )
    yield ""
    rows = ((one.kind, one.name, size_text(one.size)) for one in view.things)
    yield from columns(("kind", "name", "size"), rows)


def brought_lines(rows: Sequence[Row]) -> list[str]:
    """Give what import brought as people read it."""
    return columns(
        ("came", "kind", "name", "size"),
        ((one.came, one.kind, one.name, size_text(one.size)) for one in rows),
    )
