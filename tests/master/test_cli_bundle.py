"""saltern bundle, as people use it: made here, carried there, and whom the other side believes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from saltern_master.bundle.head import shown
from saltern_master.bundle.signers import FILE
from saltern_master.cli import app
from saltern_master.library import Library
from saltern_protocol.keys import PrivateKey
from typer.testing import CliRunner, Result

from tests.master.bundles import OWN_RESOURCE, made_library
from tests.master.clusters import CONTROLLED, SMALL

AGENT = "saltern-agent_0.1.0-1~deb12_amd64.deb"


def run(*words: str | Path) -> Result:
    return CliRunner(env={"SALTERN_HOME": None}).invoke(app, ["bundle", *map(str, words)])


def done(*words: str | Path) -> Result:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def maker(tmp_path: Path) -> Path:
    """Give a connected master's directory with a library, a cluster file beside it."""
    home = tmp_path / "maker"
    CliRunner().invoke(app, ["init", str(home)])
    made_library(home)
    (tmp_path / "cluster.yaml").write_text(SMALL)
    (tmp_path / AGENT).write_text("an agent")
    return home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give the directory of a master without internet, with a root of its own."""
    CliRunner().invoke(app, ["init", str(tmp_path / "home")])
    return tmp_path / "home"


@pytest.fixture
def made(maker: Path, tmp_path: Path) -> Path:
    words = ("--agent", tmp_path / AGENT, "--home", maker)
    done("create", "-f", tmp_path / "cluster.yaml", "-o", tmp_path / "file", *words)
    return tmp_path / "file"


def fingerprint(home: Path) -> str:
    found = json.loads(done("key", "--home", home, "--output", "json").stdout)
    return str(found["fingerprints"][0])


def test_made_here_and_taken_there(maker: Path, home: Path, made: Path, tmp_path: Path) -> None:
    signer = fingerprint(maker)
    good = done("verify", made, "--signer", signer)
    assert "kubelet 1.20.2 amd64" in good.stdout
    assert AGENT in good.stdout
    assert f"{made} is good" in good.stderr
    saved = tmp_path / "saved"
    saved.mkdir()

    first = done("import", made, "--signer", signer, "--save", saved, "--home", home)

    assert "10 of 10 were not here as they are now" in first.stderr
    assert f"bundles of {signer} are taken from now on without asking" in first.stderr
    assert {line.split()[0] for line in first.stdout.splitlines()[1:]} == {"new"}
    assert (saved / "demo.yaml").read_text() == SMALL
    assert (saved / AGENT).read_text() == "an agent"
    again = done("import", made, "--home", home)
    assert "0 of 10 were not here" in again.stderr
    assert "without asking" not in again.stderr
    assert Library(home).binary("1.20.2", "kubelet").size == len(b"the program kubelet")


def test_programs_read_all_of_it_as_json(maker: Path, home: Path, made: Path) -> None:
    signer = fingerprint(maker)
    json_of = {
        words[0]: json.loads(done(*words, "--output", "json").stdout)
        for words in (
            ("show", made),
            ("verify", made, "--signer", signer),
            ("import", made, "--signer", signer, "--home", home),
            ("signers", "--home", home),
        )
    }
    assert json_of["show"] == json_of["verify"]["bundle"]
    assert json_of["show"]["signers"] == [signer]
    assert json_of["verify"] | {"bundle": None} == {
        "file": str(made), "good": True, "faults": [], "bundle": None,
    }  # fmt: skip
    assert json_of["import"]["brought"] == len(json_of["import"]["rows"]) == 10
    assert json_of["import"]["signerKept"] is True
    assert [one["fingerprints"] for one in json_of["signers"]] == [[signer]]
    gone = done("forget", signer, "--home", home, "--output", "json")
    assert json.loads(gone.stdout) == json_of["signers"]
    assert done("signers", "--home", home).stdout == "signer\n"


def test_a_hurt_bundle_is_told_with_everything_wrong(maker: Path, home: Path, made: Path) -> None:
    data = bytearray(made.read_bytes())
    data[-1500] ^= 1
    made.write_bytes(bytes(data[:-512]))
    stranger = "0000-" * 7 + "0000"
    bad = run("verify", made, "--signer", stranger, "--output", "json")
    assert bad.exit_code == 1
    found = json.loads(bad.stdout)
    assert (found["good"], len(found["faults"])) == (False, 3), found["faults"]
    assert f"{stranger} has not" in found["faults"][0]
    assert all(fault.partition("\n")[0] in bad.stderr for fault in found["faults"])

    refused = run("import", made, "--signer", fingerprint(maker), "--home", home)

    assert refused.exit_code == 1
    assert "nothing of it was taken in" in refused.stderr
    assert Library(home).list().binaries == ()
    assert not (home / FILE).exists()


@pytest.mark.parametrize("content", [b"", b"x" * 5000, b"head".ljust(512, b"\0")])
def test_what_is_no_bundle_is_told(tmp_path: Path, home: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    for words in (("verify", "--signer", "0" * 32), ("show",), ("import", "--home", home)):
        result = run(words[0], tmp_path / "x", *words[1:])
        assert result.exit_code == 1
        assert "does not begin as a bundle does" in result.output


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("verify", "FILE"), "give --signer FINGERPRINT"),
        (("verify", "FILE", "--signer", "short"), '"short" is neither a fingerprint'),
        (("verify", "NONE", "--signer", "0" * 32), "there is no such file"),
        (("import", "NONE", "--home", "HOME"), "there is no such file"),
        (("import", "FILE", "--home", "NONE"), "it has no keys; run: saltern init"),
        (("import", "FILE", "--home", "HOME", "--signer", "x"), "is neither a fingerprint"),
        (("import", "FILE", "--home", "MAKER", "--signer", "SIGNER", "--save", "NONE"), "make it"),
        (("show", "NONE"), "there is no such file"),
        (("create", "-f", "NONE", "-o", "OUT", "--home", "MAKER"), "cannot read"),
        (("create", "-f", "FILE", "-o", "OUT", "--home", "MAKER"), "the cluster file"),
        (("create", "-f", "CLUSTER", "-o", "OUT", "--arch", "z80", "--home", "MAKER"), "'z80'"),
        (
            ("create", "-f", "CLUSTER", "-o", "OUT", "--key", "NONE", "--home", "HOME"),
            "cannot read",
        ),
        (("sign", "FILE", "--key", "NONE"), "cannot read"),
        (("forget", "x", "--home", "HOME"), "is neither a fingerprint"),
    ],
)
def test_a_wrong_command_line_or_file_ends_with_2(
    maker: Path, home: Path, made: Path, tmp_path: Path, words: tuple[str, ...], text: str
) -> None:
    places: dict[str, str | Path] = {
        "FILE": made, "NONE": tmp_path / "none", "HOME": home, "MAKER": maker,
        "OUT": tmp_path / "out", "CLUSTER": tmp_path / "cluster.yaml", "SIGNER": fingerprint(maker),
    }  # fmt: skip
    result = run(*(places.get(word, word) for word in words))
    assert result.exit_code == 2, result.output
    assert text in result.stderr
    assert not (tmp_path / "out").exists()


def test_all_that_the_library_lacks_is_told_with_status_1(maker: Path, tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text(CONTROLLED + OWN_RESOURCE.replace("tool", "other"))
    (tmp_path / "empty").mkdir()
    result = run(
        "create", "-f", tmp_path / "more.yaml", "-o", tmp_path / "out", "--home", tmp_path / "empty"
    )
    assert result.exit_code == 1
    assert result.stderr.count("run: saltern") == 9
    taken = run("create", "-f", tmp_path / "cluster.yaml", "-o", tmp_path, "--home", maker)
    assert taken.exit_code == 1
    assert "is not overwritten" in taken.stderr


def test_whom_it_believes_is_said_once_by_a_person(
    maker: Path, home: Path, made: Path, tmp_path: Path
) -> None:
    unasked = run("import", made, "--home", home)  # nobody to ask
    assert unasked.exit_code == 1
    assert "this master knows nobody whose bundles it takes" in unasked.stderr
    wrong = run("import", made, "--signer", "0" * 32, "--home", home)
    assert wrong.exit_code == 1
    assert f"{fingerprint(maker)} signed it" in wrong.stderr
    assert Library(home).list().binaries == ()
    done("import", made, "--signer", fingerprint(maker), "--home", home)

    CliRunner().invoke(app, ["key", "make", str(tmp_path / "other.key")])
    words = ("-f", tmp_path / "cluster.yaml", "--home", maker)
    done("create", *words, "-o", tmp_path / "theirs", "--key", tmp_path / "other.key")
    strange = run("import", tmp_path / "theirs", "--home", home)
    assert strange.exit_code == 1
    assert f"takes those of {fingerprint(maker)}" in strange.stderr

    assert fingerprint(maker) in done("signers", "--home", home).stdout
    gone = done("forget", fingerprint(maker), "--home", home)
    assert f"takes no more bundles of {fingerprint(maker)}" in gone.stderr
    assert gone.stdout == ""
    assert run("import", made, "--home", home).exit_code == 1
    assert run("forget", fingerprint(maker), "--home", home).exit_code == 1


def asked(made: Path, home: Path, answer: bytes) -> tuple[int, str]:
    """Import at a terminal and answer; give the status and all that was shown."""
    ours, terminal = os.openpty()
    program = "from saltern_master.cli import main; main()"
    words = ["bundle", "import", str(made), "--home", str(home)]
    os.write(ours, answer)
    try:
        done = subprocess.run(
            [sys.executable, "-c", program, *words],
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=30,
        )
    finally:
        os.close(ours)
        os.close(terminal)
    return done.returncode, done.stdout.decode()


@pytest.mark.parametrize(("answer", "status"), [(b"y\n", 0), (b"n\n", 2), (b"\n", 2)])
def test_a_person_is_asked_once(
    maker: Path, home: Path, made: Path, answer: bytes, status: int
) -> None:
    found, said = asked(made, home, answer)
    assert found == status, said
    assert f"signed by {fingerprint(maker)}" in said
    assert "Did its maker tell you that, by another way than the file? [y/N]" in said
    assert (home / FILE).exists() == (Library(home).list().binaries != ()) == (status == 0)
    if status == 0:
        assert "Did its maker" not in asked(made, home, b"")[1]


def test_two_people_sign_off_line_and_both_are_wanted(
    maker: Path, home: Path, made: Path, tmp_path: Path
) -> None:
    """The ceremony of docs/howto/air-gap.md."""
    names = {}
    for name in ("ann", "bob"):
        line = CliRunner().invoke(app, ["key", "make", str(tmp_path / name), "--output", "json"])
        names[name] = json.loads(line.stdout)["fingerprint"]
    both = ("--signer", names["ann"], "--signer", names["bob"])
    done("sign", made, "--key", tmp_path / "ann", "--yes")
    one = run("verify", made, *both)
    assert (one.exit_code, f"{names['bob']} has not" in one.stderr) == (1, True)
    unsure = CliRunner().invoke(
        app, ["bundle", "sign", str(made), "--key", str(tmp_path / "bob")], input="n\n"
    )
    assert (unsure.exit_code, "the file is as it was" in unsure.stderr) == (2, True)
    signed = done("sign", made, "--key", tmp_path / "bob", "--yes", "--output", "json")
    assert set(json.loads(signed.stdout)["signers"]) == {*names.values(), fingerprint(maker)}
    done("verify", made, *both)
    twice = run("sign", made, "--key", tmp_path / "bob", "--yes")
    assert (twice.exit_code, "has signed already" in twice.stderr) == (1, True)

    done("import", made, *both, "--home", home)

    words = ("-f", tmp_path / "cluster.yaml", "--home", maker)
    done("create", *words, "-o", tmp_path / "half", "--key", tmp_path / "ann")
    assert run("import", tmp_path / "half", "--home", home).exit_code == 1
    done(
        "create", *words, "-o", tmp_path / "x", "--key", tmp_path / "ann", "--key", tmp_path / "bob"
    )
    done("import", tmp_path / "x", "--home", home)


def test_kubectl_comes_along_where_it_is_wanted(maker: Path, tmp_path: Path) -> None:
    words = ("-f", tmp_path / "cluster.yaml", "--home", maker, "--kubectl", "--output", "json")
    found = json.loads(done("create", *words, "-o", tmp_path / "file").stdout)
    assert "kubectl 1.20.2 amd64" in {one["name"] for one in found["things"]}


def test_a_file_of_signers_that_cannot_be_read_takes_nothing(
    maker: Path, home: Path, made: Path
) -> None:
    done("import", made, "--signer", fingerprint(maker), "--home", home)
    (home / FILE).write_text('{"form": "saltern-bundle-signers/2", "signers": []}')
    result = run("import", made, "--home", home)
    assert (result.exit_code, "move it away" in result.stderr) == (1, True)


def test_a_file_of_signers_that_others_can_write_takes_nothing(
    maker: Path, home: Path, made: Path
) -> None:
    done("import", made, "--signer", fingerprint(maker), "--home", home)
    (home / FILE).chmod(0o666)
    result = run("import", made, "--home", home)
    assert (result.exit_code, f"run: chmod 0644 {home / FILE}" in result.stderr) == (1, True)
    (home / FILE).rename(home / "elsewhere")
    (home / FILE).symlink_to(home / "elsewhere")
    assert "it is a symlink" in run("import", made, "--home", home).stderr


def test_what_is_saved_overwrites_nothing(
    maker: Path, home: Path, made: Path, tmp_path: Path
) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / AGENT).write_text("mine")
    words = ("--signer", fingerprint(maker), "--save", tmp_path / "to", "--home", home)
    result = run("import", made, *words)
    assert (result.exit_code, "is not overwritten" in result.stderr) == (2, True)
    assert Library(home).list().binaries == ()
    assert (tmp_path / "to" / AGENT).read_text() == "mine"


def test_it_tells_no_private_key(maker: Path, home: Path, made: Path) -> None:
    secret = (maker / "keys" / "bundle.key").read_text().strip()
    assert (maker / "keys" / "bundle.key").stat().st_mode & 0o777 == 0o600
    signer = fingerprint(maker)
    assert shown(PrivateKey.from_seed(bytes.fromhex(secret)).public) == signer
    said = [
        done("key", "--home", maker),
        done("show", made),
        done("verify", made, "--signer", signer),
    ]
    assert not any(secret in one.output for one in said)
    assert bytes.fromhex(secret) not in made.read_bytes()


def test_verify_reads_no_home(maker: Path, made: Path) -> None:
    """In a process that has no home and no library, with nothing but the file."""
    program = "from saltern_master.cli import main; main()"
    words = ["bundle", "verify", str(made), "--signer", fingerprint(maker)]
    environment = {**os.environ, "HOME": "/nonexistent", "SALTERN_HOME": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-c", program, *words], env=environment, capture_output=True, timeout=30
    )
    assert done.returncode == 0, done.stderr


STRACE = Path("/usr/bin/strace")


@pytest.mark.skipif(not STRACE.exists(), reason="strace refuses the links")
@pytest.mark.parametrize("error", ["EPERM", "EOPNOTSUPP"])
def test_a_file_system_without_hard_links_holds_a_bundle(
    maker: Path, tmp_path: Path, error: str
) -> None:
    """A stick's: FAT has none."""
    program = "from saltern_master.cli import main; main()"
    words = ["bundle", "create", "-f", tmp_path / "cluster.yaml", "--home", maker]
    trace = [str(STRACE), "-qq", "-f", "-o", str(tmp_path / "log"), "-e", "trace=link,linkat"]
    trace += ["-e", f"inject=link,linkat:error={error}", sys.executable, "-c", program]
    for status in (0, 1):  # the second time it is there
        command = [*trace, *map(str, words), "-o", str(tmp_path / "stick")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=50)
        assert done.returncode == status, done.stderr
        assert (error in (tmp_path / "log").read_text()) == (status == 0)
    assert "is not overwritten" in done.stderr
    assert run("verify", tmp_path / "stick", "--signer", fingerprint(maker)).exit_code == 0
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a directory away")
def test_who_may_not_look_is_told(made: Path) -> None:
    """As root without its power over others' files: a checkout may be closed to all but root."""
    os.chown(made.parent, 65534, 65534)
    made.parent.chmod(0o700)
    powerless = "-dac_override,-dac_read_search"
    words = ["bundle", "verify", str(made), "--signer", "0" * 32]
    done = subprocess.run(
        [
            "/usr/bin/setpriv",
            f"--bounding-set={powerless}",
            f"--inh-caps={powerless}",
            sys.executable,
            "-c",
            "from saltern_master.cli import main; main()",
            *words,
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == f"saltern: cannot read {made}: Permission denied\n"
