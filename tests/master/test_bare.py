"""A bare node holds its own resources and nothing of Kubernetes; images that groups want."""

import pytest
from saltern_master.cluster.faults import ClusterFileError
from saltern_master.cluster.load import load
from saltern_master.compile.allocation import Allocation
from saltern_master.compile.cluster import compile_cluster
from saltern_states.body import Body

from tests.master.clusters import CONTROLLED, PKI, SMALL, STOCK

BARE = """\
- {name: store, address: 10.9.0.31, roles: [bare]}
groups:
- match: role=bare
  resources:
  - {id: motd, spec: {kind: file/1, path: /etc/motd, text: "A store.\\n"}}
"""


def bodies(text: str) -> dict[str, Body]:
    file = load(text.encode())
    pki = PKI if file.cluster.control_plane else None
    done = compile_cluster(file, {}, Allocation(), STOCK, pki)
    return {one.node.name: one.body for one in done.nodes}


def test_a_bare_node_has_its_own_resources_and_no_range() -> None:
    file = load((SMALL + BARE).encode())
    done = compile_cluster(file, {}, Allocation(), STOCK)
    assert [one.id for one in done.nodes[1].body.resources] == ["motd"]
    assert set(done.allocation.ranges) == {"w1"}
    assert not [note for note in done.notes if note.startswith("store")]


def test_a_bare_node_changes_no_other() -> None:
    node, _, _ = BARE.partition("groups:")
    before = bodies(CONTROLLED)
    nodes, groups, rest = CONTROLLED.partition("groups:")
    after = bodies(nodes + node + groups + rest)
    assert {name: body for name, body in after.items() if name != "store"} == before


def test_a_bare_node_has_no_other_role() -> None:
    with pytest.raises(ClusterFileError, match="a bare node runs nothing of Kubernetes"):
        load((SMALL + "- {name: x, address: 10.9.0.41, roles: [bare, worker]}\n").encode())


def test_images_that_a_group_wants_are_brought_once() -> None:
    group = 'groups:\n- {match: "name=w1", images: ["saltern/echo:1", "saltern/echo:1"]}\n'
    (body,) = bodies(SMALL + group).values()
    assert [one.id for one in body.resources if one.id.startswith("kubelet/images/")] == [
        "kubelet/images/saltern/pause:3.2",
        "kubelet/images/saltern/echo:1",
    ]


def test_what_is_no_image_with_a_tag_is_refused() -> None:
    group = 'groups:\n- {match: "name=w1", images: ["Echo", "saltern/echo"]}\n'
    with pytest.raises(ClusterFileError) as caught:
        load((SMALL + group).encode())
    assert len(caught.value.faults) == 2
