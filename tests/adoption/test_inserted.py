"""A part into a cluster file that is there: nothing else in it moves."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from saltern_master.adopt.describe import describe
from saltern_master.adopt.insert import InsertError, inserted
from saltern_master.cluster.load import load

from tests.adoption.nodes import guides_node, survey_of

HEAD = """\
# our cluster
apiVersion: saltern/v1
cluster: {name: demo}
kubernetes: {version: 1.20.2}
network: {pods: 10.10.0.0/16}
"""
NODES = "nodes:\n- {name: n1, address: 10.9.0.31}   # the first\n"
INDENTED = "nodes:\n  - name: n1\n    address: 10.9.0.31\n"
GROUPS = "groups:\n- match: role=worker\n  sysctls: {vm.swappiness: '1'}\n"
MAINTENANCE = "# when people work\nmaintenance: []\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(HEAD + NODES, id="no groups"),
        pytest.param(HEAD + NODES + GROUPS, id="groups"),
        pytest.param(HEAD + GROUPS + NODES, id="groups first"),
        pytest.param(HEAD + INDENTED + "groups: []\n" + MAINTENANCE, id="indented, empty groups"),
        pytest.param(HEAD + NODES + "\n# about groups\n" + GROUPS + "\n" + MAINTENANCE, id="more"),
        pytest.param(HEAD + NODES + GROUPS.rstrip("\n"), id="no end of line"),
        pytest.param(f"---\n{HEAD}{NODES}...\n", id="marks of a document"),
    ],
)
def test_the_file_is_what_it_was_and_the_part(text: str) -> None:
    part = describe(survey_of(guides_node()), "")
    before = load(text.encode()).cluster

    after = inserted(text, part)

    cluster = load(after.encode()).cluster
    assert [one.name for one in cluster.nodes] == ["n1", "w1"]
    assert cluster.groups[-1].resources == tuple(one.resource for one in part.held)
    assert replace(cluster, nodes=cluster.nodes[:-1], groups=cluster.groups[:-1]) == before, (
        "nothing else moved"
    )
    lines = [line for line in text.splitlines() if line not in ("groups: []", "...")]
    rest = iter(after.splitlines())
    assert all(line in rest for line in lines), "every line is there, in its order"


def test_a_bare_node_that_the_file_names_already_gets_its_group() -> None:
    text = HEAD + "nodes:\n- {name: w1, address: 10.9.0.40, roles: [bare]}\n"

    after = inserted(text, describe(survey_of(guides_node()), ""))

    cluster = load(after.encode()).cluster
    assert [(one.name, one.address) for one in cluster.nodes] == [("w1", "10.9.0.40")]
    assert len(cluster.groups) == 1


def test_a_file_of_two_bytes_at_a_lines_end_keeps_them() -> None:
    text = (HEAD + NODES + MAINTENANCE).replace("\n", "\r\n")

    after = inserted(text, describe(survey_of(guides_node()), ""))

    assert after.count("\r\n") == after.count("\n")
    assert after.startswith(HEAD.replace("\n", "\r\n"))


def test_what_was_put_in_once_is_not_put_in_again() -> None:
    part = describe(survey_of(guides_node()), "")
    once = inserted(HEAD + NODES, part)

    with pytest.raises(InsertError, match=r"take that group out of the file, and adopt again") as e:
        inserted(once, part)
    assert f"has {len(part.held)} of these" in str(e.value)


def test_a_node_that_shall_be_a_worker_is_not_adopted_as_it_is() -> None:
    text = HEAD + "nodes:\n- {name: w1, address: 10.9.0.40}\n"

    with pytest.raises(InsertError, match="the file has it as worker"):
        inserted(text, describe(survey_of(guides_node()), ""))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(HEAD + "nodes: [{name: n1, address: 10.9.0.31}]\n", id="nodes on one line"),
        pytest.param(HEAD + "nodes:\n  [{name: n1, address: 10.9.0.31}]\n", id="in brackets"),
    ],
)
def test_a_list_of_another_form_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(InsertError, match="by hand"):
        inserted(text, describe(survey_of(guides_node()), ""))
