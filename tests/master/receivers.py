"""Receivers of notifications on loopback: an HTTP server, and a small SMTP server with STARTTLS."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

HERE = "127.0.0.1"


@dataclass(slots=True)
class Posted:
    """One request that came."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Hook:
    """A webhook's server: what came, and what it answers."""

    port: int = 0
    answers: list[tuple[int, bytes]] = field(default_factory=list)  # then 204
    posted: list[Posted] = field(default_factory=list)
    came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    @property
    def url(self) -> str:
        return f"http://{HERE}:{self.port}/hook"


@contextmanager
def hook_server(port: int = 0) -> Iterator[Hook]:
    """Run a webhook's server until the block ends."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            hook.posted.append(
                Posted(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            )
            status, said = hook.answers.pop(0) if hook.answers else (204, b"")
            self.send_response(status)
            if status == 302:
                self.send_header("location", f"http://{HERE}:{hook.port}/elsewhere")
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)
            hook.came.release()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((HERE, port), Handler)
    hook.port = server.server_address[1]
    with _served(server):
        yield hook


@dataclass(slots=True)
class Mailed:
    """One message that was taken."""

    sender: str
    to: list[str]
    message: Message
    user: str
    encrypted: bool


@dataclass(slots=True)
class Mailbox:
    """A mail server: what came, and whom it knows."""

    port: int = 0
    password: str = "secret"
    refused: frozenset[str] = frozenset()
    parting: str = "221 bye"
    mailed: list[Mailed] = field(default_factory=list)


@contextmanager
def mail_server(certificate: Path | None = None) -> Iterator[Mailbox]:
    """Run a mail server until the block ends. `certificate`: PEM with its key; None: no TLS."""
    box = Mailbox()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            _Session(self, box, certificate).talk()
            self.connection.close()  # the one that it became with STARTTLS

    server = socketserver.ThreadingTCPServer((HERE, 0), Handler)
    server.daemon_threads = True
    box.port = server.server_address[1]
    with _served(server):
        yield box


@contextmanager
def slow_server(words: bytes, part: bytes) -> Iterator[int]:
    """Answer whoever connects with some words, and then without end a part now and then; a port."""
    over = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                self.request.sendall(words)
                while not over.wait(0.02):
                    self.request.sendall(part)

    server = socketserver.ThreadingTCPServer((HERE, 0), Handler)
    server.daemon_threads = True
    with _served(server):
        yield server.server_address[1]
        over.set()


@contextmanager
def _served(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Session:
    """One conversation: EHLO, STARTTLS, AUTH PLAIN, MAIL, RCPT, DATA (RFC 5321, 3207, 4954)."""

    def __init__(
        self, at: socketserver.StreamRequestHandler, box: Mailbox, certificate: Path | None
    ) -> None:
        self._at, self._box, self._certificate = at, box, certificate
        self._user, self._sender, self._to, self._encrypted = "", "", list[str](), False
        self._end = False

    def talk(self) -> None:
        self._say("220 here")
        while not self._end and (line := self._at.rfile.readline()):
            word, _, rest = line.decode().strip().partition(" ")
            answers: dict[str, Callable[[str], None]] = {
                "EHLO": self._ehlo,
                "STARTTLS": self._tls,
                "AUTH": self._auth,
                "MAIL": self._mail,
                "RCPT": self._rcpt,
                "DATA": self._data,
                "QUIT": self._quit,
                "RSET": self._reset,
            }
            answers.get(word.upper(), self._unknown)(rest)

    def _reset(self, _: str) -> None:
        self._say("250 ok")

    def _unknown(self, _: str) -> None:
        self._say("502 what?")

    def _say(self, line: str) -> None:
        self._at.wfile.write(line.encode() + b"\r\n")
        self._at.wfile.flush()

    def _ehlo(self, _: str) -> None:
        offered = ["AUTH PLAIN"] if self._encrypted else []
        if self._certificate is not None and not self._encrypted:
            offered.append("STARTTLS")
        lines = ["here", *offered]
        for one in lines[:-1]:
            self._say(f"250-{one}")
        self._say(f"250 {lines[-1]}")

    def _tls(self, _: str) -> None:
        if self._certificate is None:
            self._say("502 no")
            return
        self._say("220 go")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate)
        try:
            wrapped = context.wrap_socket(self._at.connection, server_side=True)
        except ssl.SSLError:
            self._end = True
            return
        self._at.connection = self._at.request = wrapped
        self._at.rfile, self._at.wfile = wrapped.makefile("rb"), wrapped.makefile("wb")
        self._encrypted = True

    def _auth(self, rest: str) -> None:
        _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
        if password == self._box.password:
            self._user = user
            self._say("235 ok")
        else:
            self._say("535 wrong password")

    def _mail(self, rest: str) -> None:
        self._sender = rest.partition("<")[2].partition(">")[0]
        self._say("250 ok")

    def _rcpt(self, rest: str) -> None:
        to = rest.partition("<")[2].partition(">")[0]
        if to in self._box.refused:
            self._say("550 nobody")
            return
        self._to.append(to)
        self._say("250 ok")

    def _data(self, _: str) -> None:
        self._say("354 go on")
        data = b""
        while (line := self._at.rfile.readline()) != b".\r\n":
            data += line[1:] if line.startswith(b".") else line
        message = message_from_bytes(data, policy=default)
        self._box.mailed.append(
            Mailed(self._sender, self._to, message, self._user, self._encrypted)
        )
        self._say("250 taken")

    def _quit(self, _: str) -> None:
        self._say(self._box.parting)
        self._end = True


def certificate(directory: Path) -> Path:
    """Make a certificate for 127.0.0.1 that vouches for itself; a file with it and its key."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HERE)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HERE))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = directory / "mail.pem"
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + plain)
    return path
