"""The JSON parts of an image archive.

Facts: image-spec v1.1 (config.md, manifest.md, image-index.md, image-layout.md); the docker
archive's manifest.json as `docker load` of 1.10 and later reads it; containerd takes a full
image name from the annotation io.containerd.image.name.
Laws: pure; keys sorted, no white space, so that the same image has the same bytes; nothing of
the machine or the moment is in them ("created" is the epoch). The config's SHA-256 is the
image's identity: docker's image ID and the kubelet's imageID.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import msgspec

EPOCH = "1970-01-01T00:00:00Z"
OCI = "application/vnd.oci.image"
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """How a container of an image starts."""

    entrypoint: tuple[str, ...]
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    user: str = ""
    working_directory: str = "/"
    architecture: str = "amd64"


@dataclass(frozen=True, slots=True)
class Blob:
    """A part of an archive, by its hash and size."""

    sha256: str
    size: int

    @property
    def digest(self) -> str:
        """As OCI writes it."""
        return f"sha256:{self.sha256}"

    @property
    def path(self) -> str:
        """Where an OCI layout keeps it; docker follows manifest.json there too."""
        return f"blobs/sha256/{self.sha256}"


def blob_of(content: bytes) -> Blob:
    """Name a part by its bytes."""
    return Blob(hashlib.sha256(content).hexdigest(), len(content))


def config_bytes(config: ImageConfig, layer: Blob) -> bytes:
    """Give the image's config: what its identity is the hash of."""
    runs: dict[str, object] = {
        "Env": [f"{key}={config.environment[key]}" for key in sorted(config.environment)],
        "Entrypoint": list(config.entrypoint),
        "Cmd": list(config.command),
        "User": config.user,
        "WorkingDir": config.working_directory,
    }
    return _json(
        {
            "created": EPOCH,
            "architecture": config.architecture,
            "os": "linux",
            "config": {key: value for key, value in runs.items() if value},
            "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
            "history": [{"created": EPOCH, "created_by": "saltern"}],
        }
    )


def docker_manifest_bytes(name: str, config: Blob, layer: Blob) -> bytes:
    """Give manifest.json, which docker reads."""
    return _json([{"Config": config.path, "RepoTags": [name], "Layers": [layer.path]}])


def oci_manifest_bytes(config: Blob, layer: Blob) -> bytes:
    """Give the manifest blob, which the OCI index points to."""
    return _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": _descriptor(config, f"{OCI}.config.v1+json"),
            "layers": [_descriptor(layer, f"{OCI}.layer.v1.tar")],
        }
    )


def oci_index_bytes(name: str, architecture: str, manifest: Blob) -> bytes:
    """Give index.json, which containerd reads."""
    entry = _descriptor(manifest, f"{OCI}.manifest.v1+json") | {
        "platform": {"architecture": architecture, "os": "linux"},
        "annotations": {
            "io.containerd.image.name": full_name(name),
            "org.opencontainers.image.ref.name": name.rpartition(":")[2],
        },
    }
    return _json({"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": [entry]})


def full_name(name: str) -> str:
    """Give the name with its registry, as containerd and the kubelet complete it."""
    first, slash, _ = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"


def _descriptor(blob: Blob, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "digest": blob.digest, "size": blob.size}


def _json(value: object) -> bytes:
    return msgspec.json.encode(value, order="sorted")
