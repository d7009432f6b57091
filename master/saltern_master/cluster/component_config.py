"""A group's kubelet.config and kubeProxy.config against what the version's programs read.

Refused: a field that the version does not have, a value of another type, and a field
that Saltern sets itself, since it belongs to another part of the cluster file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from saltern_master.cluster.faults import Path, did_you_mean
from saltern_master.versions import Configured, fields_below

KUBELET: Mapping[str, str] = MappingProxyType(
    {
        "apiVersion": "the version of Kubernetes",
        "kind": "what the file is",
        "cgroupDriver": "runtime.docker.cgroupDriver",
        "clusterDomain": "cluster.domain",
        "podCIDR": "network.pods, cut per node",
        "staticPodPath": "kubelet.staticPods",
    }
)
"""What Saltern sets in any kubelet's configuration, and from what."""
CONNECTED_KUBELET: Mapping[str, str] = MappingProxyType(
    {
        **KUBELET,
        "authentication.x509": "the cluster's own certificate authority",
        "rotateCertificates": "how Saltern renews certificates",
        "serverTLSBootstrap": "how Saltern renews certificates",
        "tlsCertFile": "the kubelet's own certificate",
        "tlsPrivateKeyFile": "the kubelet's own certificate",
    }
)
"""The same of a kubelet that has an API server."""
KUBE_PROXY: Mapping[str, str] = MappingProxyType(
    {
        "apiVersion": "the version of Kubernetes",
        "kind": "what the file is",
        "clientConnection": "the node's own certificate",
        "clusterCIDR": "network.pods",
        "hostnameOverride": "the node's name",
        "mode": "what it can do everywhere: iptables",
    }
)

_DURATION = re.compile(r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+\Z")


def check_config(
    config: Mapping[str, object],
    program: Configured,
    owned: Mapping[str, str],
    name: str,
    path: Path,
) -> Iterator[tuple[Path, str]]:
    """Give every fault of the configuration of a program, called `name`, that stands at `path`."""
    yield from _check(config, _Known(name, program.fields, owned), "", path)


@dataclass(frozen=True, slots=True)
class _Known:
    """What a configuration is looked at with."""

    program: str
    fields: Mapping[str, str]
    owned: Mapping[str, str]


def _check(
    config: Mapping[str, object], known: _Known, prefix: str, path: Path
) -> Iterator[tuple[Path, str]]:
    here = fields_below(known.fields, prefix)
    for name, value in config.items():
        dotted = f"{prefix}.{name}" if prefix else name
        if dotted in known.owned:
            yield (*path, name), f"is set by Saltern, from {known.owned[dotted]}"
        elif name not in here:
            text = f"this version's {known.program} has no such field{did_you_mean(name, here)}"
            yield (*path, name), text
        elif fields_below(known.fields, dotted):
            if isinstance(value, dict):
                yield from _check(value, known, dotted, (*path, name))
            else:
                yield (*path, name), f"expected a map, found {_what(value)}"
        else:
            expected, fits = TYPES.get(here[name].removeprefix("*"), A_STRUCT)
            if not fits(value):
                yield (*path, name), f"expected {expected}, found {_what(value)}"


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_int32(value: object) -> bool:
    return _is_int64(value) and isinstance(value, int) and abs(value) < 2**31


def _is_int64(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _is_duration(value: object) -> bool:
    return isinstance(value, str) and bool(_DURATION.match(value))


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_map(value: object) -> bool:
    return isinstance(value, dict)


def _is_map_of_bools(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_bool, value.values()))


def _is_map_of_texts(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _is_map_of_lists(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_texts, value.values()))


def _what(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case dict():
            return "a map"
        case list():
            return "a list"
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case _:
            return str(value)


A_STRUCT = ("a map", _is_map)  # of another package, listed without its fields
TEXT = ("text", _is_text)
TYPES: dict[str, tuple[str, Callable[[object], bool]]] = {
    "string": TEXT,
    "ResourceChangeDetectionStrategy": TEXT,
    "KubeletAuthorizationMode": TEXT,
    "LocalMode": TEXT,
    "ProxyMode": TEXT,
    "bool": ("true or false", _is_bool),
    "int32": ("a whole number", _is_int32),
    "int64": ("a whole number", _is_int64),
    "metav1.Duration": ("a duration like 10s or 1m30s", _is_duration),
    "[]string": ("a list of texts", _is_texts),
    "map[string]bool": ("a map of true and false", _is_map_of_bools),
    "map[string]string": ("a map of texts", _is_map_of_texts),
    "map[string][]string": ("a map of lists of texts", _is_map_of_lists),
}
"""A Go type: in words, and whether a value is that."""
