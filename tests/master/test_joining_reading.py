"""What a machine, ssh and a package manager said: read, and turned into what to do."""

from __future__ import annotations

import re
import subprocess
from base64 import b64encode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as other
from saltern_master.api.service import NodeState, NodeView
from saltern_master.joining import refusals, scripts
from saltern_master.joining.choosing import Form, System
from saltern_master.joining.looking import Rise, Seen, UnreadableError, against, read_seen
from saltern_master.joining.standing import Conflict, Way, way_of
from saltern_master.testing.ssh import DEBIAN_12
from saltern_protocol import testing
from saltern_protocol.documents import Identity, encode_identity

from tests.agent.test_join import TOKEN

IDENTITY = testing.IDENTITY  # node w1 of cluster demo
SAID = """Welcome to w1!
saltern:kernel=Linux
saltern:machine=x86_64
saltern:PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
saltern:VERSION_ID="12"
saltern:ID=debian
saltern:python=3.11
saltern:systemd=yes
saltern:rise=sudo
saltern:installed=0.1.0-1~deb12
saltern:running=active
saltern:end=yes
"""
GOOD = Seen(system=DEBIAN_12, rise="sudo", systemd=True)


def test_a_machine_is_read_from_what_it_said() -> None:
    seen = replace(GOOD, installed="0.1.0-1~deb12", running=True)

    assert read_seen(SAID) == seen
    encoded = b64encode(encode_identity(IDENTITY)).decode()
    with_one = SAID.replace("saltern:end", f"saltern:identity={encoded}\nsaltern:end")
    assert read_seen(with_one) == replace(seen, identity=IDENTITY)


@pytest.mark.parametrize("encoded", ["x", "AAAA", "\u00e9", b64encode(b"\x81" * 300).decode()])
def test_an_identity_that_nobody_can_read_stands_against_it(encoded: str) -> None:
    seen = read_seen(SAID.replace("saltern:end", f"saltern:identity={encoded}\nsaltern:end"))

    assert seen.damaged
    assert any("--again" in why for why in against(seen))


@pytest.mark.parametrize("text", ["", "This account is not available.\n", SAID[:-16], "a\x1b[2J"])
def test_what_is_not_the_whole_answer_is_none(text: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        read_seen(text)
    assert "\x1b" not in str(caught.value)


@given(st.text(max_size=200), st.text(max_size=200))
def test_whatever_a_machine_says_is_read_or_refused(before: str, value: str) -> None:
    text = f"{before}\nsaltern:ID={value}\n{SAID}"
    try:
        seen = read_seen(text)
    except UnreadableError:
        return
    assert seen.system.id.isprintable()


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        pytest.param(GOOD, [], id="nothing"),
        pytest.param(replace(GOOD, rise="root"), [], id="as root"),
        pytest.param(replace(GOOD, rise="password"), ["NOPASSWD"], id="sudo asks"),
        pytest.param(replace(GOOD, rise="none"), ["no sudo"], id="no sudo"),
        pytest.param(replace(GOOD, systemd=False), ["systemd"], id="no systemd"),
        pytest.param(
            Seen(system=System(kernel="Darwin")), ["Darwin", "sudo", "systemd"], id="all at once"
        ),
    ],
)
def test_what_stands_against_a_machine(seen: Seen, said: list[str]) -> None:
    found = list(against(seen))

    assert len(found) == len(said)
    assert all(word in why for word, why in zip(said, found, strict=True))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Host key verification failed.", "ssh root@w1"),
        ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
         "ssh-keygen -R w1"),
        ("root@w1: Permission denied (publickey,password).", "ssh-copy-id root@w1"),
        ("Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures",
         "IdentitiesOnly for w1"),
        ("ssh: Could not resolve hostname w1: Name or service not known", "nobody knows that name"),
        ("ssh: connect to host w1 port 22: Connection refused", "openssh-server"),
        ("ssh: connect to host w1 port 22: Connection timed out", "does not answer"),
        ("ssh: connect to host w1 port 22: No route to host", "no way to it"),
        ("kex_exchange_identification: Connection closed by remote host", "MaxStartups"),
        ("Bad packet length 1349676916.", "ssh could not begin: Bad packet length"),
        ("Connection closed by 10.0.0.1 port 22", "MaxStartups"),
        ("", "it said nothing"),
        ("something new\x1b[31m", "something new"),
    ],
)  # fmt: skip
def test_what_ssh_says_becomes_what_to_do(said: str, words: str) -> None:
    told = refusals.not_begun(said, "root@w1")

    assert words in told
    assert told.isprintable()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (" saltern-agent : Depends: python3.11 but it is not installable", "no Python for P.deb"),
        ("  - nothing provides python3.11 needed by saltern-agent", "no Python for P.deb"),
        (" saltern-agent : Depends: iptables but it is not installable\n", "P.deb needs iptables"),
        ("E: Could not get lock /var/lib/dpkg/lock-frontend.", "another package manager"),
        ("E: You don't have enough free space in /var/cache/apt/archives/.", "no room for P.deb"),
        ("dpkg: error: something", "refused P.deb: dpkg: error: something"),
    ],
)
def test_what_a_package_manager_says_becomes_what_to_do(said: str, words: str) -> None:
    assert words in refusals.not_installed(said, "P.deb")


def known(state: NodeState, incarnation: str = IDENTITY.incarnation) -> NodeView:
    return NodeView(
        name="w1", node_class="worker", state=state, fingerprint="f", incarnation=incarnation
    )


ELSEWHERE, ANOTHER = other(IDENTITY, cluster="prod"), other(IDENTITY, node="w9")


@pytest.mark.parametrize(
    ("identity", "there", "way"),
    [
        pytest.param(None, None, "join", id="neither knows of it"),
        pytest.param(None, known("removed"), "join", id="it left clean"),
        pytest.param(None, known("revoked"), "join", id="another machine in its place"),
        pytest.param(None, known("pending"), "join", id="it was to be approved"),
        pytest.param(None, known("joined"), "saltern node remove w1", id="the name is taken"),
        pytest.param(None, known("removing"), "saltern node remove w1", id="it is about to leave"),
        pytest.param(IDENTITY, known("joined"), "same", id="it is that node"),
        pytest.param(IDENTITY, None, "anew", id="its master forgot it"),
        pytest.param(IDENTITY, known("removed", ""), "anew", id="it was removed"),
        pytest.param(IDENTITY, known("joined", "f" * 32), "another machine", id="replaced"),
        pytest.param(IDENTITY, known("locked"), "locked", id="its key was copied"),
        pytest.param(IDENTITY, known("removing"), "being removed", id="it is leaving"),
        pytest.param(ELSEWHERE, None, "cluster prod", id="another cluster's"),
        pytest.param(ANOTHER, None, "saltern node remove w9 --clean", id="another node"),
    ],
)
def test_how_a_machine_becomes_the_node(
    identity: Identity | None, there: NodeView | None, way: str
) -> None:
    found = way_of("w1", replace(GOOD, identity=identity), "demo", there)

    if isinstance(found, Way):
        assert found.kind == way
    else:
        assert isinstance(found, Conflict)
        assert way in found.why


@pytest.mark.parametrize("form", ["deb", "rpm"])
@pytest.mark.parametrize("rise", ["root", "sudo"])
def test_a_command_line_reads_alike_in_every_login_shell(form: Form, rise: Rise) -> None:
    command = scripts.install(form, "0" * 64, rise)
    head, script, tail = command.split("'")

    assert (head, tail) == (f"exec {'sudo -n ' if rise == 'sudo' else ''}/bin/sh -c ", "")
    assert not set(script) & set("'\\!\n")
    for other_one in (scripts.join(rise, 60), scripts.script_as_root(rise), scripts.SHELL):
        assert re.match(r"[a-zA-Z0-9 /_-]+\Z", other_one)
    syntax = ["/bin/sh", "-n", "-c", script]
    assert subprocess.run(syntax, timeout=10, check=False).returncode == 0


@pytest.mark.parametrize(
    "script", [scripts.LOOK, scripts.START, scripts.STOP, scripts.reach(TOKEN)]
)
def test_every_script_is_posix_shell(script: str) -> None:
    for shell in (["/bin/sh", "-n"], ["/bin/bash", "--posix", "-n"]):
        done = subprocess.run(shell, input=script, text=True, timeout=10, check=False)
        assert done.returncode == 0


def test_no_script_has_anything_of_the_tokens_secret() -> None:
    assert TOKEN.text() not in scripts.reach(TOKEN)
    assert TOKEN.secret.hex() not in scripts.reach(TOKEN)
    assert TOKEN.server.hex() not in scripts.reach(TOKEN)


@pytest.mark.parametrize(
    ("opens", "shut"),
    [
        pytest.param([], 4, id="none"),
        pytest.param(["a/6555"], 3, id="one of two ports"),
        pytest.param(["a/6555", "b/6556"], 2, id="of each address another"),
        pytest.param(["b/6555", "b/6556"], 0, id="both of one"),
    ],
)
def test_one_address_with_both_ports_is_enough(opens: list[str], shut: int) -> None:
    token = other(TOKEN, addresses=("a", "b"))
    said = "".join(("saltern:tries=yes\n", *(f"saltern:open={one}\n" for one in opens)))

    assert len(scripts.is_shut(said, token)) == shut


def test_where_it_cannot_be_tried_joining_will_tell() -> None:
    assert scripts.is_shut("", TOKEN) == ()
