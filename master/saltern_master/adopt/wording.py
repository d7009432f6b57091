"""A node's own settings in the words of a cluster file, and what it has no words for. Pure.

docker's daemon.json, the kubelet's configuration and flags, and the manifests of its static pods
are read as data; what is no JSON or YAML of the plain sort is told as that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from saltern_protocol.reading import AnyFact, PackageFact, PathFact

from saltern_master.adopt.docker_words import DAEMON, docker_words
from saltern_master.adopt.unit_file import Command, command, settings, unread_files
from saltern_master.cluster.component_config import KUBELET
from saltern_master.cluster.faults import ClusterFileError
from saltern_master.cluster.model import Docker
from saltern_master.cluster.source import parse, plain

KUBELET_UNIT: Final = "kubelet.service"
KUBELET_CONFIG: Final = "/var/lib/kubelet/config.yaml"
MANIFESTS: Final = "/etc/kubernetes/manifests/"
MOST_PODS: Final = 40
"""Static pods whose manifests are read: a thousand brackets take a second, and a node may lie."""
FOLDERS: Final = tuple(
    f"{place}/systemd/system" for place in ("/usr/lib", "/usr/local/lib", "/run", "/etc")
)
"""Of units and their drop-ins: the later counts (systemd.unit(5))."""
SAID: Final = frozenset(
    {
        "cgroup-driver",
        "config",
        "container-runtime",
        "hostname-override",
        "kubeconfig",
        "node-ip",
        "node-labels",
    }
)
"""Flags of a kubelet that follow from a cluster file."""
_VERSION: Final = re.compile(r"(?:^|:v?|-)([0-9]+\.[0-9]+\.[0-9]+)(?=[-+~]|\Z)")


@dataclass(frozen=True, slots=True)
class Wording:
    """What a cluster file would say, and what it cannot."""

    docker: Docker
    kubelet: Mapping[str, Any]
    pods: tuple[Mapping[str, Any], ...]
    unsaid: tuple[str, ...]


def worded(paths: Mapping[str, PathFact]) -> Wording:
    """Say what is read of a node in the words of a cluster file."""
    docker, of_docker = docker_words(_text(paths, DAEMON))
    kubelet, of_kubelet = _kubelet(paths)
    pods, of_pods = _pods(paths)
    of_flags = _flags(paths)
    return Wording(docker, kubelet, pods, (*of_docker, *of_kubelet, *of_flags, *of_pods))


def version_of(facts: tuple[AnyFact, ...], pods: tuple[Mapping[str, Any], ...]) -> str:
    """Give the version of Kubernetes, by its package or the images of its pods; "" for none."""
    named = [one.version for one in facts if isinstance(one, PackageFact) and one.name == "kubelet"]
    for pod in pods:
        named += [image for image in images_of(pod) if "kube-apiserver" in image]
    return next((found[1] for one in named if (found := _VERSION.search(one))), "")


def told_version(facts: tuple[AnyFact, ...]) -> str:
    """Give the version of Kubernetes that a node's reading tells; "" for none."""
    paths = {one.path: one for one in facts if isinstance(one, PathFact)}
    return version_of(facts, _pods(paths)[0])


def images_of(pod: Mapping[str, Any]) -> Iterator[str]:
    """Give the images that a manifest names, whatever else is in it."""
    spec = pod.get("spec")
    containers = spec.get("containers") if isinstance(spec, dict) else None
    for one in containers if isinstance(containers, list) else ():
        image = one.get("image") if isinstance(one, dict) else None
        if isinstance(image, str):
            yield image


def service_command(unit: str, paths: Mapping[str, PathFact]) -> tuple[Command | None, list[str]]:
    """Give what a service runs by its files, and the files that it reads and nobody read here."""
    files = [path for folder in FOLDERS if (path := f"{folder}/{unit}") in paths][-1:]
    files += _drop_ins(unit, paths)
    known = {path: one.text for path, one in paths.items() if one.text is not None}
    found = settings(known[path] for path in files if path in known)
    unread = [path for path in files if path not in known]
    return command(found, known), [*unread, *unread_files(found, known, paths)]


def _drop_ins(unit: str, paths: Mapping[str, PathFact]) -> list[str]:
    """Give a unit's drop-ins in order; of two of one name the administrator's is in force."""
    by_name: dict[str, str] = {}
    for folder in FOLDERS:
        below = f"{folder}/{unit}.d/"
        found = (path for path in paths if path.startswith(below) and path.endswith(".conf"))
        by_name |= {path.removeprefix(below): path for path in found}
    return [by_name[name] for name in sorted(by_name)]


def _text(paths: Mapping[str, PathFact], path: str) -> str:
    fact = paths.get(path)
    return fact.text or "" if fact is not None else ""


def _kubelet(paths: Mapping[str, PathFact]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Read the kubelet's configuration where its flags say that it is, and what it says."""
    running, _ = service_command(KUBELET_UNIT, paths)
    path = running.flags.get("config", KUBELET_CONFIG) if running else KUBELET_CONFIG
    if path not in paths and path == KUBELET_CONFIG:
        return {}, ()
    if path not in paths or paths[path].text is None:
        return {}, (f"the kubelet's configuration in {path}, which is not told",)
    text = _text(paths, path)
    found = _yaml(text) if text else {}
    if not isinstance(found, dict):
        return {}, (f"{path}: it is no YAML map of the plain sort",)
    pods = found.get("staticPodPath", MANIFESTS)
    elsewhere = f"{str(pods).rstrip('/')}/" != MANIFESTS
    unsaid = (f"the static pods in {pods}, a place that is not read",) if elsewhere else ()
    return {name: value for name, value in found.items() if name not in KUBELET}, unsaid


def _flags(paths: Mapping[str, PathFact]) -> Iterator[str]:
    found, unread = service_command(KUBELET_UNIT, paths)
    if found is not None:
        for name, value in found.flags.items():
            usual = name == "pod-manifest-path" and f"{value}/" == MANIFESTS
            if name not in SAID and not usual:
                yield f"the kubelet's flag --{name}={value}"
    elif any(f"{folder}/{KUBELET_UNIT}" in paths for folder in FOLDERS):
        yield "the kubelet's flags: its unit has no one command that can be read"
    yield from (f"what the kubelet's unit reads of {path}" for path in unread)


def _pods(paths: Mapping[str, PathFact]) -> tuple[tuple[dict[str, Any], ...], tuple[str, ...]]:
    pods: list[dict[str, Any]] = []
    unsaid: list[str] = []
    texts = ((path, one.text) for path, one in sorted(paths.items()) if path.startswith(MANIFESTS))
    told = [(path, text) for path, text in texts if text is not None]
    for path, text in told[:MOST_PODS]:
        found = _yaml(text)
        if isinstance(found, dict):
            pods.append(found)
        else:
            unsaid.append(f"{path}: it is no YAML map of the plain sort")
    if len(told) > MOST_PODS:
        unsaid.append(f"{len(told) - MOST_PODS} more static pods than are read")
    return tuple(pods), tuple(unsaid)


def _yaml(text: str) -> object:
    try:
        return plain(parse(text.encode("utf-8", "replace")))
    except ClusterFileError:
        return None
