"""Write and read image archives.

One file is two formats, which share their blobs: a docker archive (manifest.json) for
`docker load`, and an OCI layout (oci-layout, index.json) for `ctr images import`.
Laws:
* the same name, files and config give the same bytes, anywhere and at any time;
* an archive appears at its path complete, or not at all;
* what is read is checked: the config's hash is computed, not taken from its name.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterable
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import IO

import msgspec

from saltern_master.images import config as parts
from saltern_master.images.config import Blob, ImageConfig, blob_of
from saltern_master.images.tree import File, ImageError, directory_entry, entry, write_layer
from saltern_master.library.blobs import hash_file
from saltern_master.library.values import Image

NAME = r"[a-z0-9][a-z0-9._/-]{0,200}:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z"
LARGEST_JSON = 4 * 1024 * 1024  # bytes; a config of docker's own limit


class _Entry(msgspec.Struct, frozen=True):
    """One image in manifest.json, in docker's words."""

    config: str = msgspec.field(name="Config")
    names: list[str] | None = msgspec.field(name="RepoTags")


def write_image(path: Path, name: str, files: Iterable[File], config: ImageConfig) -> Image:
    """Write an archive of an image with one layer; ImageError for wrong names and paths."""
    check_name(name)
    try:
        with (
            TemporaryFile(dir=path.parent) as layer,
            NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as output,
        ):
            written = Path(output.name)
            try:
                write_layer(layer, files)
                config_digest = _write_archive(output, name, layer, config)
                output.flush()
                os.fsync(output.fileno())
                written.chmod(0o644)
                image = Image(
                    name=name,
                    config_digest=config_digest,
                    archive_sha256=hash_file(written),
                    size=written.stat().st_size,
                )
                written.rename(path)
            finally:
                written.unlink(missing_ok=True)
    except OSError as error:
        raise ImageError(f"cannot write image {name} to {path}: {error}") from error
    return image


def read_image(path: Path) -> Image:
    """Tell what image an archive holds, ours or of `docker save`; ImageError if not one image."""
    try:
        with tarfile.open(path, mode="r:") as archive:
            entries = msgspec.json.decode(_read(archive, "manifest.json"), type=list[_Entry])
            names = [name for one in entries for name in one.names or []]
            if len(entries) != 1 or len(names) != 1:
                raise ValueError(f"it holds {len(entries)} images with {len(names)} names")
            config = _read(archive, entries[0].config)
    except (OSError, tarfile.TarError, KeyError, ValueError) as error:
        raise ImageError(
            f"cannot read {path} as an image archive: {error}; "
            "it must come from `docker save NAME:TAG` of one image, without compression"
        ) from error
    return Image(
        name=check_name(names[0]),
        config_digest=hashlib.sha256(config).hexdigest(),
        archive_sha256=hash_file(path),
        size=path.stat().st_size,
    )


def check_name(name: str) -> str:
    """Give a name back; ImageError when it is not repository and tag."""
    if not re.match(NAME, name):
        raise ImageError(f"cannot name an image {name!r}; write repository and tag: saltern/echo:1")
    return name


def _write_archive(
    output: IO[bytes], name: str, layer: io.BufferedRandom, config: ImageConfig
) -> str:
    """Write all parts, directories first, then by name; give the config's hash."""
    size = layer.seek(0, io.SEEK_END)
    layer.seek(0)
    layer_blob = Blob(hashlib.file_digest(layer, "sha256").hexdigest(), size)
    config_content = parts.config_bytes(config, layer_blob)
    config_blob = blob_of(config_content)
    manifest = parts.oci_manifest_bytes(config_blob, layer_blob)
    contents = {
        config_blob.path: config_content,
        blob_of(manifest).path: manifest,
        "index.json": parts.oci_index_bytes(name, config.architecture, blob_of(manifest)),
        "manifest.json": parts.docker_manifest_bytes(name, config_blob, layer_blob),
        "oci-layout": parts.LAYOUT,
    }
    with tarfile.open(fileobj=output, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for directory in ("blobs", "blobs/sha256"):
            archive.addfile(directory_entry(directory))
        for part in sorted({*contents, layer_blob.path}):
            if part in contents:
                archive.addfile(entry(part, len(contents[part]), 0o644), io.BytesIO(contents[part]))
            else:
                layer.seek(0)
                archive.addfile(entry(part, size, 0o644), layer)
    return config_blob.sha256


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    info = archive.getmember(name)
    content = archive.extractfile(info)
    if content is None or info.size > LARGEST_JSON:
        raise ValueError(f"{name} is no file of a sane size")
    return content.read()
