"""The command line: results on standard output, the rest on standard error, a status for each."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from saltern_master.cli import app
from saltern_master.library import Binary, Library
from saltern_master.signing.home import Home
from saltern_master.signing.recorded import open_store
from typer.testing import CliRunner, Result

from tests.master.clusters import FULL, SMALL
from tests.master.test_cluster_file import SIX_MISTAKES


def run(*words: str | Path) -> Result:
    return CliRunner(env={"SALTERN_HOME": None}).invoke(app, [str(word) for word in words])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    assert run("init", home).exit_code == 0
    return home


@pytest.fixture
def stocked(home: Path, tmp_path: Path) -> Path:
    program = tmp_path / "kubelet"
    program.write_bytes(b"a kubelet")
    library = Library(home)
    library.add_binary(
        Binary(
            version="1.20.2",
            component="kubelet",
            architecture="amd64",
            sha256=library.add_blob(program),
            size=9,
            origin="directory",
        )
    )
    return home


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "cluster.yaml"
    path.write_text(text)
    return path


def test_init_shows_the_keys_and_never_a_secret(tmp_path: Path) -> None:
    home = tmp_path / "home"
    result = run("init", home, "--cluster", "demo", "--output", "json")
    assert result.exit_code == 0
    roles = ["root", "policy", "state", "lease", "link"]
    assert [key["role"] for key in json.loads(result.stdout)] == roles
    for path in (home / "keys").iterdir():
        assert path.read_text().strip() not in result.output
    again = run("init", home)
    assert again.exit_code == 1
    assert again.stderr.startswith("saltern: cannot make a new home")


def test_a_file_with_six_mistakes_gets_six_errors_and_status_2(home: Path, tmp_path: Path) -> None:
    for command in ("compile", "sign"):
        result = run(command, written(tmp_path, SIX_MISTAKES), "--home", home)
        assert result.exit_code == 2
        assert result.stdout == ""
        head, *faults = result.stderr.splitlines()
        assert head == "saltern: cannot take the cluster file: 6 faults"
        assert [fault.split(":")[0].strip() for fault in faults] == [
            "cluster.domian",
            "network.perNode",
            "nodes[0].roles[0]",
            "nodes[1].address",
            "groups[0].match",
            "groups[1].kubelet.config.maxPod",
        ]


def test_compile_shows_nodes_and_records_nothing(stocked: Path, tmp_path: Path) -> None:
    file = written(tmp_path, FULL)
    table = run("compile", file, "--home", stocked)
    assert table.exit_code == 0
    assert "w1: worker, pods 10.10.0.128/25, " in table.stdout
    assert "note: " in table.stderr
    as_json = json.loads(run("compile", file, "--home", stocked, "--output", "json").stdout)
    as_yaml = run("compile", file, "--home", stocked, "--output", "yaml").stdout
    assert [node["node"] for node in as_json] == ["b1", "w1", "w2"]
    assert YAML(typ="safe", pure=True).load(as_yaml) == as_json
    with open_store(Home(stocked)) as store:
        assert store.list("") == ()


def test_compile_says_what_the_library_lacks(home: Path, tmp_path: Path) -> None:
    result = run("compile", written(tmp_path, SMALL), "--home", home)
    assert result.exit_code == 2
    assert "run: saltern binaries add 1.20.2" in result.stderr


def test_facts_of_a_node_are_taken_from_its_file(stocked: Path, tmp_path: Path) -> None:
    facts = stocked / "facts" / "w1.json"
    facts.write_text('{"mtu": 9000, "iptablesBackend": "legacy"}')
    result = run("compile", written(tmp_path, SMALL), "--home", stocked, "--output", "json")
    by_id = {one["id"]: one["spec"] for one in json.loads(result.stdout)[0]["resources"]}
    assert by_id["network/cbr0"]["mtu"] == 9000
    assert by_id["network/SALTERN-POST"]["backend"] == "legacy"
    assert "no facts" not in result.stderr
    facts.write_text("{")
    broken = run("compile", written(tmp_path, SMALL), "--home", stocked)
    assert broken.exit_code == 1
    assert "run saltern-agent facts on the node again" in broken.stderr


def test_sign_and_show_a_statement(stocked: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run(
        "sign", written(tmp_path, SMALL), "--home", stocked, "--out", out, "--output", "json"
    )
    assert result.exit_code == 0
    (row,) = json.loads(result.stdout)
    assert (row["node"], row["version"]) == ("w1", 1)
    assert sorted(path.name for path in out.iterdir()) == ["blobs", "w1.identity", "w1.statement"]
    shown = run("show", out / "w1.statement")
    assert "kubelet/kubelet.service" in shown.stdout
    (full,) = json.loads(run("show", out / "w1.statement", "--output", "json").stdout)
    assert full["sha256"] == row["body"]
    assert run("show", out / "w1.identity").stdout.startswith("type         identity/1\n")


def test_a_written_body_can_be_shown(stocked: Path, tmp_path: Path) -> None:
    out = tmp_path / "bodies"
    assert run("compile", written(tmp_path, SMALL), "--home", stocked, "--out", out).exit_code == 0
    (shown,) = json.loads(run("show", out / "w1.body", "--output", "json").stdout)
    assert shown["resources"] == json.loads((out / "w1.json").read_text())


def test_policy_is_signed_again_and_told(home: Path) -> None:
    result = run("policy", "--home", home)
    assert result.exit_code == 0
    assert result.stderr.startswith("signed policy 2; it expires ")
    (home / "policy.yaml").write_text("apiVersion: saltern/v1\n")
    result = run("policy", "--home", home)
    assert result.exit_code == 2
    assert "the policy file: 1 fault\n  classes: line 1: is missing" in result.stderr


def test_what_a_person_wrote_is_text_and_never_markup(stocked: Path, tmp_path: Path) -> None:
    text = SMALL + 'resources: [{id: a, spec: {kind: "[red]x[/red]\\e[31m"}}]\n'
    result = run("compile", written(tmp_path, text), "--home", stocked)
    assert "[red]x[/red]\\x1b[31m" in result.stderr
    assert "\x1b" not in result.output


def test_blobs_are_kept_by_their_hash(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "tool"
    file.write_bytes(b"a tool")
    (row,) = json.loads(run("blobs", "add", file, "--home", home, "--output", "json").stdout)
    assert Library(home).path(row["sha256"]).read_bytes() == b"a tool"


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("compile", "/no/such/file"), 2, "saltern: cannot read /no/such/file"),
        (("sign", "/no/such/file"), 2, "saltern: cannot read /no/such/file"),
        (("apply", "/no/such/file"), 2, "saltern: cannot read /no/such/file"),
        (("show", "/dev/null"), 2, "saltern: cannot show /dev/null"),
        (("blobs", "add", "/dev/no", "/no"), 2, "saltern: cannot read /dev/no, /no: there is no"),
        (("compile",), 2, "Missing argument"),
        (("nonsense",), 2, "No such command"),
        (("packages", "add", "x", "--base", "/no"), 2, "saltern: cannot read /no; give the status"),
        (("packages", "list", "--home", "/no"), 0, ""),
    ],
)
def test_status_and_text(words: tuple[str, ...], status: int, told: str) -> None:
    result = run(*words)
    assert result.exit_code == status
    assert told in result.stderr


def test_the_version_is_told_and_nothing_else_is_needed() -> None:
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"saltern {version('saltern-master')}\n")


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        (("apply",), "apply [OPTIONS] [FILE]"),
        (("node", "token"), "node token [OPTIONS] NAME"),
        (("lab", "exec"), "lab exec [OPTIONS] NODE PROGRAM..."),
        (("lab", "install"), "lab install [OPTIONS] [NODE]..."),
        (("releases", "add"), "releases add [OPTIONS] FILE..."),
        (("drift", "watch"), "drift watch [OPTIONS] [NODE]..."),
    ],
)
def test_usage_names_what_is_needed_as_it_is_written(words: tuple[str, ...], usage: str) -> None:
    assert run(*words, "--help").stdout.splitlines()[0].strip().endswith(f" {usage}")
