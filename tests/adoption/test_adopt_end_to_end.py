"""A real master, and a real agent in a directory that hands have filled: read, taken, held."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from saltern_master.cli import app
from saltern_master.cluster.load import load
from typer.testing import CliRunner, Result

from tests.adoption.nodes import DAEMON, KEY, PLANTED, POD, kubeconfig
from tests.lab.held import wait_until
from tests.master.homes import made_home
from tests.master.test_core_process import running, wait
from tests.master.test_plan_end_to_end import agent

DAEMON_JSON = "etc/docker/daemon.json"
WEB = "etc/kubernetes/manifests/web.yaml"


def made_by_hand(root: Path) -> None:
    """Fill a directory as the guide's reader fills a machine."""
    texts = {
        DAEMON_JSON: json.dumps(DAEMON),
        WEB: POD,
        "etc/kubernetes/pki/sa.key": KEY,
        "etc/kubernetes/admin.conf": kubeconfig("token: hunter2-planted"),
        "etc/sysctl.d/99-kubernetes.conf": "net.ipv4.ip_forward=1\n",
    }
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
        (root / path).chmod(0o640)


def snapshot(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Give what stands below etc, by path: mode, change time, content; not the agent's own."""
    found = {}
    for path in sorted((root / "etc").rglob("*")):
        state = path.lstat()
        if "saltern" not in path.parts and path.is_file():
            key = str(path.relative_to(root))
            found[key] = (state.st_mode, state.st_ctime_ns, path.read_bytes())
    return found


@pytest.mark.timeout(180)
def test_a_node_made_by_hand_is_read_planned_with_no_change_taken_and_held(tmp_path: Path) -> None:
    home, root = made_home(tmp_path), tmp_path / "w1"
    out = tmp_path / "cluster.yaml"

    def saltern(*words: str) -> Result:
        return CliRunner().invoke(app, [*words, "--home", str(home.path)])

    with running(home) as master, agent(master.client, "w1", root):
        made_by_hand(root)
        before = snapshot(root)
        wait("it is here", lambda: any(one.connected for one in master.client.status().nodes))
        describe = ["--address", "10.9.0.21", "--kubernetes", "1.20.2", "--write", str(out)]

        done = saltern("adopt", "w1", *describe)

        assert done.exit_code == 0, done.output
        assert "plan: 0 changes" in done.stdout
        text = out.read_text()
        assert [word for word in PLANTED if word in text + done.output] == []
        assert "/etc/kubernetes/admin.conf: secret" in text
        assert "/etc/kubernetes/pki: sa.key" in text
        assert "path /etc/sysctl.d/99-kubernetes.conf: the policy" in text
        (node,) = load(out.read_bytes()).cluster.nodes
        assert (node.name, node.address, node.roles) == ("w1", "10.9.0.21", ("bare",))
        assert snapshot(root) == before
        assert master.client.node("w1").version == 0, "nothing was given to it"

        taken = saltern("adopt", "w1", "--take", "--file", str(out))

        assert taken.exit_code == 0, taken.output
        assert snapshot(root) == before
        assert master.client.node("w1").version == 1

        (root / DAEMON_JSON).write_text("{}")
        (root / "etc/kubernetes/manifests/stray.yaml").write_text("kind: Pod\n")
        wait_until(lambda: (root / DAEMON_JSON).read_text() == json.dumps(DAEMON), "it is held")
        wait_until(
            lambda: not (root / "etc/kubernetes/manifests/stray.yaml").exists(), "and alone there"
        )


@pytest.mark.timeout(180)
def test_a_stale_reading_is_not_taken(tmp_path: Path) -> None:
    home, root = made_home(tmp_path), tmp_path / "w1"
    out = tmp_path / "cluster.yaml"

    def saltern(*words: str) -> Result:
        return CliRunner().invoke(app, [*words, "--home", str(home.path)])

    with running(home) as master, agent(master.client, "w1", root):
        made_by_hand(root)
        wait("it is here", lambda: any(one.connected for one in master.client.status().nodes))
        describe = ["--address", "10.9.0.21", "--kubernetes", "1.20.2", "--write", str(out)]
        assert saltern("adopt", "w1", *describe).exit_code == 0
        (root / WEB).write_text("kind: Pod # another hand was here\n")
        before = snapshot(root)

        refused = saltern("adopt", "w1", "--take", "--file", str(out))

        assert refused.exit_code == 1
        assert "adopted/etc/kubernetes/manifests/web.yaml" in refused.stdout
        assert "plan: 1 change\n" in refused.stdout
        assert "longer as it was read" in refused.output
        assert snapshot(root) == before
        assert master.client.node("w1").version == 0
