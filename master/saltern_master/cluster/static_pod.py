"""A static pod's manifest: enough of it to know that the kubelet will take it.

The kubelet reads the rest; a field that we do not look at goes to it as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from saltern_master.cluster.faults import Path

_NAME = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")


def check_static_pod(pod: Mapping[str, object], path: Path) -> Iterator[tuple[Path, str]]:
    """Give every fault of a manifest that stands at `path`."""
    for name, want in (("apiVersion", "v1"), ("kind", "Pod")):
        if pod.get(name) != want:
            yield (*path, name), f"must be {want} for a static pod"
    if not _NAME.match(pod_name(pod)):
        yield (
            (*path, "metadata", "name"),
            "must be a name of small letters, digits and dashes, 63 at most",
        )
    spec = pod.get("spec")
    containers = spec.get("containers") if isinstance(spec, dict) else None
    if not isinstance(containers, list) or not containers:
        yield (*path, "spec", "containers"), "must be a list of at least one container"
        return
    for number, container in enumerate(containers):
        here = (*path, "spec", "containers", number)
        for name in ("name", "image"):
            value = container.get(name) if isinstance(container, dict) else None
            if not isinstance(value, str) or not value:
                yield (*here, name), "must be text"


def pod_name(pod: Mapping[str, object]) -> str:
    """Give metadata.name, or "" where there is none."""
    metadata = pod.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def pod_images(pod: Mapping[str, object]) -> tuple[str, ...]:
    """Give the images that a checked manifest names, with their tag, sorted, each once."""
    spec = pod.get("spec")
    found = set()
    for part in ("initContainers", "containers"):
        containers = spec.get(part) if isinstance(spec, dict) else None
        for container in containers if isinstance(containers, list) else []:
            image = container.get("image") if isinstance(container, dict) else None
            if isinstance(image, str) and "@" not in image:
                tagged = ":" in image.rpartition("/")[2]
                found.add(image if tagged else f"{image}:latest")
    return tuple(sorted(found))
