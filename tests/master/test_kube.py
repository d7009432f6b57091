"""Node objects follow the cluster file; drain ends what must leave and leaves what stays."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from saltern_master.kube.api import KubernetesError, Object
from saltern_master.kube.deeds import (
    CORDONED,
    DrainError,
    Patience,
    cordon,
    drain,
    empty,
    forget,
    keep_nodes,
    uncordon,
)
from saltern_master.kube.drain import leaving
from saltern_master.kube.wishes import OURS, TAINT, Wish, compare, is_ready
from saltern_master.testing.kubernetes import FakeKubernetes

W1 = Wish("w1", "10.10.1.0/24", {"zone": "a"}, ("worker",))
CP1 = Wish("cp1", "10.10.0.0/24", {}, ("control-plane", "etcd"))
QUICK = Patience(seconds=5.0, pause=0.0)


def keep(api: FakeKubernetes, *wishes: Wish) -> tuple[str, ...]:
    return tuple(one.name for one in asyncio.run(keep_nodes(api, wishes)).found)


def test_a_bare_node_gets_its_range_its_labels_and_what_names_them_ours() -> None:
    api = FakeKubernetes()
    api.add_node("w1")
    assert keep(api, W1, CP1) == ("w1",)
    node = api.objects["w1"]
    assert node["spec"] == {"podCIDR": "10.10.1.0/24", "podCIDRs": ["10.10.1.0/24"]}
    assert node["metadata"]["labels"] == {"zone": "a", "node-role.kubernetes.io/worker": ""}
    assert node["metadata"]["annotations"] == {OURS: "node-role.kubernetes.io/worker,zone"}
    assert keep(api, W1, CP1) == ()
    assert asyncio.run(keep_nodes(api, [W1, CP1])).awaited == {"cp1"}


def test_a_label_that_left_the_file_goes_and_a_strangers_stays() -> None:
    api = FakeKubernetes()
    api.add_node("w1")
    keep(api, W1)
    asyncio.run(api.patch_node("w1", {"metadata": {"labels": {"team": "x"}}}))
    keep(api, Wish("w1", W1.pods, {}, ("worker",)))
    assert api.objects["w1"]["metadata"]["labels"] == {
        "team": "x",
        "node-role.kubernetes.io/worker": "",
    }


def test_another_range_is_told_and_not_changed() -> None:
    api = FakeKubernetes()
    api.add_node("w1", podCIDR="10.10.9.0/24")
    (found,) = asyncio.run(keep_nodes(api, [W1])).found
    assert "kubectl delete node w1" in found.trouble
    assert api.objects["w1"]["spec"]["podCIDR"] == "10.10.9.0/24"


def test_a_control_plane_that_is_no_worker_is_tainted_and_others_taints_stay() -> None:
    theirs = {"key": "gpu", "effect": "NoSchedule"}
    node = {"metadata": {"name": "cp1"}, "spec": {"taints": [theirs]}}
    assert compare(CP1, node).patch["spec"]["taints"] == [theirs, TAINT]
    both = Wish("cp1", CP1.pods, {}, ("control-plane", "worker"))
    node = {"metadata": {"name": "cp1"}, "spec": {"taints": [theirs, TAINT]}}
    assert compare(both, node).patch["spec"]["taints"] == [theirs]


@pytest.mark.parametrize(
    ("status", "ready"), [("True", True), ("False", False), ("Unknown", False)]
)
def test_ready_is_what_the_kubelet_says(status: str, ready: bool) -> None:
    node = {"status": {"conditions": [{"type": "Ready", "status": status}]}}
    assert is_ready(node) is ready
    assert not is_ready({"status": {}})


def test_what_leaves_and_what_stays() -> None:
    api = FakeKubernetes()
    api.add_pod("default", "alone", "w1")
    owner = [{"kind": "ReplicaSet", "controller": True}]
    api.add_pod("default", "web", "w1", ownerReferences=owner)
    daemon = [{"kind": "DaemonSet", "controller": True}]
    api.add_pod("kube-system", "proxy", "w1", ownerReferences=daemon)
    api.add_pod("kube-system", "etcd", "w1", annotations={"kubernetes.io/config.mirror": "x"})
    api.add_pod("default", "job", "w1")
    api.pods["default", "job"]["status"] = {"phase": "Succeeded"}
    found = leaving(asyncio.run(api.pods_on("w1")))
    assert [(str(one), one.alone) for one in found] == [
        ("default/alone", True),
        ("default/web", False),
    ]


def test_drain_cordons_waits_for_a_budget_and_tells() -> None:
    api = FakeKubernetes()
    api.add_node("w1")
    api.add_pod("default", "web", "w1")
    api.budgets["default", "web"] = 2
    told: list[str] = []
    asyncio.run(drain(api, "w1", QUICK, told.append))
    assert api.objects["w1"]["spec"]["unschedulable"] is True
    assert told[0] == "w1 takes no new pods"
    assert "a disruption budget is against it" in told[1]
    assert told[2:] == ["default/web leaves, and nothing will make it again", "w1 is empty"]


def test_a_drain_that_does_not_end_names_what_is_left() -> None:
    api = FakeKubernetes()
    api.add_node("w1")
    api.add_pod("default", "web", "w1")
    api.budgets["default", "web"] = 10**9
    with pytest.raises(DrainError, match=r"default/web; it stays cordoned"):
        asyncio.run(drain(api, "w1", Patience(seconds=0.05, pause=0.0), lambda _: None))


def test_a_forgotten_node_takes_its_pods_along() -> None:
    api = FakeKubernetes()
    api.add_node("w1")
    api.add_pod("kube-system", "etcd", "w1")
    asyncio.run(forget(api, "w1"))
    asyncio.run(forget(api, "w1"))
    assert not api.objects
    assert not api.pods


def test_a_server_that_is_away_is_told() -> None:
    api = FakeKubernetes(away="nobody listens there")
    assert asyncio.run(api.ready()) == "nobody listens there"
    with pytest.raises(KubernetesError, match="nobody listens there"):
        keep(api, W1)


def test_what_we_closed_we_open_and_nothing_else() -> None:
    api = FakeKubernetes()
    api.add_node("w1", podCIDR="10.10.1.0/24")
    api.add_node("w2", unschedulable=True)

    async def all_of(deed: Callable[[FakeKubernetes, Object], Awaitable[None]]) -> list[bool]:
        for _ in range(2):  # each may be done again
            for node in await api.nodes():
                await deed(api, node)
        return [bool(one["spec"].get("unschedulable")) for one in await api.nodes()]

    assert asyncio.run(all_of(cordon)) == [True, True]
    assert api.objects["w1"]["metadata"]["annotations"] == {CORDONED: "yes"}
    assert "annotations" not in api.objects["w2"]["metadata"]
    assert asyncio.run(all_of(uncordon)) == [False, True]
    assert api.objects["w1"]["spec"] == {"podCIDR": "10.10.1.0/24"}


def test_a_node_is_emptied_bit_by_bit_and_each_time_says_what_is_left() -> None:
    api = FakeKubernetes()
    api.add_node("w1")
    owner = [{"kind": "ReplicaSet", "controller": True}]
    for name in ("db", "web"):
        api.add_pod("default", name, "w1", ownerReferences=owner)
    api.add_pod("kube-system", "etcd", "w1", annotations={"kubernetes.io/config.mirror": "x"})
    api.budgets["default", "db"] = 1
    first, second, third = (asyncio.run(empty(api, "w1")) for _ in range(3))
    assert [text.partition(":")[0] for text in first] == ["default/db waits", "default/web leaves"]
    assert second == ("default/db leaves",)
    assert third == ()
    assert list(api.pods) == [("kube-system", "etcd")]
