"""saltern key, as people use it: alone on one machine, and three with a file between them."""

from __future__ import annotations

import json
from contextlib import chdir
from pathlib import Path

import pytest
from saltern_master.cli import app
from saltern_master.signing.authority import newest_policy, newest_root, read_authority
from saltern_master.signing.home import Home, link_public
from saltern_master.signing.next_root import shown
from typer.testing import CliRunner, Result


def run(*words: str | Path) -> Result:
    return CliRunner(env={"SALTERN_HOME": None}).invoke(app, [str(word) for word in words])


def done(*words: str | Path) -> Result:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def home(tmp_path: Path) -> Path:
    done("init", tmp_path / "home")
    return tmp_path / "home"


def made(path: Path) -> str:
    row = json.loads(done("key", "make", path, "--output", "json").stdout)
    assert path.read_text().strip() not in json.dumps(row)
    return str(row["public"])


def listed(home: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(
        done("key", "list", "--home", home, "--output", "json").stdout
    )
    return found


def test_a_key_is_made_anywhere_and_only_its_public_half_is_shown(tmp_path: Path) -> None:
    result = done("key", "make", tmp_path / "me.key")
    assert (tmp_path / "me.key").read_text().strip() not in result.output
    assert (tmp_path / "me.key").stat().st_mode & 0o777 == 0o600
    shown = done("key", "show", tmp_path / "me.key")
    assert shown.stdout == result.stdout
    again = run("key", "make", tmp_path / "me.key")
    assert (again.exit_code, "File exists" in again.stderr) == (1, True)


def test_the_list_says_who_may_what_where_keys_are_and_when_it_ends(home: Path) -> None:
    page = listed(home)
    keys = page["keys"]
    assert isinstance(keys, list)
    assert [(one["role"], one["needed"]) for one in keys] == [
        *((role, "1 of 1") for role in ("root", "policy", "state", "lease")),
        ("link", ""),
    ]
    assert all(Path(one["here"]).is_file() for one in keys)
    assert page["root"]["days"] in (364, 365)  # type: ignore[index]
    assert page["policy"]["days"] in (89, 90)  # type: ignore[index]
    (home / "keys" / "root.key").unlink()
    elsewhere = listed(home)["keys"]
    assert elsewhere[0]["here"] == ""  # type: ignore[index]
    assert "policy 1 expires" in done("key", "list", "--home", home).stderr
    secrets = [path.read_text().strip() for path in (home / "keys").iterdir()]
    assert not any(one in json.dumps(page) for one in secrets)


def test_one_administrator_rotates_revokes_and_renews_each_in_one_command(home: Path) -> None:
    done("key", "rotate", "state", "--home", home)
    (state,) = newest_root(Home(home)).roles.state.keys
    done("key", "revoke", state.fingerprint, "--raise-epoch", "--home", home)
    root = newest_root(Home(home))
    assert (root.version, root.epoch) == (3, 2)
    assert state not in root.roles.state.keys
    result = done("key", "renew", "--home", home)
    assert "root 4 is in force" in result.stderr
    assert read_authority(Home(home)).held_back == ""


def test_two_of_three_people_rotate_root_and_policy_offline(home: Path, tmp_path: Path) -> None:
    """The walk of docs/howto/rotate-keys.md."""
    publics = {name: made(tmp_path / f"{name}.key") for name in ("ann", "bob", "cleo")}
    words = [word for public in publics.values() for word in ("--key", public)]
    proposal = tmp_path / "root-2.proposal"
    done("key", "rotate", "root", *words, "--threshold", "2", "--out", proposal, "--home", home)

    early = run("key", "take", proposal, "--home", home)
    assert early.exit_code == 1
    assert "root keys of root 2: 0 of 2 have signed; any of" in early.stderr
    done("key", "sign", proposal, "--key", tmp_path / "ann.key", "--yes")
    result = done("key", "sign", proposal, "--key", tmp_path / "cleo.key", "--yes")
    assert "enough have signed" in result.stderr
    assert "2 of 3 must sign" in done("key", "show", proposal).stdout
    plain = json.loads(done("key", "show", proposal, "--output", "json").stdout)
    shown = [one["public"] for one in plain["proposed"]["roles"]["root"]["keys"]]
    assert (shown, plain["lacking"]) == (list(publics.values()), [])
    done("key", "take", proposal, "--home", home)
    (home / "keys" / "root.key").unlink()
    again = done("key", "take", proposal, "--home", home)
    assert "root 2 is in force already; there was nothing to do" in again.stderr

    policy_key = made(tmp_path / "policy.key")
    written = run("key", "rotate", "policy", "--key", policy_key, "--home", home)  # to HOME
    proposal = home / "root-3.proposal"
    assert written.exit_code == 3, written.output
    assert f"saltern key sign {proposal} --key FILE" in written.stderr
    assert f"then here: saltern key take {proposal}\n" in written.stderr
    for name in ("bob", "ann"):
        done("key", "sign", proposal, "--key", tmp_path / f"{name}.key", "--yes")
    taken = done("key", "take", proposal, "--home", home)
    earlier = done("key", "take", tmp_path / "root-2.proposal", "--home", home)
    assert "root 2 was taken in already" in earlier.stderr
    assert "has to be signed under root 3" in taken.stderr
    assert "does not sign under root 3" in done("key", "list", "--home", home).stderr

    paper = tmp_path / "policy.proposal"
    refused = run("policy", "--home", home)
    assert (refused.exit_code, "saltern policy --out FILE" in refused.stderr) == (1, True)
    done("policy", "--out", paper, "--home", home)
    done("key", "sign", paper, "--key", tmp_path / "policy.key", "--yes")
    done("key", "take", paper, "--home", home)
    policy = newest_policy(Home(home))
    assert policy is not None
    authority = read_authority(Home(home))
    assert (authority.root.version, authority.policy, authority.held_back) == (3, policy, "")


@pytest.mark.parametrize(
    "words", [("revoke", "STATE"), ("rotate", "state"), ("renew",)], ids=lambda words: words[0]
)
def test_what_others_have_to_sign_is_said_not_to_be_in_force(
    home: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (home / "keys" / "root.key").rename(tmp_path / "root.key")
    (state,) = newest_root(Home(home)).roles.state.keys
    told = run("key", *(one.replace("STATE", state.fingerprint) for one in words), "--home", home)
    still = "nothing changes" if words == ("renew",) else f"the key {shown(state)} still counts"
    assert told.exit_code == 3, told.output
    assert f"NOT in force yet: {still} until root 2 is taken in\n" in told.stderr
    assert newest_root(Home(home)).version == 1

    proposal = home / "root-2.proposal"
    done("key", "sign", proposal, "--key", tmp_path / "root.key", "--yes")
    assert "root 2 is in force" in done("key", "take", proposal, "--home", home).stderr


def test_a_proposal_is_named_whole_wherever_it_was_written(home: Path, tmp_path: Path) -> None:
    (home / "keys" / "root.key").unlink()
    with chdir(tmp_path):  # what was asked for is done
        told = done("key", "renew", "--out", "next", "--home", home)
    assert f"saltern key take {tmp_path / 'next'}\n" in told.stderr
    assert "NOT in force yet" in told.stderr


def test_another_root_of_a_number_that_is_taken_is_refused(home: Path, tmp_path: Path) -> None:
    done("key", "rotate", "lease", "--out", tmp_path / "other", "--home", home)
    done("key", "rotate", "state", "--home", home)
    refused = run("key", "take", tmp_path / "other", "--home", home)
    assert (refused.exit_code, "propose it again" in refused.stderr) == (1, True)


def test_the_link_key_is_replaced_and_the_old_one_kept(home: Path) -> None:
    before = Home(home).link_key()
    result = done("key", "rotate", "link", "--home", home)
    after = Home(home).link_key()
    assert after != before
    assert result.stdout == f"curve25519:{link_public(after).hex()}\n"
    assert f"saltern-agent master {result.stdout.strip()}" in result.stderr
    (kept,) = (home / "keys").glob("link-*.key")
    assert kept.read_text().strip() == before.hex()
    assert listed(home)["keys"][-1]["public"] == result.stdout.strip()  # type: ignore[index]


def test_nothing_is_signed_without_a_yes(home: Path, tmp_path: Path) -> None:
    proposal = tmp_path / "p"
    done("key", "rotate", "root", "--key", made(tmp_path / "k"), "--out", proposal, "--home", home)
    before = proposal.read_bytes()
    result = run("key", "sign", proposal, "--key", tmp_path / "k")  # no answer: the input ends
    assert result.exit_code != 0
    assert proposal.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("rotate", "wrong"), 2, "the roles are root, policy, state, lease"),
        (("rotate", "state", "--key", "a", "--key", "b"), 2, '"b" is not ed25519:'),
        (("rotate", "lease", "--threshold", "2"), 2, "2 of 1 keys can never sign; give so many"),
        (("revoke", "0000"), 2, "give a fingerprint as saltern key list shows it"),
        (("take", "/nowhere"), 2, "cannot read /nowhere"),
        (("show", "nobody"), 2, "cannot find the key"),
    ],
)
def test_what_is_wrong_is_told_and_changes_nothing(
    home: Path, words: tuple[str, ...], status: int, said: str
) -> None:
    before = sorted(home.rglob("*"))
    result = run("key", *words, "--home", home)
    assert (result.exit_code, said in result.stderr) == (status, True), result.output
    assert sorted(home.rglob("*")) == before


def test_a_key_that_others_can_read_signs_no_proposal(home: Path, tmp_path: Path) -> None:
    proposal = tmp_path / "p"
    done("key", "rotate", "root", "--key", made(tmp_path / "k"), "--out", proposal, "--home", home)
    (tmp_path / "k").chmod(0o644)
    result = run("key", "sign", proposal, "--key", tmp_path / "k", "--yes")
    assert (result.exit_code, "others can read it" in result.stderr) == (1, True)
    absent = run("key", "sign", proposal, "--key", tmp_path / "absent", "--yes")
    assert (absent.exit_code, f"cannot read {tmp_path}/absent" in absent.stderr) == (2, True)
