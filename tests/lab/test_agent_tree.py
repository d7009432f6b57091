"""The name of the agent's directory: it changes with what is in it, and with nothing else."""

from pathlib import Path

import pytest
from saltern_master.lab import LabError, agent_tree


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("packaging/locks/agent.txt", "protocol/p.py", "states/s.py", "agent/a.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


@pytest.mark.parametrize("name", ["packaging/locks/agent.txt", "protocol/p.py", "agent/new.py"])
def test_what_matters_changes_it(checkout: Path, name: str) -> None:
    before = agent_tree.key(checkout)
    (checkout / name).write_text("other")
    assert agent_tree.key(checkout) != before


@pytest.mark.parametrize("name", ["agent/__pycache__/a.pyc", "master/m.py", "docs/d.md"])
def test_what_does_not_matter_does_not(checkout: Path, name: str) -> None:
    before = agent_tree.key(checkout)
    (checkout / name).parent.mkdir(parents=True, exist_ok=True)
    (checkout / name).write_text("other")
    assert agent_tree.key(checkout) == before


def test_a_byte_cannot_move_from_one_file_to_the_next(checkout: Path) -> None:
    (checkout / "agent/a.py").write_text("x\0agent/b.py\0" + "1\0y")
    before = agent_tree.key(checkout)
    (checkout / "agent/a.py").write_text("x")
    (checkout / "agent/b.py").write_text("y")
    assert agent_tree.key(checkout) != before


def test_this_is_a_checkout() -> None:
    assert (agent_tree.checkout() / "agent/saltern_agent/__init__.py").is_file()


def test_without_uv_it_says_where_to_get_it(checkout: Path, tmp_path: Path) -> None:
    assert agent_tree.find_uv(agent_tree.checkout(), "/nowhere").endswith("/uv")
    with pytest.raises(LabError, match="bootstrap puts it in"):
        agent_tree.find_uv(checkout, "/nowhere")
