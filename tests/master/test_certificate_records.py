"""Which certificates are out: the last of each resource, and which end first."""

from __future__ import annotations

import pytest
from saltern_master.pki.issue import Issued
from saltern_master.records.certificates import (
    certified,
    ending,
    every_certificate,
    hold_certificate,
)
from saltern_master.store import ConflictError, MemoryStore


def issued(resource: str, not_after: int) -> Issued:
    return Issued(
        resource=resource,
        path=f"/etc/kubernetes/{resource}.crt",
        issuer="kubernetes",
        common_name="w1",
        organizations=("system:nodes",),
        usages=("client",),
        serial="1f",
        not_before=0,
        not_after=not_after,
    )


def sign(store: MemoryStore, node: str, resource: str, not_after: int) -> None:
    held = hold_certificate(store, node, resource)
    store.commit(*certified(held, node, issued(resource, not_after)))


def test_the_last_of_each_resource_is_remembered() -> None:
    store = MemoryStore()
    for not_after in (10, 20, 30):
        sign(store, "w1", "pki/kubelet", not_after)
    sign(store, "w1", "pki/kube-proxy", 15)
    sign(store, "w10", "pki/kubelet", 5)

    kept = every_certificate(store)

    assert [(one.node, one.issued.resource, one.issued.not_after, one.times) for one in kept] == [
        ("w1", "pki/kube-proxy", 15, 1),
        ("w1", "pki/kubelet", 30, 3),
        ("w10", "pki/kubelet", 5, 1),
    ]
    assert [one.node for one in every_certificate(store, "w1")] == ["w1", "w1"]


def test_what_ends_first_comes_first() -> None:
    store = MemoryStore()
    for node, not_after in (("w1", 30), ("w2", 10), ("w3", 20), ("w4", 40)):
        sign(store, node, "pki/kubelet", not_after)

    assert [one.node for one in ending(every_certificate(store), before=40)] == ["w2", "w3", "w1"]


def test_two_who_sign_at_once_do_not_overwrite_each_other() -> None:
    store = MemoryStore()
    held = hold_certificate(store, "w1", "pki/kubelet")
    sign(store, "w1", "pki/kubelet", 10)

    with pytest.raises(ConflictError):
        store.commit(*certified(held, "w1", issued("pki/kubelet", 20)))
