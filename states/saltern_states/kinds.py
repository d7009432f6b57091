"""KINDS: every kind that there is, written by hand in plain sight. A new kind is added here."""

from __future__ import annotations

from typing import Any

from saltern_states import (
    absent_link,
    agent,
    artifact,
    bridge,
    certificate,
    chain,
    directory,
    file,
    image,
    kernel_module,
    package,
    pod_routes,
    route,
    secret,
    swap,
    sysctl,
    unit,
)
from saltern_states.contract import Kind, Spec

AnyKind = Kind[Any, Any, Any]

KINDS: tuple[AnyKind, ...] = (
    file.KIND,
    directory.KIND,
    artifact.KIND,
    package.KIND,
    kernel_module.KIND,
    sysctl.KIND,
    unit.KIND,
    bridge.KIND,
    absent_link.KIND,
    route.KIND,
    pod_routes.KIND,
    chain.KIND,
    image.KIND,
    swap.KIND,
    certificate.KIND,
    secret.KIND,
    agent.KIND,
)

BY_NAME = {kind.name: kind for kind in KINDS}
BY_SPEC: dict[type[Spec], AnyKind] = {kind.spec: kind for kind in KINDS}


def kind_of(spec: Spec) -> AnyKind:
    """Give the kind that serves a Spec."""
    return BY_SPEC[type(spec)]
