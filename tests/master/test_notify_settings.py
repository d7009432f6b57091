"""HOME/notify.yaml: what it may say, every fault at once, and the modes of what it names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from saltern_master.cluster.faults import ClusterFileError
from saltern_master.notify.settings import (
    FILE,
    AfterSpans,
    Email,
    Notify,
    Receiver,
    Webhook,
    load,
    read_settings,
    seconds,
)

WHOLE = """\
apiVersion: saltern-notify/v1
after: {drift: 15m, away: 90s}
again: never
receivers:
- name: ops
  webhook: {url: "https://hooks.example.org:8443/saltern?x=1", secretFile: /etc/saltern/hook}
- name: night
  only: [incident, away]
  email:
    server: mail.example.org
    from: saltern@example.org
    to: [night@example.org]
    user: saltern
    passwordFile: /etc/saltern/mail
"""
WRONG = """\
apiVersion: saltern-notify/v2
after: {drift: 15, away: 0s, part: 1m}
again: often
receivers:
- name: Ops
  webhook: {url: "ftp://x"}
- name: twice
  only: [incident, fire]
  webhook: {url: "https://me:secret@example.org/", secretFile: hook}
  email: {server: "a b", from: me, to: [], security: none, user: me}
- name: twice
- name: other
  email: {server: x, port: 0, from: a@b, to: [a@b], passwordFile: /p}
"""


def test_a_whole_file_is_read() -> None:
    assert load(WHOLE.encode()) == Notify(
        api_version="saltern-notify/v1",
        after=AfterSpans(drift="15m", away="90s"),
        again="never",
        receivers=(
            Receiver(
                name="ops",
                webhook=Webhook(
                    url="https://hooks.example.org:8443/saltern?x=1",
                    secret_file="/etc/saltern/hook",
                ),
            ),
            Receiver(
                name="night",
                only=("incident", "away"),
                email=Email(
                    server="mail.example.org",
                    sender="saltern@example.org",
                    to=("night@example.org",),
                    user="saltern",
                    password_file="/etc/saltern/mail",
                ),
            ),
        ),
    )


def test_every_fault_is_told_at_once_with_its_line() -> None:
    with pytest.raises(ClusterFileError) as error:
        load(WRONG.encode())

    told = str(error.value)
    assert told.startswith("cannot take notify.yaml: ")
    for fault in (
        "apiVersion: line 1: ",
        "after.drift: line 2: expected text, found 15",
        'after.away: line 2: "0s" is not a span of time such as',
        "after.part: line 2: no such field",
        'again: line 3: "often" is not never, or a span',
        'receivers[0].name: line 5: "Ops" is not a name',
        "receivers[0].webhook.secretFile: line 6: is missing",
        "receivers[0].webhook.url: line 6: write http:// or https://",
        'receivers[1].only[1]: line 8: "fire" is none of alarm, incident,',
        "receivers[1].webhook.url: line 9: take user and password out of it",
        "receivers[1].webhook.secretFile: line 9: ",
        "receivers[1].email.server: line 10: ",
        "receivers[1].email.from: line 10: ",
        "receivers[2].name: line 11: another receiver is called twice",
        "receivers[2]: line 11: give either webhook or email",
        "receivers[3].email.port: line 13: ",
    ):
        assert fault in told, fault


def test_what_stands_there_with_a_fault_is_not_missing_too() -> None:
    text = WHOLE.replace(", secretFile: /etc/saltern/hook", "").replace("    user: saltern\n", "")
    text = text.replace("to: [night@example.org]", "to: [night]")
    with pytest.raises(ClusterFileError) as error:
        load(text.encode())

    assert [str(one).partition(": ")[0] for one in error.value.faults] == [
        "receivers[0].webhook.secretFile",
        "receivers[1].email.to[0]",
    ]


@pytest.mark.parametrize(
    ("email", "fault"),
    [
        ("to: [], from: a@b, server: x", "to: name 1 to 50 addresses"),
        ("to: [a@b], from: a@b, server: x, user: me", "user and passwordFile stand together"),
        (
            "to: [a@b], from: a@b, server: x, user: me, passwordFile: /p, security: none",
            "a password is not sent in clear",
        ),
    ],
)
def test_what_an_email_must_not_say(email: str, fault: str) -> None:
    text = f"apiVersion: saltern-notify/v1\nreceivers:\n- name: a\n  email: {{{email}}}\n"

    with pytest.raises(ClusterFileError, match=fault):
        load(text.encode())


@pytest.mark.parametrize(
    ("span", "found"), [("90s", 90), ("10m", 600), ("24h", 86_400), ("2d", 172_800), ("never", 0)]
)
def test_spans(span: str, found: float) -> None:
    assert seconds(span) == found


def home(directory: Path, mode: int = 0o600, secret_mode: int = 0o600) -> tuple[Path, Path]:
    """Make a home with settings and a secret; give the home and the secret."""
    secret = directory / "secret"
    secret.write_bytes(b"x")
    secret.chmod(secret_mode)
    text = (
        "apiVersion: saltern-notify/v1\nreceivers:\n- name: ops\n  webhook: "
        f'{{url: "http://127.0.0.1:1/", secretFile: {secret}}}\n'
    )
    (directory / FILE).write_text(text)
    (directory / FILE).chmod(mode)
    return directory, secret


def test_who_has_no_file_tells_nobody(tmp_path: Path) -> None:
    assert read_settings(tmp_path) is None


def test_a_file_of_this_users_alone_is_read(tmp_path: Path) -> None:
    found = read_settings(home(tmp_path, 0o644)[0])

    assert found is not None
    assert [one.name for one in found.receivers] == ["ops"]


def test_wrong_modes_are_told_at_once_each_with_its_remedy(tmp_path: Path) -> None:
    place, secret = home(tmp_path, 0o664, 0o644)

    with pytest.raises(ClusterFileError) as error:
        read_settings(place)
    told = str(error.value)
    assert f"chmod 0644 {place / FILE}" in told
    assert f"chmod 0600 {secret}" in told


@pytest.mark.parametrize("what", ["missing", "empty", "a directory", "a symlink", "a pipe"])
def test_a_secret_that_cannot_be_one_is_told(tmp_path: Path, what: str) -> None:
    place, secret = home(tmp_path)
    secret.unlink()
    if what == "empty":
        secret.write_bytes(b"\n")
        secret.chmod(0o600)
    elif what == "a directory":
        secret.mkdir(mode=0o700)
    elif what == "a symlink":
        secret.symlink_to(place / FILE)
    elif what == "a pipe":
        os.mkfifo(secret, 0o600)

    with pytest.raises(ClusterFileError, match=rf"ops: cannot (read|use) the secret in {secret}"):
        read_settings(place)


def test_a_file_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FILE, 0o600)

    with pytest.raises(ClusterFileError, match="it is a pipe"):
        read_settings(tmp_path)
