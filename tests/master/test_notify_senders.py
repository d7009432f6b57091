"""Webhooks and e-mail, against real servers on loopback."""

from __future__ import annotations

import hmac
import json
import socket
from pathlib import Path

import pytest
from saltern_master.notify.mail import message_of, send
from saltern_master.notify.model import Item, Notice
from saltern_master.notify.sending import SendError, deliver, trial
from saltern_master.notify.settings import Email, Receiver, SecretError, Webhook
from saltern_master.notify.webhook import post
from saltern_master.notify.words import summary, text_of

from tests.master.receivers import HERE, certificate, hook_server, mail_server, slow_server

NOW = 1_800_000_000.5
SECRET = b"a key of the receiver's"
NOTICE = Notice(
    number=7,
    status="begins",
    event="away",
    word="",
    at=NOW,
    items=(
        Item(node="w1", since=NOW - 300, why="not heard", remedy="look", begins=1),
        Item(node="w2", since=NOW - 290, why="x\x1b[2J\nSubject: y", remedy="look", begins=3),
    ),
    more=4,
)


@pytest.fixture
def secret(tmp_path: Path) -> str:
    return kept(tmp_path / "secret", SECRET + b"\n")


def kept(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    path.chmod(0o600)
    return str(path)


def webhook(url: str, secret: str) -> Receiver:
    return Receiver(name="ops", webhook=Webhook(url=url, secret_file=secret))


def test_a_webhook_is_told_and_can_tell_by_whom(secret: str) -> None:
    with hook_server() as hook:
        said = deliver(webhook(hook.url, secret), NOTICE, "demo", NOW)

    (posted,) = hook.posted
    made = hmac.new(SECRET, b"1800000000." + posted.body, "sha256").hexdigest()
    assert said == "204 No Content"
    assert posted.path == "/hook"
    assert posted.headers["content-type"] == "application/json"
    assert posted.headers["saltern-signature"] == f"t=1800000000,v1={made}"
    told = json.loads(posted.body)
    assert told == {
        "form": 1,
        "id": "demo-7",
        "cluster": "demo",
        "status": "begins",
        "event": "away",
        "word": "",
        "at": NOW,
        "summary": summary(NOTICE),
        "items": [
            {
                "node": "w1",
                "subject": "",
                "since": NOW - 300,
                "until": 0.0,
                "why": "not heard",
                "remedy": "look",
                "begins": 1,
            },
            {
                "node": "w2",
                "subject": "",
                "since": NOW - 290,
                "until": 0.0,
                "why": r"x\x1b[2J\nSubject: y",
                "remedy": "look",
                "begins": 3,
            },
        ],
        "more": 4,
    }


@pytest.mark.parametrize(
    ("status", "said", "told"),
    [
        (500, b"no\x1b[31m way", r"answered 500 Internal Server Error: no\x1b[31m way"),
        (404, b"", "answered 404 Not Found"),
        (302, b"", "answered 302 Found"),
        (503, b"x" * 5000, "answered 503 Service Unavailable: " + "x" * 500),
    ],
)
def test_what_a_webhook_refuses_is_told(secret: str, status: int, said: bytes, told: str) -> None:
    with hook_server() as hook:
        hook.answers.append((status, said))
        with pytest.raises(SendError) as error:
            deliver(webhook(hook.url, secret), NOTICE, "demo", NOW)

    assert str(error.value) == f"http://{HERE}:{hook.port} {told}"
    assert [one.path for one in hook.posted] == ["/hook"], "a redirect was followed"


def test_a_webhook_that_is_not_there_is_named_without_its_path(secret: str) -> None:
    with socket.socket() as taken:
        taken.bind((HERE, 0))  # bound and not listening: connections are refused
        port = taken.getsockname()[1]
        with pytest.raises(SendError, match=rf"cannot reach http://{HERE}:{port}: ") as error:
            deliver(webhook(f"http://{HERE}:{port}/t0ken", secret), NOTICE, "demo", NOW)

    assert "t0ken" not in str(error.value)


def test_a_secret_that_others_can_read_is_not_used(tmp_path: Path, secret: str) -> None:
    Path(secret).chmod(0o640)
    with (
        hook_server() as hook,
        pytest.raises(SecretError, match=f"others can read it.*chmod 0600 {secret}"),
    ):
        deliver(webhook(hook.url, secret), NOTICE, "demo", NOW)

    assert hook.posted == []


@pytest.mark.parametrize(
    ("scheme", "words", "part"),
    [
        pytest.param("http", b"HTTP/1.1 200 OK\r\nx: ", b"x", id="head"),
        pytest.param(
            "http", b"HTTP/1.1 500 No\r\ncontent-length: 9\r\n\r\n", b"", id="silent body"
        ),
        pytest.param("https", b"\x16\x03\x03\x40\x00", b"\0", id="TLS"),
    ],
)
def test_a_webhook_that_gives_a_byte_now_and_then_is_left(
    tmp_path: Path, scheme: str, words: bytes, part: bytes
) -> None:
    with slow_server(words, part) as port:
        hook = Webhook(url=f"{scheme}://{HERE}:{port}/t0ken", secret_file=str(tmp_path / "none"))
        with pytest.raises(SendError, match="it was not done within 0 s") as error:
            post(hook, SECRET, b"{}", NOW, 0.3)

    assert "t0ken" not in str(error.value)


def test_what_a_webhook_took_is_taken_whatever_it_says_beside(tmp_path: Path) -> None:
    with slow_server(b"HTTP/1.1 200 OK\r\n\r\n", b"x") as port:
        hook = Webhook(url=f"http://{HERE}:{port}/", secret_file=str(tmp_path / "none"))

        assert post(hook, SECRET, b"{}", NOW, 5) == "200 OK"


@pytest.mark.parametrize("security", ["none", "tls"])
def test_a_mail_server_that_never_comes_to_an_end_is_left(tmp_path: Path, security: str) -> None:
    words = b"\x16\x03\x03\x40\x00" if security == "tls" else b"220-here\r\n"
    with slow_server(words, b"\0" if security == "tls" else b"220-and\r\n") as port:
        to = email(port, tmp_path, security=security, user="", password_file=None).email
        assert to is not None
        message = message_of(to, "a subject", "a text", "an-id")
        with pytest.raises(SendError, match="it was not done within 0 s"):
            send(to, b"", message, 0.3)


def test_a_mail_that_was_taken_is_not_sent_again_for_how_a_server_parts(tmp_path: Path) -> None:
    with mail_server() as box:
        box.parting = "421 too busy"
        to = email(box.port, tmp_path, security="none", user="", password_file=None)

        assert deliver(to, NOTICE, "demo", NOW) == f"{HERE}:{box.port} took it"

    assert len(box.mailed) == 1


def email(port: int, directory: Path, **fields: object) -> Receiver:
    usual: dict[str, object] = {
        "server": HERE,
        "port": port,
        "sender": "saltern@example.org",
        "to": ("a@example.org", "b@example.org"),
        "user": "saltern",
        "password_file": kept(directory / "password", b"secret\n"),
    }
    return Receiver(name="night", email=Email(**(usual | fields)))  # type: ignore[arg-type]


def test_an_email_is_sent_over_starttls_with_a_password(tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    with mail_server(pem) as box:
        said = deliver(email(box.port, tmp_path, ca_file=str(pem)), NOTICE, "demo", NOW)

    (mailed,) = box.mailed
    assert said == f"{HERE}:{box.port} took it"
    assert (mailed.user, mailed.encrypted) == ("saltern", True)
    assert (mailed.sender, mailed.to) == (
        "saltern@example.org",
        ["a@example.org", "b@example.org"],
    )
    assert mailed.message["Subject"] == f"[demo] {summary(NOTICE)}"
    assert mailed.message["Auto-Submitted"] == "auto-generated"
    assert mailed.message["Message-ID"] == "<saltern-demo-7-1800000000@example.org>"
    content = mailed.message.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert content.decode().replace("\r\n", "\n").strip() == text_of(NOTICE, "demo").strip()
    assert r"x\x1b[2J\nSubject: y" in content.decode()


def test_nothing_goes_in_clear_where_starttls_is_not_offered(tmp_path: Path) -> None:
    with mail_server() as box, pytest.raises(SendError, match="STARTTLS"):
        deliver(email(box.port, tmp_path), NOTICE, "demo", NOW)

    assert box.mailed == []


def test_a_mail_server_that_nobody_vouches_for_is_told_nothing(tmp_path: Path) -> None:
    with (
        mail_server(certificate(tmp_path)) as box,
        pytest.raises(SendError, match="certificate verify failed"),
    ):
        deliver(email(box.port, tmp_path), NOTICE, "demo", NOW)

    assert box.mailed == []


def test_a_wrong_password_is_told_and_not_shown(tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    with mail_server(pem) as box:
        box.password = "another"
        with pytest.raises(SendError, match="535 wrong password") as error:
            deliver(email(box.port, tmp_path, ca_file=str(pem)), NOTICE, "demo", NOW)

    assert (box.mailed, "secret" in str(error.value)) == ([], False)


@pytest.mark.parametrize("password", ["ge\u00e9heim".encode(), b"ge\xe9heim"])
def test_no_letter_of_a_password_is_told(tmp_path: Path, password: bytes) -> None:
    pem = certificate(tmp_path)
    with mail_server(pem) as box:
        at = kept(tmp_path / "odd", password)
        to = email(box.port, tmp_path, ca_file=str(pem), password_file=at)
        with pytest.raises(SendError, match="letters that this server takes none of") as error:
            deliver(to, NOTICE, "demo", NOW)

    assert "e9" not in repr(error.value)
    assert error.value.__cause__ is None


def test_a_recipient_who_is_refused_does_not_keep_the_others_from_it(tmp_path: Path) -> None:
    with mail_server() as box:
        box.refused = frozenset({"b@example.org"})
        plain = {"security": "none", "user": "", "password_file": None}
        said = deliver(email(box.port, tmp_path, **plain), trial(NOW), "demo", NOW)
        box.refused |= {"a@example.org"}
        with pytest.raises(SendError, match="takes nothing for a@example"):
            deliver(email(box.port, tmp_path, **plain), NOTICE, "demo", NOW)

    assert said == f"{HERE}:{box.port} took it; refused: b@example.org"
    assert [one.to for one in box.mailed] == [["a@example.org"]]


@pytest.mark.parametrize(
    ("notice", "line"),
    [
        (NOTICE, "away: w1, w2 and 4 more"),
        (trial(NOW), "a test: nothing is wrong"),
    ],
)
def test_a_line_says_what_it_is(notice: Notice, line: str) -> None:
    assert summary(notice) == line
