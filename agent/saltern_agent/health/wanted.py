"""The accepted body -> the parts that it makes the node have. Pure.

docker, kubelet and kube-proxy are known by their units; where a kubelet and a kube-proxy answer,
by the configuration that the body brings (`kind: KubeletConfiguration` …); static pods by the
manifests in the directory that the kubelet is told of; etcd by its pod's own command line.

Outside facts: the defaults of healthzPort (10248), healthzBindAddress of kube-proxy (10256) and
root-dir in Kubernetes' component configurations; data-root of dockerd(8).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from saltern_protocol.condition import State
from saltern_states.body import Body
from saltern_states.certificate import Certificate
from saltern_states.file import File
from saltern_states.leaf import DAY
from saltern_states.unit import Unit

from saltern_agent.health.texts import block, plain, top
from saltern_agent.health.values import Endpoint, Expiring, Pod, Service, Wanted

DOCKER, KUBELET, PROXY = "docker.service", "kubelet.service", "kube-proxy.service"
DAEMON: Final = "/etc/docker/daemon.json"
DOCKER_ROOT: Final = "/var/lib/docker"
KUBELET_ROOT: Final = "/var/lib/kubelet"
LOOPBACK: Final = "127.0.0.1"
KUBELET_PORT, PROXY_PORT = 10248, 10256
ROOT_DIR: Final = re.compile(r"--root-dir=(/\S+)")
ETCD_METRICS: Final = re.compile(r"--listen-metrics-urls=http://(127\.0\.0\.1):([0-9]{1,5})\b")


def wanted_of(body: Body, node: str, state: str) -> Wanted:
    """Say what there is to look at. `node`: its name; `state`: where the agent's own state lies."""
    files = {one.spec.path: one.spec.text for one in body.resources if isinstance(one.spec, File)}
    units = {one.unit for one in _running(body)}
    manifests = tuple(_manifests(files))
    return Wanted(
        disks=tuple(_disks(files, units, state)),
        services=(*_services(files, units), *_etcd(manifests)),
        pods=tuple(_pods(manifests, node)) if KUBELET in units else (),
        certificates=tuple(
            Expiring(one.spec.path, one.spec.renew_before_days * DAY)
            for one in body.resources
            if isinstance(one.spec, Certificate)
        ),
    )


def _running(body: Body) -> Iterator[Unit]:
    for one in body.resources:
        if isinstance(one.spec, Unit) and one.spec.running:
            yield one.spec


def _disks(files: dict[str, str], units: set[str], state: str) -> Iterator[str]:
    yield state
    if DOCKER in units:
        yield _data_root(files.get(DAEMON, ""))
    if KUBELET in units:
        texts = (text for path, text in files.items() if path.endswith(f"/{KUBELET}"))
        found = next((match[1] for text in texts if (match := ROOT_DIR.search(text))), "")
        yield found or KUBELET_ROOT


def _data_root(daemon: str) -> str:
    try:
        found = json.loads(daemon or "{}")
    except ValueError:
        return DOCKER_ROOT
    root = found.get("data-root") if isinstance(found, dict) else None
    return root if isinstance(root, str) and root.startswith("/") else DOCKER_ROOT


def _services(files: dict[str, str], units: set[str]) -> Iterator[Service]:
    if DOCKER in units:
        yield Service("docker", DOCKER)
    if KUBELET in units:
        yield Service("kubelet", KUBELET, _kubelet(_configuration(files, "KubeletConfiguration")))
    if PROXY in units:
        told = _configuration(files, "KubeProxyConfiguration")
        # Its rules stay in the kernel, so one that is late with new ones still does its work.
        yield Service("kube-proxy", PROXY, _kube_proxy(told), State.DEGRADED)


def _configuration(files: dict[str, str], kind: str) -> str:
    return next((text for text in files.values() if top(text, "kind") == kind), "")


def _kubelet(configuration: str) -> Endpoint | None:
    port = _port(top(configuration, "healthzPort"), KUBELET_PORT)
    address = top(configuration, "healthzBindAddress")
    return Endpoint(_reached(address), port, "/healthz") if port else None


def _kube_proxy(configuration: str) -> Endpoint | None:
    address, _, port = top(configuration, "healthzBindAddress").rpartition(":")
    number = _port(port, PROXY_PORT)
    return Endpoint(_reached(address), number, "/healthz") if number else None


def _port(text: str, usual: int) -> int:
    """Read a port; 0: it answers nowhere."""
    return int(text) if text.isascii() and text.isdigit() and int(text) < 65536 else usual


def _reached(address: str) -> str:
    """Give where this machine reaches what listens at an address; only on the machine itself."""
    return address if re.match(r"127\.[0-9.]+\Z", address) else LOOPBACK


def _manifests(files: dict[str, str]) -> Iterator[str]:
    folder = top(_configuration(files, "KubeletConfiguration"), "staticPodPath")
    for path, text in files.items():
        if folder and PurePosixPath(path).parent == PurePosixPath(folder):
            yield text


def _pods(manifests: tuple[str, ...], node: str) -> Iterator[Pod]:
    """Give the pods; the kubelet puts the node's name behind a static pod's."""
    for text in manifests:
        metadata = _dedented(block(text, "metadata"))
        name, namespace = top(metadata, "name"), top(metadata, "namespace") or "default"
        containers = tuple(_names(block(block(text, "spec"), "containers", "  ")))
        if name and containers:
            yield Pod(namespace, f"{name}-{node}", containers)


def _names(containers: str) -> Iterator[str]:
    """Give the containers' names: of each item the key `name`, at the item's own depth."""
    for match in re.finditer(r"^  (?:- |  )name: (.+)$", containers, re.MULTILINE):
        yield plain(match[1])


def _dedented(text: str) -> str:
    return "\n".join(line[2:] for line in text.split("\n"))


def _etcd(manifests: tuple[str, ...]) -> Iterator[Service]:
    for text in manifests:
        found = ETCD_METRICS.search(text)
        if found:
            endpoint = Endpoint(found[1], _port(found[2], 2381), "/health")
            yield Service("etcd", "", endpoint)
            return
