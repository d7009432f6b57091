"""A bundle goes from one master's library to a node of another master, which has nothing else.

All of it is real: two homes with roots of their own, the master's processes, the node's agent in
a directory, and the commands that people type.
"""

from __future__ import annotations

import getpass
import grp
import hashlib
import json
import os
from pathlib import Path

import pytest
from saltern_master.api.service import ServiceError
from saltern_master.cli import app
from saltern_master.library import Library
from saltern_master.signing.home import Home
from saltern_master.signing.init import init
from typer.testing import CliRunner

from tests.master.bundles import OWN
from tests.master.homes import NOW, Chance
from tests.master.test_core_process import running, wait
from tests.master.test_plan_end_to_end import agent, ended

TOOL = "etc/docker/tool"
FILE = f"""\
apiVersion: saltern/v1
cluster: {{name: demo}}
kubernetes: {{version: 1.20.2}}
network: {{pods: 10.10.0.0/16}}
nodes:
- {{name: b1, address: 10.9.0.11, roles: [bare]}}
resources:
- id: tool
  spec:
    kind: artifact/1
    path: /{TOOL}
    sha256: {hashlib.sha256(OWN).hexdigest()}
    owner: {getpass.getuser()}
    group: {grp.getgrgid(os.getegid()).gr_name}
"""


def saltern(*words: str | Path) -> str:
    done = CliRunner(env={"SALTERN_HOME": None}).invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.timeout(120)
def test_a_node_gets_by_hash_what_a_bundle_brought_its_master(tmp_path: Path) -> None:
    maker, home = tmp_path / "maker", Home(tmp_path / "home")
    saltern("init", maker)
    init(home, "demo", NOW, Chance())
    (tmp_path / "cluster.yaml").write_text(FILE)
    (tmp_path / "tool").write_bytes(OWN)
    saltern("blobs", "add", tmp_path / "tool", "--home", maker)
    words = ("-f", tmp_path / "cluster.yaml", "-o", tmp_path / "file", "--home", maker)
    made = json.loads(saltern("bundle", "create", *words, "--output", "json"))

    with running(home) as master, agent(master.client, "b1", tmp_path / "b1"):
        client = master.client
        wait("it is here", lambda: sum(one.connected for one in client.status().nodes) == 1)
        with pytest.raises(ServiceError) as caught:
            client.apply(FILE.encode())
        assert "blobs are missing" in str(caught.value)

        words = ("--signer", made["signers"][0], "--save", tmp_path, "--home", home.path)
        saltern("bundle", "import", tmp_path / "file", *words)
        turn = client.apply((tmp_path / "demo.yaml").read_bytes())

        assert ended(client, turn) == {"b1": "changed"}
        assert (tmp_path / "b1" / TOOL).read_bytes() == OWN
        assert Library(home.path).list() == Library(maker).list()  # no entry: only the content
