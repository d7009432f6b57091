"""A group's kubelet.config against the KubeletConfiguration of the version.

Refused: a field that the version does not have, a value of another type, and a field
that Saltern sets itself, since it belongs to another part of the cluster file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from saltern_master.cluster.faults import Path, did_you_mean
from saltern_master.versions import Kubelet, fields_below

OWNED = {
    "apiVersion": "the version of Kubernetes",
    "kind": "what the file is",
    "cgroupDriver": "runtime.docker.cgroupDriver",
    "clusterDomain": "cluster.domain",
    "podCIDR": "network.pods, cut per node",
    "staticPodPath": "kubelet.staticPods",
}

_DURATION = re.compile(r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+\Z")


def check_kubelet_config(
    config: Mapping[str, object], kubelet: Kubelet, path: Path
) -> Iterator[tuple[Path, str]]:
    """Give every fault of a kubelet.config that stands at `path`."""
    for name in config:
        if name in OWNED:
            yield (*path, name), f"is set by Saltern, from {OWNED[name]}"
    rest = {name: value for name, value in config.items() if name not in OWNED}
    yield from _check(rest, kubelet.fields, "", path)


def _check(
    config: Mapping[str, object], fields: Mapping[str, str], prefix: str, path: Path
) -> Iterator[tuple[Path, str]]:
    known = fields_below(fields, prefix)
    for name, value in config.items():
        here = (*path, name)
        dotted = f"{prefix}.{name}" if prefix else name
        if name not in known:
            yield here, f"this version's kubelet has no such field{did_you_mean(name, known)}"
        elif fields_below(fields, dotted):
            if isinstance(value, dict):
                yield from _check(value, fields, dotted, here)
            else:
                yield here, f"expected a map, found {_what(value)}"
        else:
            expected, fits = TYPES.get(known[name].removeprefix("*"), A_STRUCT)
            if not fits(value):
                yield here, f"expected {expected}, found {_what(value)}"


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
